"""What several servers write is kept: read once while nobody changes it, and never older than a change that was answered."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.documents import SELDOM_CHANGED, DatabaseDocuments
from gennaker.store.postgres.database import PostgresDatabase, connect
from gennaker.store.postgres.kept import SharedKept
from gennaker.worker.clock import SystemClock


class Table:
    """A row whose changes are counted."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.is_read = asyncio.Event()
        self.kept = SharedKept(self.changes)

    async def changes(self) -> int:
        return self.value

    async def look(self) -> tuple[int, int]:
        self.reads += 1
        self.is_read.set()
        value = self.value
        await asyncio.sleep(0)
        return value, 1

    async def read(self) -> int:
        return await self.kept.read("value", self.look)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def two(postgres_url: str, tmp_path: Path) -> Iterator[tuple[PostgresDatabase, PostgresDatabase]]:
    with ExitStack() as stack:
        made = [PostgresDatabase.open(postgres_url, folder=tmp_path / name) for name in "ab"]
        for one in made:
            stack.callback(one.close)
        yield made[0], made[1]


def run(check: Coroutine[Any, Any, None]) -> None:
    asyncio.run(check)


def test_what_nobody_changes_is_read_once(table: Table) -> None:
    async def check() -> None:
        assert await asyncio.gather(*(table.read() for _ in range(5))) == [0] * 5
        assert (await table.read(), table.reads) == (0, 1)

    run(check())


def test_what_was_changed_is_read_again(table: Table) -> None:
    async def check() -> None:
        await table.read()
        table.value = 1

        assert (await table.read(), table.reads) == (1, 2)

    run(check())


def test_a_read_from_before_a_change_answers_nobody_who_asks_after_it(table: Table) -> None:
    async def check() -> None:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(table.read())
            await table.is_read.wait()
            table.value = 1
            second = group.create_task(table.read())

        assert (first.result(), second.result(), await table.read()) == (0, 1, 1)

    run(check())


@pytest.mark.debian
def test_a_definition_that_another_server_changes_is_seen_by_the_next_read(
    two: tuple[PostgresDatabase, PostgresDatabase],
) -> None:
    mine, others = (DatabaseDefinitions(one, SystemClock()) for one in two)

    async def check() -> None:
        assert await mine.list("pipeline") == ()
        saved = await others.save("pipeline", "p", {"name": "deliver"}, author="ada")
        assert (await mine.get("pipeline", "p"), await mine.list("pipeline")) == (saved, (saved,))
        await others.delete("pipeline", "p", author="ada")
        assert (await mine.get("pipeline", "p"), await mine.list("pipeline")) == (None, ())

    run(check())


@pytest.mark.debian
@pytest.mark.parametrize("namespace", SELDOM_CHANGED)
def test_a_kept_document_that_another_server_changes_is_seen_by_the_next_read(
    two: tuple[PostgresDatabase, PostgresDatabase], namespace: str
) -> None:
    mine, others = (DatabaseDocuments(one, namespace) for one in two)

    async def check() -> None:
        assert await mine.get("k") is None
        for number in range(2):
            put = await others.put("k", {"n": number})
            assert await mine.get("k") == put
        await others.delete("k")
        assert await mine.get("k") is None

    run(check())


@pytest.mark.debian
def test_what_somebody_changes_by_hand_is_seen_by_the_next_read(
    two: tuple[PostgresDatabase, PostgresDatabase], postgres_url: str
) -> None:
    definitions = DatabaseDefinitions(two[0], SystemClock())

    async def check() -> None:
        saved = await definitions.save("pipeline", "p", {"name": "deliver"}, author="ada")
        assert await definitions.get("pipeline", "p") == saved
        with connect(postgres_url) as connection:
            connection.execute("""UPDATE definitions SET body = '{"name":"other"}'""")

        found = await definitions.get("pipeline", "p")

        assert found is not None
        assert found.body == {"name": "other"}

    run(check())
