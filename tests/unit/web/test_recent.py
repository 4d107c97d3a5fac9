"""Recent answers: asked once for many, and again when nobody has answered."""

import asyncio
from datetime import timedelta

from tests.harness import Harness

from gennaker.web.recent import Recent


def test_whoever_comes_meanwhile_waits_for_the_same_answer_and_asks_if_there_is_none() -> None:
    harness = Harness()
    recent = Recent[int](harness.time)
    asked: list[int] = []

    async def ask() -> tuple[int, timedelta]:
        asked.append(len(asked))
        await asyncio.sleep(1)
        return len(asked), timedelta(seconds=10)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(recent.of("a", ask))
            others = [group.create_task(recent.of("a", ask)) for _ in range(3)]
            await asyncio.sleep(0.5)
            first.cancel()  # its request has gone away
        assert [one.result() for one in others] == [2, 2, 2]

    harness.time.run(main())
    assert asked == [0, 1]


def test_what_is_to_last_no_time_is_asked_for_each_time() -> None:
    harness = Harness()
    recent = Recent[int](harness.time)
    asked: list[str] = []

    async def ask() -> tuple[int, timedelta]:
        asked.append("again")
        return len(asked), timedelta()

    async def main() -> None:
        assert [await recent.of("a", ask) for _ in range(2)] == [1, 2]

    harness.time.run(main())


def test_those_who_wait_for_an_answer_that_is_not_kept_get_it_without_asking_themselves() -> None:
    harness = Harness()
    recent = Recent[int](harness.time)
    asked: list[str] = []

    async def ask() -> tuple[int, timedelta]:
        asked.append("again")
        await asyncio.sleep(1)
        return len(asked), timedelta()

    async def main() -> None:
        assert await asyncio.gather(*(recent.of("a", ask) for _ in range(4))) == [1] * 4
        assert await recent.of("a", ask) == 2

    harness.time.run(main())


def test_where_one_fails_the_next_asks_for_all_others() -> None:
    harness = Harness()
    recent = Recent[int](harness.time)
    asked: list[str] = []

    async def ask() -> tuple[int, timedelta]:
        asked.append("again")
        await asyncio.sleep(1)
        if len(asked) == 1:
            raise OSError
        return len(asked), timedelta()

    async def main() -> None:
        first, *others = await asyncio.gather(*(recent.of("a", ask) for _ in range(4)), return_exceptions=True)
        assert isinstance(first, OSError)
        assert others == [2] * 3

    harness.time.run(main())


def test_only_so_many_are_kept() -> None:
    harness = Harness()
    recent = Recent[str](harness.time)
    asked: list[str] = []

    async def of(key: str) -> None:
        async def ask() -> tuple[str, timedelta]:
            asked.append(key)
            return key, timedelta(hours=1)

        await recent.of(key, ask)

    async def main() -> None:
        for number in range(101):
            await of(str(number))
        await of("100")
        await of("0")

    harness.time.run(main())
    assert asked[100:] == ["100", "0"]
