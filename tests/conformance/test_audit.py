"""One suite for every audit trail: the chain that anybody can check from its records."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests import stores
from tests.conformance import subjects
from tests.fakes.audit import MemoryAuditTrail

from gennaker.interfaces.audit import AuditTrail
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import encode_sorted
from gennaker.settings import StoreSettings
from gennaker.store import opening
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.postgres.database import PostgresDatabase

AT = datetime(2026, 11, 24, tzinfo=UTC)
Check = Callable[[AuditTrail], Coroutine[None, None, None]]
Run = Callable[[Check], None]


SUBJECTS: dict[str, type[AuditTrail]] = {
    "sqlite": DatabaseAuditTrail,
    "postgres": DatabaseAuditTrail,
    "memory": MemoryAuditTrail,
}


@pytest.fixture(params=subjects.params(SUBJECTS, debian=("postgres",)))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a check on a fresh trail."""
    with opened(request.param, request, tmp_path) as made:
        assert type(made) is SUBJECTS[request.param]
        yield lambda check: asyncio.run(check(made))


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[AuditTrail]:
    if kind == "memory":
        yield MemoryAuditTrail()
        return
    with stores.opened(kind, request, folder) as database:
        yield DatabaseAuditTrail(database)


def entry(number: int) -> AuditEntry:
    return AuditEntry(
        at=AT,
        actor="ada",
        action="execution.judged",
        subject=f"execution:{number}",
        details={"z": number, "a": "ü", "nested": {"b": 1, "a": [1.5, None]}},
    )


def test_entries_are_numbered_and_chained_in_order(run: Run) -> None:
    async def check(trail: AuditTrail) -> None:
        await trail.record(entry(1), entry(2))
        await trail.record(entry(3))
        await trail.record()

        records = await trail.records()

        assert [record.number for record in records] == [1, 2, 3]
        assert [record.entry for record in records] == [entry(1), entry(2), entry(3)]
        previous = "0" * 64
        for record in records:
            assert record.previous == previous
            hashed = f"{record.number}\n{previous}\n".encode() + encode_sorted(record.entry)
            assert record.hash == hashlib.sha256(hashed).hexdigest()
            previous = record.hash

    run(check)


def test_records_are_read_in_pages(run: Run) -> None:
    async def check(trail: AuditTrail) -> None:
        await trail.record(*(entry(number) for number in range(1, 8)))

        assert [record.number for record in await trail.records(limit=3)] == [1, 2, 3]
        assert [record.number for record in await trail.records(after=3, limit=3)] == [4, 5, 6]
        assert await trail.records(after=7) == ()

    run(check)


def test_many_writers_make_one_chain(run: Run) -> None:
    async def check(trail: AuditTrail) -> None:
        await asyncio.gather(*(trail.record(entry(number)) for number in range(100)))

        records = await trail.records()

        assert [record.number for record in records] == list(range(1, 101))
        assert all(after.previous == before.hash for before, after in itertools.pairwise(records))
        assert {record.entry.subject for record in records} == {f"execution:{number}" for number in range(100)}

    run(check)


@pytest.mark.parametrize("kind", stores.DATABASES)
def test_a_table_that_is_gone_is_missed_by_the_server_and_from_outside(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with stores.opened(kind, request, tmp_path) as database:
        trail = DatabaseAuditTrail(database)

        async def lose() -> None:
            await trail.record(entry(1))
            await database.write(lambda connection: connection.exec_driver_sql("DROP TABLE audit"))
            inside = await trail.verify()
            assert (inside.is_intact, inside.finding) == (False, "no-table")

        asyncio.run(lose())
        url = database.url if isinstance(database, PostgresDatabase) else ""
        outside = opening.verify_audit(StoreSettings(url=url), tmp_path)

    assert (outside.is_intact, outside.finding, outside.first_bad) == (False, "no-table", 1)
    assert "Put the database back from a backup." in outside.sentence
