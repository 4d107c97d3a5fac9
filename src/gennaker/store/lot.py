"""A lot of commits as one SQL statement (SQLite).

Theory of operation. Around every statement that SQLite runs Python's lock is given up and must be won back from the loop,
which is busy with the next steps just then: that may take milliseconds, and costs more than SQLite's own work. And every
value that is bound is bound with that lock held. So all rows of all commits go into one `INSERT` of one row, in which each kind
of rows is one text: a JSON array. It inserts into a view of the connection's own, whose trigger takes the kinds one after the
other and writes all rows of a kind by one statement. The statement is its own transaction; whatever row isn't as expected undoes
all of it.

Two things JSON can't carry here, and a transaction of several statements writes them: large values, which would be held in
memory several times over, and texts with NUL, of which SQLite's JSON would drop the rest.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from gennaker.interfaces.journal import Conflict, SubmissionExists
from gennaker.model import codec
from gennaker.store.rows import CommitRows, ExecutionRows, Row

Kinds = dict[str, list[Row]]
"""Rows by what is to be done with them."""

_MOVED_ON: Final = "execution moved on"
_QUEUE_MOVED_ON: Final = "queue moved on"
_NUL: Final = "\\u0000"
_WITHOUT_NUL: Final = ("stages", "audit")
"""Half of what is written, and looking for NUL in it costs nearly as much as writing it: a stage's row is JSON, a derived id and
the execution's, which stands in `moved` or `begun` as well; an audit record's JSON, a number and hashes."""


class _Kind(msgspec.Struct, frozen=True):
    """What is done with the rows of a kind."""

    width: int
    """How many values each has, a, b, c …"""
    statement: str
    """With the rows as `r`."""
    else_said: str = ""
    """Not empty: each row must have changed one of the table's, and this is said otherwise."""


_KINDS: Final[dict[str, _Kind]] = {
    "moved": _Kind(
        6,
        "UPDATE executions SET version = r.c, status = r.d, head = r.e, blobs = r.f FROM {rows} AS r "
        "WHERE executions.id = r.a AND executions.version = r.b",
        _MOVED_ON,
    ),
    "begun": _Kind(
        12,
        "INSERT INTO executions (id, submission_key, version, status, head, blobs, kind, application, name, config_id, "
        "correlation_id, build_time) SELECT r.a, r.b, r.c, r.d, r.e, r.f, r.g, r.h, r.i, r.j, r.k, r.l FROM {rows} AS r",
    ),
    "outlined": _Kind(
        7,
        "UPDATE executions SET kind = r.b, application = r.c, name = r.d, config_id = r.e, correlation_id = r.f, "
        "build_time = r.g FROM {rows} AS r WHERE executions.id = r.a",
    ),
    "outlines": _Kind(
        3,
        "INSERT INTO outlines (execution_id, body, blobs) SELECT r.a, r.b, r.c FROM {rows} AS r WHERE true "
        "ON CONFLICT (execution_id) DO UPDATE SET body = excluded.body, blobs = excluded.blobs",
    ),
    "triggers": _Kind(
        5,
        "INSERT INTO triggers (execution_id, application, build_time, type, event_id) "
        "SELECT r.a, r.b, r.c, r.d, r.e FROM {rows} AS r WHERE true ON CONFLICT (execution_id) DO UPDATE SET "
        "application = excluded.application, build_time = excluded.build_time, type = excluded.type, "
        "event_id = excluded.event_id",
    ),
    "removed": _Kind(2, "DELETE FROM stages WHERE (execution_id, stage_id) IN (SELECT r.a, r.b FROM {rows} AS r)"),
    "stages": _Kind(
        4,
        "INSERT INTO stages (execution_id, stage_id, body, blobs) SELECT r.a, r.b, r.c, r.d FROM {rows} AS r WHERE true "
        "ON CONFLICT (execution_id, stage_id) DO UPDATE SET body = excluded.body, blobs = excluded.blobs",
    ),
    "events": _Kind(
        6,
        "INSERT INTO events (execution_id, number, engine_version, ignored, event, blobs) "
        "SELECT r.a, r.b, r.c, r.d, r.e, r.f FROM {rows} AS r",
    ),
    "queues_begun": _Kind(3, "INSERT INTO queues (key, version, body) SELECT r.a, r.b, r.c FROM {rows} AS r"),
    "queues_moved": _Kind(
        3,
        "UPDATE queues SET version = r.b, body = r.c FROM {rows} AS r WHERE queues.key = r.a AND queues.version = r.b - 1",
        _QUEUE_MOVED_ON,
    ),
    "dropped": _Kind(1, "DELETE FROM outbox WHERE key IN (SELECT r.a FROM {rows} AS r)"),
    "effects": _Kind(
        6,
        "INSERT INTO outbox (key, execution_id, due, tries, effect, blobs) SELECT r.a, r.b, r.c, r.d, r.e, r.f "
        "FROM {rows} AS r WHERE true ON CONFLICT (key) DO UPDATE SET execution_id = excluded.execution_id, "
        "due = excluded.due, tries = excluded.tries, effect = excluded.effect, blobs = excluded.blobs",
    ),
    "audit": _Kind(4, "INSERT INTO audit (number, previous, hash, entry) SELECT r.a, r.b, r.c, r.d FROM {rows} AS r"),
}
"""In an order that keeps every reference."""
_LARGE: Final = "INSERT INTO blobs (digest, content) VALUES (?, ?) ON CONFLICT DO NOTHING"
_ALL: Final = f"INSERT INTO lot VALUES ({', '.join('?' * len(_KINDS))})"  # noqa: S608 - nothing but places


def prepare(connection: sqlite3.Connection) -> None:
    """Makes the view and its trigger, which are this connection's alone and aren't stored."""
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"CREATE TEMP VIEW lot AS SELECT {', '.join(f'NULL AS {name}' for name in _KINDS)}")
    statements = [one for name, kind in _KINDS.items() for one in _of_kind(name, kind)]
    connection.execute(f"CREATE TEMP TRIGGER lot_written INSTEAD OF INSERT ON lot BEGIN {'; '.join(statements)}; END")


def _of_kind(name: str, kind: _Kind) -> Iterable[str]:
    yield _statement(
        kind, [f"json_extract(value, '$[{place}]')" for place in range(kind.width)], f"FROM json_each(new.{name})"
    )
    if kind.else_said:
        yield (
            f"SELECT RAISE(ABORT, '{kind.else_said}') "
            f"WHERE new.{name} IS NOT NULL AND changes() <> json_array_length(new.{name})"
        )


def _statement(kind: _Kind, values: Sequence[str], source: str = "") -> str:
    columns = ", ".join(f"{value} AS {name}" for value, name in zip(values, "abcdefghijkl", strict=False))
    return kind.statement.format(rows=f"(SELECT {columns} {source})")


def rows_of(commits: Sequence[CommitRows], audit: list[Row]) -> Kinds:
    """All that commits write but their large values; `audit`: their chained records."""
    kinds: Kinds = {name: [] for name in _KINDS}
    for commit in commits:
        for one in commit.executions:
            _add(kinds, one)
        for queue in commit.queues:
            kinds["queues_moved" if queue[1] > 1 else "queues_begun"].append(queue)
        kinds["dropped"] += commit.dropped
        kinds["effects"] += commit.outbox
    kinds["audit"] = audit
    return kinds


def _add(kinds: Kinds, changed: ExecutionRows) -> None:
    outline = changed.outline
    if changed.expected:
        kinds["moved"].append((changed.id, changed.expected, *changed.head))
        if outline:
            kinds["outlined"].append((changed.id, *outline.columns))
    else:
        assert outline, "a new execution comes with its outline"
        kinds["begun"].append((changed.id, changed.submission_key, *changed.head, *outline.columns))
    if outline:
        kinds["outlines"].append(outline.row)
        if outline.trigger:
            kinds["triggers"].append(outline.trigger)
    kinds["removed"] += changed.removed
    kinds["stages"] += changed.stages
    kinds["events"] += changed.events


def are_apart(kinds: Kinds) -> bool:
    """Nothing is asked for and dropped in one lot: which comes first is known only within a commit."""
    return {row[0] for row in kinds["effects"]}.isdisjoint([row[0] for row in kinds["dropped"]])


def write(connection: sqlite3.Connection, kinds: Kinds, large: Sequence[tuple[str, bytes]] = ()) -> None:
    """Writes the rows, all or none, in the caller's transaction if there is one.

    Raises sqlite3.Error, perhaps in the midst of a transaction; `reason` says what of it concerns a commit.
    """
    texts = {name: codec.encode(rows).decode() if rows else None for name, rows in kinds.items()}
    has_nul = any(text and _NUL in text for name, text in texts.items() if name not in _WITHOUT_NUL) and _has_nul(kinds)
    if not large and not has_nul:
        connection.execute(_ALL, [*texts.values()])
        return
    is_own = not connection.in_transaction
    if is_own:
        connection.execute("BEGIN IMMEDIATE")
    connection.executemany(_LARGE, large)
    if has_nul:
        _write_by_row(connection, kinds)
    else:
        connection.execute(_ALL, [*texts.values()])
    if is_own:
        connection.execute("COMMIT")


def _has_nul(kinds: Kinds) -> bool:
    """In a text itself; that it is written in some JSON does no harm."""
    return any(isinstance(value, str) and "\0" in value for rows in kinds.values() for row in rows for value in row)


def _write_by_row(connection: sqlite3.Connection, kinds: Kinds) -> None:
    for name, kind in _KINDS.items():
        done = connection.executemany(_statement(kind, ["?"] * kind.width), kinds[name])
        if kind.else_said and done.rowcount != len(kinds[name]):
            raise sqlite3.IntegrityError(kind.else_said)


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
