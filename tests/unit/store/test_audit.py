"""Verifying the audit chain: whatever was done to the records afterwards is found and named."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gennaker.model.audit import AuditEntry
from gennaker.store import audit, audit_head
from gennaker.store.database import NAME, Database
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.failures import StoreUnusable
from gennaker.worker.clock import SystemClock

AT = datetime(2026, 11, 24, tzinfo=UTC)
Rows = list[tuple[int, str, str, str]]


def fill(folder: Path, count: int) -> None:
    database = Database.open(folder)
    trail = audit.DatabaseAuditTrail(database)
    entries = [AuditEntry(at=AT, actor="ada", action="a", subject=f"s{number}") for number in range(1, count + 1)]
    asyncio.run(trail.record(*entries))
    database.close()


def rewrite(folder: Path, change: Callable[[Rows], Rows]) -> None:
    """Replaces the records behind the store's back."""
    with closing(sqlite3.connect(folder / NAME)) as connection, connection:
        rows = connection.execute("SELECT number, previous, hash, entry FROM audit ORDER BY number").fetchall()
        connection.execute("DELETE FROM audit")
        connection.executemany("INSERT INTO audit VALUES (?, ?, ?, ?)", change(rows))


def rechained(rows: Rows) -> Rows:
    """The records with numbers and hashes made anew, as a careful forger does it."""
    made: Rows = []
    last = audit_head.NO_HASH
    for number, (_, _, _, entry) in enumerate(rows, 1):
        previous, last = last, audit.chained(number, last, entry)
        made.append((number, previous, last, entry))
    return made


def changed(rows: Rows, at: int) -> Rows:
    number, previous, its_hash, entry = rows[at - 1]
    return [*rows[: at - 1], (number, previous, its_hash, entry.replace("ada", "eve")), *rows[at:]]


def rehashed(rows: Rows, at: int) -> Rows:
    """One record changed and its own hash made to fit."""
    number, previous, _, entry = changed(rows, at)[at - 1]
    return [*rows[: at - 1], (number, previous, audit.chained(number, previous, entry), entry), *rows[at:]]


def swapped(rows: Rows, at: int) -> Rows:
    first, second = rows[at - 1], rows[at]
    return [*rows[: at - 1], (first[0], *second[1:]), (second[0], *first[1:]), *rows[at + 1 :]]


def renumbered(rows: Rows) -> Rows:
    return [(number, *row[1:]) for number, row in enumerate(rows, 1)]


def test_an_untouched_chain_is_intact(tmp_path: Path) -> None:
    fill(tmp_path, 12)

    verdict = audit.verify(tmp_path)

    assert (verdict.is_intact, verdict.records, verdict.first_bad) == (True, 12, None)
    assert "12 records" in verdict.sentence


def test_an_empty_chain_is_intact(tmp_path: Path) -> None:
    fill(tmp_path, 0)

    assert audit.verify(tmp_path).is_intact


@pytest.mark.parametrize(
    ("change", "finding", "first_bad"),
    [
        (lambda rows: changed(rows, 1), "changed", 1),
        (lambda rows: changed(rows, 5), "changed", 5),
        (lambda rows: changed(rows, 12), "changed", 12),
        (lambda rows: rehashed(rows, 5), "changed", 5),
        (lambda rows: rows[:4] + rows[5:], "dropped", 5),
        (lambda rows: rows[1:], "dropped", 1),
        (lambda rows: renumbered(rows[:4] + rows[5:]), "reordered", 5),
        (lambda rows: swapped(rows, 5), "reordered", 5),
        (lambda rows: swapped(rows, 1), "reordered", 1),
        (lambda rows: rows[:-1], "cut-off", 12),
        (lambda rows: rows[:5], "cut-off", 6),
        (lambda rows: [], "cut-off", 1),
        (lambda rows: rechained(changed(rows, 5)), "rewritten", 12),
        (lambda rows: rechained(rows[:4] + rows[5:]), "cut-off", 12),
        (lambda rows: rechained(swapped(rows, 11)), "rewritten", 12),
    ],
)
def test_tampering_is_found_and_the_first_bad_record_named(
    tmp_path: Path, change: Callable[[Rows], Rows], finding: str, first_bad: int
) -> None:
    fill(tmp_path, 12)
    rewrite(tmp_path, change)

    verdict = audit.verify(tmp_path)

    assert (verdict.is_intact, verdict.finding, verdict.first_bad) == (False, finding, first_bad)
    assert str(first_bad) in verdict.sentence


@pytest.mark.parametrize("content", [None, b"{", b'{"number": "x"}'])
def test_a_chain_without_a_head_is_not_called_intact(tmp_path: Path, content: bytes | None) -> None:
    fill(tmp_path, 3)
    head = tmp_path / audit_head.NAME
    head.unlink()
    if content is not None:
        head.write_bytes(content)

    verdict = audit.verify(tmp_path)

    assert (verdict.is_intact, verdict.finding, verdict.records) == (False, "no-head", 3)


def test_a_running_server_verifies_too(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    database = Database.open(tmp_path)
    trail = audit.DatabaseAuditTrail(database)

    async def check() -> tuple[audit.Verdict, audit.Verdict]:
        await trail.record(AuditEntry(at=AT, actor="ada", action="a", subject="s"))
        return await trail.verify(), await asyncio.to_thread(audit.verify, tmp_path)

    inside, outside = asyncio.run(check())
    database.close()

    assert (inside.is_intact, inside.records) == (True, 4)
    assert outside == inside


def test_where_there_is_no_database_nothing_is_verified_nor_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="There is no database"):
        audit.verify(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ten_thousand_records_are_verified_within_a_second(tmp_path: Path) -> None:
    fill(tmp_path, 10_000)

    began = time.process_time()
    verdict = audit.verify(tmp_path)
    took = time.process_time() - began

    assert verdict.is_intact
    assert took < 1.0


def test_saving_and_deleting_a_definition_are_in_the_chain(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    definitions = DatabaseDefinitions(database, SystemClock())
    trail = audit.DatabaseAuditTrail(database)

    async def change() -> list[tuple[str, str, str]]:
        await definitions.save("pipeline", "p1", {"name": "deliver"}, author="somebody")
        await definitions.delete("pipeline", "p1", author="somebody else")
        return [(r.entry.actor, r.entry.action, r.entry.subject) for r in await trail.records()]

    recorded = asyncio.run(change())
    database.close()

    assert recorded == [
        ("somebody", "definition.saved", "pipeline:p1"),
        ("somebody else", "definition.deleted", "pipeline:p1"),
    ]
    assert audit.verify(tmp_path).is_intact
