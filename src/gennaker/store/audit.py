"""The audit trail: records in a chain of hashes, written in the same transaction as what they tell of.

Theory of operation. A record's hash is SHA-256 over its number, the hash of the record before and its entry's canonical
JSON, each on a line (chain.py). So no record can be changed, dropped, put elsewhere or inserted without breaking the chain from
there on; what was cut off its end is missed because `audit-head.json` (audit_head.py, which says what that is worth)
knows a newer head. `verify` walks the chain and names the first record that isn't as it was written.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec
import psycopg
from sqlalchemy import Connection, select

from gennaker.model import codec, wording
from gennaker.model.audit import AuditEntry, AuditRecord
from gennaker.store import audit_head, read_only, tables
from gennaker.store.audit_head import NO_HASH, Head
from gennaker.store.audit_heads import Exported
from gennaker.store.chain import Row, append, chained, encoded_entries
from gennaker.store.database import NAME
from gennaker.store.transactions import Direct, Transactions, direct

_SMALL = 200
"""So many records are read without a thread, if they are at hand."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying the chain found."""

    is_intact: bool
    records: int
    """How many there are."""
    first_bad: int | None = None
    """Number of the first record that isn't as it was written."""
    finding: str = ""
    """`changed`, `dropped`, `reordered`, `cut-off`, `rewritten`, `no-head`, `no-table`, `forged-head`"""
    sentence: str


class DatabaseAuditTrail:
    """The audit trail of a database."""

    def __init__(self, database: Transactions) -> None:
        """Of this database."""
        self._database = database

    async def record(self, *entries: AuditEntry) -> None:
        """Appends durably, in order."""
        encoded = encoded_entries(entries)
        await self._database.write(lambda connection: append(direct(connection), self._database.sql, encoded))

    async def records(self, *, after: int = 0, limit: int = 1000) -> tuple[AuditRecord, ...]:
        """Records with greater numbers, in order."""

        def look(connection: Connection) -> tuple[AuditRecord, ...]:
            found = direct(connection).execute(self._database.sql.audit_after, (after, limit)).fetchall()
            return tuple(_record(*row) for row in found)

        return await self._database.read(look, is_one_statement=True, is_small=limit <= _SMALL)

    async def newest(self) -> Head | None:
        """The newest record's number and hash; None: there is none."""

        def look(connection: Connection) -> Head | None:
            audit = tables.audit.c
            row = connection.execute(select(audit.number, audit.hash).order_by(audit.number.desc()).limit(1)).first()
            return None if row is None else Head(number=row[0], hash=row[1])

        return await self._database.read(look)

    async def hash_of(self, number: int) -> str | None:
        """The hash of a record; None: there is no such record."""

        def look(connection: Connection) -> str | None:
            audit = tables.audit.c
            return connection.execute(select(audit.hash).where(audit.number == number)).scalar()

        return await self._database.read(look)

    async def verify(self) -> Verdict:
        """As `verify`, while the server runs."""
        # The file first: it is never ahead of the records that are read after it.
        head = await self._database.read(lambda _: read_head(self._database.own_folder))
        return await self._database.read(lambda connection: walk(direct(connection), head))


def verify(folder: Path, exported: Exported | None = None) -> Verdict:
    """Walks the whole chain of a data folder, whether a server runs on it or not. Raises StoreUnusable."""
    return read_only.look(folder / NAME, lambda connection: walk(connection, read_head(folder), exported))


def walk(connection: Direct, head: "Head | str | None", exported: Exported | None = None) -> Verdict:
    """The verdict on the records of a database, and heads as in `judge`."""
    try:
        return judge(_chain_rows(connection), head, exported)
    except (sqlite3.OperationalError, psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR:
            raise
        return _no_table(str(error).partition("\n")[0], head)


def judge(rows: Iterable[Row], head: "Head | str | None", exported: Exported | None = None) -> Verdict:
    """The verdict on these records, in the order of their numbers, and a head (a text: why there is none).

    `exported` heads are held against the chain as well: they find it out if chain and head were both made anew.
    """
    number, last = 0, NO_HASH
    hash_at_head = NO_HASH
    outside = exported.heads if exported else {}
    for row in rows:
        number += 1
        broken = _broken(row, number, last)
        if broken is not None:
            return broken
        last = row[2]
        if isinstance(head, Head) and number == head.number:
            hash_at_head = last
        if exported and number in outside and outside[number].hash != last:
            return _against_outside(number, number, exported)
    if exported and max(outside, default=0) > number:
        return _against_outside(number, max(outside), exported)
    verdict = _against_head(number, hash_at_head, head)
    return _with_outside(verdict, exported) if exported and verdict.is_intact else verdict


def _record(number: int, previous: str, its_hash: str, entry: str) -> AuditRecord:
    return AuditRecord(number=number, entry=codec.decode(entry, AuditEntry), previous=previous, hash=its_hash)


def read_head(folder: Path) -> Head | str:
    """The head in a data folder; a text: why there is none."""
    try:
        return audit_head.read(folder) or "is missing"
    except msgspec.MsgspecError:
        return "can't be understood"


def _chain_rows(connection: Direct) -> Iterable[Row]:
    """All records, in order."""
    return connection.execute("SELECT number, previous, hash, entry FROM audit ORDER BY number")


def _no_table(reason: str, head: Head | str | None) -> Verdict:
    known = f"{audit_head.NAME} knows {head.number}" if isinstance(head, Head) else f"{audit_head.NAME} {head}"
    return Verdict(
        is_intact=False,
        records=0,
        first_bad=1,
        finding="no-table",
        sentence=(
            f"The table of audit records is gone, or isn't the one that Gennaker made ({reason}); {known} records. "
            "Put the database back from a backup."
        ),
    )


def _broken(row: Row, expected: int, last: str) -> Verdict | None:
    number, previous, its_hash, entry = row
    if number != expected:
        return _bad(expected, expected, "dropped", f"Record {expected} was dropped: {number} follows {expected - 1}.")
    if chained(number, previous, entry) != its_hash:
        was = _number_of(row, 2 * number + 1000)
        if was is not None:
            return _bad(expected, number, "reordered", f"Record {number} holds what was written as record {was}.")
        return _bad(expected, number, "changed", f"Record {number} was changed after it was written.")
    if previous != last:
        before = number - 1
        if before == 0:
            return _bad(expected, number, "changed", "Record 1 isn't the first that was written.")
        return _bad(
            expected, before, "changed", f"Record {before} was replaced: {number} was written after another one."
        )
    return None


def _number_of(row: Row, search_until: int) -> int | None:
    """The number with which this content has this hash, where there is one: the record was moved."""
    _, previous, its_hash, entry = row
    return next((n for n in range(1, search_until) if chained(n, previous, entry) == its_hash), None)


def _bad(records: int, number: int, finding: str, sentence: str) -> Verdict:
    return Verdict(
        is_intact=False,
        records=records,
        first_bad=number,
        finding=finding,
        sentence=f"{sentence} The audit log isn't intact from record {number} on; compare with a backup.",
    )


def _against_outside(records: int, number: int, exported: Exported) -> Verdict:
    """The chain and an exported head contradict each other: one of them is forged, and the signature says which."""
    if not exported.heads[number].is_signed_by(exported.public):
        return _forged(records, number, exported)
    if records < number:
        return Verdict(
            is_intact=False,
            records=records,
            first_bad=records + 1,
            finding="cut-off",
            sentence=(
                f"{_cut_off(records, number)}: {exported.place} has a signed head of record {number}, "
                f"the database holds {records}. Compare with a backup."
            ),
        )
    return Verdict(
        is_intact=False,
        records=records,
        first_bad=number,
        finding="rewritten",
        sentence=(
            f"The chain was written anew: record {number} isn't the one whose signed head is in {exported.place}. "
            "Compare with a backup."
        ),
    )


def _forged(records: int, number: int, exported: Exported) -> Verdict:
    return Verdict(
        is_intact=False,
        records=records,
        finding="forged-head",
        sentence=(
            f"The head of record {number} in {exported.place} isn't signed with the key {exported.public.hex()}: it was "
            "forged, or the key is another one. Name the key with --key."
        ),
    )


def _with_outside(verdict: Verdict, exported: Exported) -> Verdict:
    newest = exported.newest
    if newest is None:
        more = f" {exported.place} holds no head yet."
    elif not newest.is_signed_by(exported.public):
        return _forged(verdict.records, newest.number, exported)
    else:
        more = f" It agrees with {wording.counted(len(exported.heads), 'head')} in {exported.place}, the newest of record {newest.number}."
    return msgspec.structs.replace(verdict, sentence=verdict.sentence + more)


def _against_head(records: int, hash_at_head: str, head: Head | str | None) -> Verdict:
    if not isinstance(head, Head):
        return Verdict(
            is_intact=False,
            records=records,
            finding="no-head",
            sentence=(
                f"The chain of {records} records is whole, but {audit_head.NAME} {head or 'is missing'}: nobody can "
                "say whether records were cut off at its end. Put the file back from a backup."
            ),
        )
    if records < head.number:
        return Verdict(
            is_intact=False,
            records=records,
            first_bad=records + 1,
            finding="cut-off",
            sentence=(
                f"{_cut_off(records, head.number)}: {audit_head.NAME} knows {head.number} records, "
                f"the database holds {records}. Compare with a backup."
            ),
        )
    if hash_at_head != head.hash:
        return Verdict(
            is_intact=False,
            records=records,
            first_bad=head.number,
            finding="rewritten",
            sentence=(
                f"The chain was written anew: record {head.number} isn't the one that {audit_head.NAME} knows. "
                "Compare with a backup."
            ),
        )
    return Verdict(
        is_intact=True,
        records=records,
        sentence=f"The audit log is intact: {records} records, none changed, dropped, reordered or cut off.",
    )


def _cut_off(records: int, number: int) -> str:
    if number == records + 1:
        return f"Record {number} was cut off"
    return f"Records {records + 1} to {number} were cut off"
