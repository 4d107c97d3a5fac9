"""Kept answers: read once, forgotten by every write, and never older than a write that was answered."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gennaker.store import kept
from gennaker.store.database import Database
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.kept import Kept
from gennaker.worker.clock import SystemClock


class Table:
    """A row that takes its time to be read and written."""

    def __init__(self) -> None:
        self.value = 0
        self.reads = 0
        self.kept = Kept()

    async def look(self) -> tuple[int, int]:
        self.reads += 1
        value = self.value
        await asyncio.sleep(0)
        return value, 1

    async def read(self) -> int:
        return await self.kept.read("value", self.look)

    async def write(self, value: int, *, turns: int = 2) -> None:
        with self.kept.writing():
            for _ in range(turns):
                await asyncio.sleep(0)
            self.value = value
            await asyncio.sleep(0)


@pytest.fixture
def table() -> Table:
    return Table()


def run(check: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(check())


def test_what_nobody_changes_is_read_once(table: Table) -> None:
    async def check() -> None:
        assert [await table.read() for _ in range(3)] == [0, 0, 0]
        assert table.reads == 1

    run(check)


def test_many_who_ask_at_once_share_one_read(table: Table) -> None:
    async def check() -> None:
        assert await asyncio.gather(*(table.read() for _ in range(5))) == [0] * 5
        assert table.reads == 1

    run(check)


def test_who_gives_up_while_reading_takes_the_answer_from_nobody(table: Table) -> None:
    async def check() -> None:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(table.read()), group.create_task(table.read())
            await asyncio.sleep(0)
            first.cancel()

        assert first.cancelled()
        assert (second.result(), await table.read(), table.reads) == (0, 0, 2)

    run(check)


def test_who_asks_after_a_write_does_not_share_a_read_from_before_it(table: Table) -> None:
    async def check() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(table.read())
            await asyncio.sleep(0)
            await table.write(1, turns=0)

            assert await table.read() == 1

    run(check)


def test_a_read_that_fails_is_made_again_for_who_waits() -> None:
    tries: list[int] = []

    async def look() -> tuple[str, int]:
        tries.append(len(tries))
        await asyncio.sleep(0)
        if len(tries) == 1:
            raise OSError("the disk is gone")
        return "found", 1

    async def check() -> None:
        answers = Kept()
        first, second = await asyncio.gather(*(answers.read("it", look) for _ in range(2)), return_exceptions=True)
        assert (str(first), second) == ("the disk is gone", "found")

    run(check)


def test_a_write_is_seen_by_the_next_read(table: Table) -> None:
    async def check() -> None:
        await table.read()
        await table.write(1)

        assert await table.read() == 1

    run(check)


@pytest.mark.parametrize("turns", range(5))
@pytest.mark.parametrize("later", range(5))
def test_a_read_beside_a_write_is_not_kept_for_later(table: Table, turns: int, later: int) -> None:
    async def read_later() -> None:
        for _ in range(later):
            await asyncio.sleep(0)
        await table.read()

    async def check() -> None:
        await asyncio.gather(table.write(1, turns=turns), read_later())

        assert await table.read() == 1

    run(check)


def test_after_a_write_that_was_given_up_nothing_is_kept_until_another_has_ended(table: Table) -> None:
    async def give_up() -> None:
        with table.kept.writing():
            raise asyncio.CancelledError

    async def check() -> None:
        with pytest.raises(asyncio.CancelledError):
            await give_up()
        assert await table.read() == 0

        table.value = 1  # it was made all the same

        assert await table.read() == 1
        await table.write(2)
        await table.read()
        reads = table.reads
        assert (await table.read(), table.reads) == (2, reads)

    run(check)


def test_a_write_from_before_the_one_given_up_says_nothing_about_that(table: Table) -> None:
    async def give_up() -> None:
        with table.kept.writing():
            raise asyncio.CancelledError

    async def check() -> None:
        with table.kept.writing(), pytest.raises(asyncio.CancelledError):
            await give_up()
        await table.read()
        table.value = 1

        assert await table.read() == 1

    run(check)


def test_large_answers_are_not_kept_and_old_ones_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_KEPT_CHARACTERS", 10)
    sizes = {"a": 4, "b": 4, "c": 4, "large": 11}
    reads: list[str] = []

    async def check() -> None:
        answers = Kept()

        async def read(name: str) -> None:
            async def look() -> tuple[str, int]:
                reads.append(name)
                return name, sizes[name]

            assert await answers.read(name, look) == name

        for name in ("a", "b", "a", "large", "large", "c", "a", "b"):
            await read(name)

    run(check)
    assert reads == ["a", "b", "large", "large", "c", "b"]


def test_definitions_are_read_once_from_a_database_that_nobody_else_writes(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    definitions = DatabaseDefinitions(database, SystemClock())

    async def check() -> None:
        saved = await definitions.save("pipeline", "p", {"name": "deliver"}, author="ada")
        assert await definitions.list("pipeline") == (saved,)
        assert await definitions.get("pipeline", "q") is None
        reading, database.read = database.read, None  # type: ignore[method-assign,assignment] # to be caught reading
        assert await definitions.list("pipeline") == (saved,)
        assert await definitions.get("pipeline", "q") is None

        database.read = reading  # type: ignore[method-assign] # as it was
        again = await definitions.save("pipeline", "p", {"name": "deliver again"}, author="ada")
        assert await definitions.list("pipeline") == (again,)

    run(check)
    database.close()
