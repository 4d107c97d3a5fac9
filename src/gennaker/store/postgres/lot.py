"""A lot of commits as one call of a function (PostgreSQL).

Theory of operation. What a commit costs is its ways to the server and back, and Python's work for each statement and
parameter. So all rows of a lot travel as one JSON document, and a function writes them (commit_lot.sql): one call, one
transaction, and the end of the audit chain is locked for no way at all. The function is the connection's own (`pg_temp`):
nothing of it is stored, and servers of two versions don't share it. Where something isn't as a commit expects it the call
fails, nothing is written, and `Found` says what was as expected.
"""

from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from gennaker.model import codec
from gennaker.store.rows import CommitRows, ExecutionRows, Row
from gennaker.store.statements import AUDIT_LOCK

LEASE_ENDED: Final = "GK001"
"""State of the error where the server's lease is no longer there."""
NOT_AS_EXPECTED: Final = "GK002"
"""State of the error where an execution, event or queue isn't as expected."""
_CALL: Final = b"SELECT pg_temp.commit_lot(%s::bigint, %s::jsonb, %s::text[], %b::bytea[], %s::bigint)"
_NUL: Final = b"\\u0000"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was as the commits expected it."""

    executions: tuple[str, ...]
    events: tuple[str, ...]
    """The execution of each that was new."""
    queues: tuple[str, ...]


def prepare(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    """Makes the function, which is this connection's alone."""
    connection.execute(resources.files(__package__).joinpath("commit_lot.sql").read_bytes())


def write(connection: psycopg.Connection[tuple[Any, ...]], lot: Sequence[CommitRows], fence: int) -> None:
    """Writes commits that touch no row in common, all or none. Raises psycopg.Error; see `found`."""
    blobs = sorted({row[0]: row for rows in lot for row in rows.blobs}.values())
    digests, contents = [row[0] for row in blobs], [row[1] for row in blobs]
    connection.execute(_CALL, (fence, Jsonb(lot, dumps=_document), digests, contents, AUDIT_LOCK), prepare=True)


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
