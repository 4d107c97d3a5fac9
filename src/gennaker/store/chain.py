"""The chain of audit records: how one follows another (audit.py says what for)."""

import hashlib
from collections.abc import Iterable, Sequence

from gennaker.model import codec
from gennaker.model.audit import AuditEntry
from gennaker.store.audit_head import NO_HASH
from gennaker.store.statements import Statements
from gennaker.store.transactions import Direct

Row = tuple[int, str, str, str]
"""number, previous, hash, entry"""


def encoded_entries(entries: Sequence[AuditEntry]) -> tuple[str, ...]:
    """Canonical JSON, made before the writer's turn comes."""
    return tuple(codec.encode_sorted(entry).decode() for entry in entries)


def append(connection: Direct, sql: Statements, entries: Sequence[str]) -> None:
    """Adds records to the chain, in the caller's transaction."""
    if entries:
        number, last = end(connection, sql)
        connection.executemany(sql.insert_audit, following(number, last, entries))


def end(connection: Direct, sql: Statements) -> tuple[int, str]:
    """Number and hash of the last record; nobody else appends until the transaction ends."""
    if sql.lock_audit:
        connection.execute(sql.lock_audit)
    row = connection.execute(sql.last_audit).fetchone()
    return (0, NO_HASH) if row is None else (row[0], row[1])


def following(number: int, last: str, entries: Iterable[str]) -> list[Row]:
    """The rows that come after the record with this number and hash."""
    rows: list[Row] = []
    for entry in entries:
        number += 1
        previous, last = last, chained(number, last, entry)
        rows.append((number, previous, last, entry))
    return rows


def chained(number: int, previous: str, entry: str) -> str:
    """The hash of a record."""
    return hashlib.sha256(f"{number}\n{previous}\n{entry}".encode()).hexdigest()
