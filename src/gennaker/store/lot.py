"""A lot of commits as one SQL statement (SQLite).

Theory of operation. Around every statement that SQLite runs Python's lock is given up and must be won back from the loop,
which is busy with the next steps just then: that may take milliseconds, and costs more than SQLite's own work. So all rows
of all commits go into one `INSERT` with many rows. It inserts into a view of the connection's own, whose triggers do with
each row what its kind says: rows of one shape, a kind and seven values, in the order in which they must be written. The
statement is its own transaction; whatever row isn't as expected undoes all of it.

How many rows there are is part of a statement's text, so lots are filled up with rows of no kind to a few sizes: SQLite
compiles each once, and Python keeps it.
"""

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain as chained
from typing import Final

from gennaker.interfaces.journal import Conflict, SubmissionExists
from gennaker.store.rows import CommitRows, ExecutionRows, Row

SIZES: Final = tuple(part * 2**power for power in range(3, 11) for part in (2, 3))[:-1]
"""Rows of a statement: 16 to 2,048. SQLite takes 32,766 parameters, a row has eight."""
ROWS_AT_MOST: Final = SIZES[-1]
_WIDTH: Final = 8
_1, _2, _3, _4, _5, _6 = ((None,) * missing for missing in range(1, 7))
"""What rows of fewer values are filled up with."""

_BLOB, _MOVED, _NEW, _OUTLINED, _OUTLINE, _LEFT, _STAGE, _EVENT, _BEGUN, _QUEUE, _DROPPED, _EFFECT, _AUDIT, _TRIGGER = (
    range(1, 15)
)

_MOVED_ON: Final = "execution moved on"
_QUEUE_MOVED_ON: Final = "queue moved on"
_DO: Final[dict[int, str]] = {
    _BLOB: "INSERT INTO blobs (digest, content) VALUES (new.a, new.b) ON CONFLICT DO NOTHING",
    _MOVED: (
        "UPDATE executions SET version = new.c, status = new.d, head = new.e, blobs = new.f "
        "WHERE id = new.a AND version = new.b; SELECT RAISE(ABORT, 'execution moved on') WHERE changes() = 0"
    ),
    # What the next row of the same execution says is not there yet.
    _NEW: (
        "INSERT INTO executions (id, submission_key, version, status, head, blobs, kind, application, name, build_time) "
        "VALUES (new.a, new.b, new.c, new.d, new.e, new.f, '', '', '', 0)"
    ),
    _OUTLINED: (
        "UPDATE executions SET kind = new.b, application = new.c, name = new.d, config_id = new.e, "
        "correlation_id = new.f, build_time = new.g WHERE id = new.a"
    ),
    _OUTLINE: (
        "INSERT INTO outlines (execution_id, body, blobs) VALUES (new.a, new.b, new.c) "
        "ON CONFLICT (execution_id) DO UPDATE SET body = excluded.body, blobs = excluded.blobs"
    ),
    _TRIGGER: (
        "INSERT INTO triggers (execution_id, application, build_time, type, event_id) "
        "VALUES (new.a, new.b, new.c, new.d, new.e) ON CONFLICT (execution_id) DO UPDATE SET "
        "application = excluded.application, build_time = excluded.build_time, type = excluded.type, "
        "event_id = excluded.event_id"
    ),
    _LEFT: "DELETE FROM stages WHERE execution_id = new.a AND stage_id = new.b",
    _STAGE: (
        "INSERT INTO stages (execution_id, stage_id, body, blobs) VALUES (new.a, new.b, new.c, new.d) "
        "ON CONFLICT (execution_id, stage_id) DO UPDATE SET body = excluded.body, blobs = excluded.blobs"
    ),
    _EVENT: (
        "INSERT INTO events (execution_id, number, engine_version, ignored, event, blobs) "
        "VALUES (new.a, new.b, new.c, new.d, new.e, new.f)"
    ),
    _BEGUN: "INSERT INTO queues (key, version, body) VALUES (new.a, new.b, new.c)",
    _QUEUE: (
        "UPDATE queues SET version = new.b, body = new.c WHERE key = new.a AND version = new.b - 1; "
        "SELECT RAISE(ABORT, 'queue moved on') WHERE changes() = 0"
    ),
    _DROPPED: "DELETE FROM outbox WHERE key = new.a",
    _EFFECT: (
        "INSERT INTO outbox (key, execution_id, due, tries, effect, blobs) "
        "VALUES (new.a, new.b, new.c, new.d, new.e, new.f) ON CONFLICT (key) DO UPDATE SET "
        "execution_id = excluded.execution_id, due = excluded.due, tries = excluded.tries, effect = excluded.effect, "
        "blobs = excluded.blobs"
    ),
    _AUDIT: "INSERT INTO audit (number, previous, hash, entry) VALUES (new.a, new.b, new.c, new.d)",
}


def prepare(connection: sqlite3.Connection) -> None:
    """Makes the view and its triggers, which are this connection's alone and aren't stored."""
    connection.execute("PRAGMA temp_store = MEMORY")
    values = ", ".join(f"NULL AS {name}" for name in "abcdefg")
    connection.execute(f"CREATE TEMP VIEW lot AS SELECT NULL AS row_kind, {values}")
    for number, statements in _DO.items():
        connection.execute(
            f"CREATE TEMP TRIGGER lot_{number} INSTEAD OF INSERT ON lot WHEN new.row_kind = {number} BEGIN {statements}; END"
        )


def rows_of(commit: CommitRows) -> Iterator[Row]:
    """All that a commit writes but its audit records, a kind and seven values each, in an order that keeps every reference."""
    for value in commit.blobs:
        yield (_BLOB, *value, *_5)
    for one in commit.executions:
        yield from _of_execution(one)
    for key, version, body in commit.queues:
        yield (_QUEUE if version > 1 else _BEGUN, key, version, body, *_4)
    for row in commit.dropped:
        yield (_DROPPED, *row, *_6)
    for row in commit.outbox:
        yield (_EFFECT, *row, *_1)


def audit_row(record: Row) -> Row:
    """A chained record's: number, previous, hash, entry."""
    return (_AUDIT, *record, *_3)


def _of_execution(changed: ExecutionRows) -> Iterator[Row]:
    if changed.expected:
        yield (_MOVED, changed.id, changed.expected, *changed.head, *_1)
    else:
        assert changed.outline, "a new execution comes with its outline"
        yield (_NEW, changed.id, changed.submission_key, *changed.head, *_1)
    if changed.outline:
        yield (_OUTLINED, changed.id, *changed.outline.columns)
        yield (_OUTLINE, *changed.outline.row, *_4)
        if changed.outline.trigger:
            yield (_TRIGGER, *changed.outline.trigger, *_2)
    for row in changed.removed:
        yield (_LEFT, *row, *_5)
    for row in changed.stages:
        yield (_STAGE, *row, *_3)
    for row in changed.events:
        yield (_EVENT, *row, *_1)


def write(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Writes at most ROWS_AT_MOST rows, all or none. Raises sqlite3.Error; `reason` says what of it concerns a commit."""
    size = SIZES[bisect_left(SIZES, len(rows))]
    values = list(chained.from_iterable(rows))
    assert len(values) == len(rows) * _WIDTH, "behind a row of another shape all values would be others'"
    values.extend([None] * (size * _WIDTH - len(values)))
    connection.execute(_text(size), values)


@cache
def _text(size: int) -> str:
    row = f"({', '.join('?' * _WIDTH)})"
    return f"INSERT INTO lot VALUES {', '.join([row] * size)}"  # noqa: S608 - nothing but places


def reason(error: sqlite3.IntegrityError, connection: sqlite3.Connection, rows: CommitRows) -> Exception:
    """What a commit that was written by itself is told."""
    names = " or ".join(one.id for one in rows.executions)
    queues = " or ".join(key for key, _, _ in rows.queues)
    said = str(error)
    if said == _MOVED_ON:
        return Conflict(f"execution {names} is no longer at the version that its commit was made for")
    if said == _QUEUE_MOVED_ON:
        return Conflict(f"queue {queues} is no longer at the version that its commit was made for")
    if "executions.submission_key" in said:
        return _taken(connection, rows) or error
    if "executions.id" in said:
        return Conflict(f"execution {names} exists")
    if "events." in said:
        return Conflict(f"execution {names} has an event of this number")
    if "queues.key" in said:
        return Conflict(f"queue {queues} exists")
    return error


def _taken(connection: sqlite3.Connection, rows: CommitRows) -> SubmissionExists | None:
    for one in rows.executions:
        row = connection.execute("SELECT id FROM executions WHERE submission_key = ?", (one.submission_key,)).fetchone()
        if row is not None and one.submission_key and not one.expected:
            return SubmissionExists(one.submission_key, row[0])
    return None
