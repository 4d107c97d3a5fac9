"""Verifying the audit chain: whatever was done to the records afterwards is found and named."""

import asyncio
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gennaker.model.audit import AuditEntry
from gennaker.store import audit, audit_head, chain
from gennaker.store.database import NAME, Database
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.failures import StoreUnusable
from gennaker.worker.clock import SystemClock

AT = datetime(2026, 11, 24, tzinfo=UTC)
_NOBODY = 65_534
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
        previous, last = last, chain.chained(number, last, entry)
        made.append((number, previous, last, entry))
    return made


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that other users can reach, unlike those of tests."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def only_reading(folder: Path, *, but: str = "") -> Iterator[None]:
    """Meanwhile this process may read the folder and its files (`but` one), and write nothing; nor is it root."""
    for file in folder.iterdir():
        file.chmod(0o444 if file.name != but else 0o000)
    folder.chmod(0o555)
    was = os.geteuid()
    if was == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if was == 0:
            os.seteuid(was)
        folder.chmod(0o755)


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def changed(rows: Rows, at: int) -> Rows:
    number, previous, its_hash, entry = rows[at - 1]
    return [*rows[: at - 1], (number, previous, its_hash, entry.replace("ada", "eve")), *rows[at:]]


def rehashed(rows: Rows, at: int) -> Rows:
    """One record changed and its own hash made to fit."""
    number, previous, _, entry = changed(rows, at)[at - 1]
    return [*rows[: at - 1], (number, previous, chain.chained(number, previous, entry), entry), *rows[at:]]


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


def test_a_copy_of_a_running_servers_files_is_verified_without_a_write(tmp_path: Path) -> None:
    live, copy = tmp_path / "live", tmp_path / "copy"
    database = Database.open(live)
    asyncio.run(audit.DatabaseAuditTrail(database).record(AuditEntry(at=AT, actor="ada", action="a", subject="s")))
    copy.mkdir()
    for name in (NAME, f"{NAME}-wal", audit_head.NAME):
        shutil.copy(live / name, copy)
    database.close()
    assert (copy / f"{NAME}-wal").stat().st_size > 0
    before = content(copy)

    verdict = audit.verify(copy)

    assert (verdict.is_intact, verdict.records) == (True, 1)
    assert content(copy) == before


@pytest.mark.parametrize("is_left_open", [False, True])
def test_who_may_only_read_verifies_too(readable: Path, is_left_open: bool) -> None:
    fill(readable, 3)
    database = Database.open(readable) if is_left_open else None
    before = content(readable)

    with only_reading(readable):
        verdict = audit.verify(readable)

    assert (verdict.is_intact, verdict.records) == (True, 3)
    assert content(readable) == before
    if database is not None:
        database.close()


@pytest.mark.parametrize("name", [NAME, audit_head.NAME])
def test_who_may_not_read_is_told(readable: Path, name: str) -> None:
    fill(readable, 3)

    with (
        only_reading(readable, but=name),
        pytest.raises(StoreUnusable, match=f"The file .*{NAME} can't be read") as told,
    ):
        audit.verify(readable)

    assert "user who may read" in told.value.problem.remedy


@pytest.mark.parametrize(
    "done", ["DROP TABLE audit", "ALTER TABLE audit RENAME TO other", "ALTER TABLE audit RENAME COLUMN hash TO trash"]
)
def test_a_table_that_is_gone_or_another_is_not_called_intact(tmp_path: Path, done: str) -> None:
    fill(tmp_path, 0)
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute(done)

    verdict = audit.verify(tmp_path)

    assert (verdict.is_intact, verdict.finding, verdict.first_bad) == (False, "no-table", 1)
    assert "no such" in verdict.sentence
    assert f"{audit_head.NAME} knows 0 records" in verdict.sentence


def test_the_server_too_misses_the_table(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    database = Database.open(tmp_path)

    async def check() -> audit.Verdict:
        await database.write(lambda connection: connection.exec_driver_sql("DROP TABLE audit"))
        return await audit.DatabaseAuditTrail(database).verify()

    verdict = asyncio.run(check())
    database.close()

    assert (verdict.is_intact, verdict.finding) == (False, "no-table")


def test_a_record_that_is_no_text_any_more_was_changed(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("UPDATE audit SET entry = CAST(X'ff00' AS TEXT) WHERE number = 2")

    assert (audit.verify(tmp_path).finding, audit.verify(tmp_path).first_bad) == ("changed", 2)


def test_a_damaged_database_is_a_sentence(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    (tmp_path / NAME).write_bytes(b"no database" * 1000)

    with pytest.raises(StoreUnusable, match="is damaged"):
        audit.verify(tmp_path)


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
