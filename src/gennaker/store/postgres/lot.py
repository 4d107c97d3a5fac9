"""A lot of commits as one call of a function (PostgreSQL).

Theory of operation. What a commit costs is its ways to the server and back, and Python's work for each statement and
parameter. So all rows of a lot travel as one JSON document, and a function writes them (commit_lot.sql): one call, one
transaction, and the end of the audit chain is locked for no way at all. The function is the connection's own (`pg_temp`):
nothing of it is stored, and servers of two versions don't share it. Where something isn't as a commit expects it the call
fails, nothing is written, and `Found` says what was as expected.

The call goes to libpq itself, which waits for the answer without Python's lock. psycopg's `execute` takes the lock several
times on its way, and each time may wait for the loop, which is busy with the next steps just then.
"""

from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

import msgspec
import psycopg
from psycopg import errors, pq

from gennaker.model import codec
from gennaker.store.postgres import blobs
from gennaker.store.rows import CommitRows, ExecutionRows, Row
from gennaker.store.statements import AUDIT_LOCK

LEASE_ENDED: Final = "GK001"
"""State of the error where the server's lease is no longer there."""
NOT_AS_EXPECTED: Final = "GK002"
"""State of the error where an execution, event or queue isn't as expected."""
Raw = psycopg.Connection[tuple[Any, ...]]
_NAME: Final = b"commit_lot"
_CALL: Final = b"SELECT pg_temp.commit_lot($1::bigint, $2::jsonb, $3::bigint)"
_CHANGES: Final = b"SELECT coalesce((SELECT number FROM changes WHERE name = 'kept'), 0)"
_NUL: Final = b"\\u0000"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was as the commits expected it."""

    executions: tuple[str, ...]
    events: tuple[str, ...]
    """The execution of each that was new."""
    queues: tuple[str, ...]


def prepare(connection: Raw) -> None:
    """Makes the function, which is this connection's alone."""
    # Autovacuum's statistics are late for tables that grow quickly; every statement here is meant to use an index, and
    # none is worth being planned anew.
    connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan")
    connection.execute(resources.files(__package__).joinpath("commit_lot.sql").read_bytes())
    _checked(connection, connection.pgconn.prepare(_NAME, _CALL))


def write(connection: Raw, lot: Sequence[CommitRows], fence: int) -> int:
    """Writes commits that touch no row in common, all or none; returns what `changes` would have before.

    Large values go before, in transactions of their own. Raises psycopg.Error; see `found`.
    """
    blobs.write(connection, [row for rows in lot for row in rows.blobs])
    values = (b"%d" % fence, _document(lot), b"%d" % AUDIT_LOCK)
    answer = _checked(connection, connection.pgconn.exec_prepared(_NAME, values)).get_value(0, 0)
    assert answer is not None
    return int(answer)


def changes(connection: Raw) -> int:
    """How often what servers keep in memory was changed (kept.py). Raises psycopg.Error."""
    row = connection.execute(_CHANGES, prepare=True).fetchone()
    assert row is not None
    return int(row[0])


def _checked(connection: Raw, result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
        return result
    if connection.closed:  # what libpq says itself has no state, by which psycopg would find its class
        raise psycopg.OperationalError(result.error_message.decode(errors="replace").strip())
    raise errors.error_from_result(result, encoding="utf-8")


def found(error: psycopg.Error) -> Found:
    """What an error of the state NOT_AS_EXPECTED says."""
    return codec.decode(error.diag.message_detail or "", Found)


def _document(lot: Sequence[CommitRows]) -> bytes:
    kinds = {kind: rows for kind, rows in _kinds(lot).items() if rows}
    document = codec.encode(kinds)
    # NUL is the one character that PostgreSQL's text hasn't.
    return codec.encode(_without_nul(kinds)) if _NUL in document else document


def _kinds(lot: Sequence[CommitRows]) -> dict[str, Sequence[object]]:
    """In the order of ids and keys: two servers never wait for one another's rows crosswise."""
    executions = sorted((one for rows in lot for one in rows.executions), key=lambda one: one.id)
    queues = sorted(row for rows in lot for row in rows.queues)
    effects = [(False, *row) for rows in lot for row in rows.effects]
    return {
        "moved": [(one.id, one.expected, one.is_complete, *one.head) for one in executions if one.expected],
        "begun": [_begun(one) for one in executions if not one.expected],
        "outlined": [(one.id, *one.outline.columns) for one in executions if one.expected and one.outline],
        "outlines": [one.outline.row for one in executions if one.outline],
        "triggers": [one.outline.trigger for one in executions if one.outline and one.outline.trigger],
        "removed": [row for one in executions for row in one.removed],
        "stages": [row for one in executions for row in one.stages],
        "events": [row for one in executions for row in one.events],
        "queues_moved": [row for row in queues if row[1] > 1],
        "queues_begun": [row for row in queues if row[1] == 1],
        "dropped": [row for rows in lot for row in rows.dropped],
        "effects": effects + [(True, *row) for rows in lot for row in rows.handed_over],
        "audit": [entry for rows in lot for entry in rows.audit],
    }


def _begun(one: ExecutionRows) -> Row:
    assert one.outline, "a new execution comes with its outline"
    return (one.id, one.submission_key, one.is_complete, *one.head, *one.outline.columns)


def _without_nul(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {key: _without_nul(item) for key, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list | tuple) else value
