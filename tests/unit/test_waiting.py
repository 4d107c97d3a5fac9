"""Waiting with an end: what doesn't come fails the test that waits for it, with the place at which it waits."""

import asyncio
import threading

import pytest
from tests import waiting


@pytest.fixture
def _soon_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "IN_VAIN_SECONDS", 0.02)


async def _hangs_somewhere() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_hangs(), name="below")


async def _hangs() -> None:
    await asyncio.Event().wait()


def test_what_hangs_is_cut_off_and_its_places_are_said() -> None:
    with pytest.raises(
        AssertionError, match=r"not over after 0.02 s; [^$]*\nbelow: _hangs \(.*test_waiting\.py:\d+\) > Event\.wait"
    ):
        asyncio.run(waiting.with_an_end(_hangs_somewhere(), seconds=0.02))


def test_what_ends_by_itself_returns_and_raises_its_own() -> None:
    async def ends(error: Exception | None) -> str:
        if error is not None:
            raise error
        return "done"

    assert asyncio.run(waiting.with_an_end(ends(None))) == "done"
    with pytest.raises(TimeoutError, match="its own"):
        asyncio.run(waiting.with_an_end(ends(TimeoutError("its own"))))


def test_what_is_cancelled_by_others_is_cancelled() -> None:
    async def main() -> bool:
        running = asyncio.ensure_future(waiting.with_an_end(_hangs()))  # noqa: TID251 - awaited below
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait((running,))
        return running.cancelled()

    assert asyncio.run(main())


@pytest.mark.usefixtures("_soon_in_vain")
def test_what_never_comes_is_named() -> None:
    with pytest.raises(AssertionError, match="waited in vain: a miracle"):
        asyncio.run(waiting.until(lambda: False, "a miracle", pause_seconds=0))
    with pytest.raises(AssertionError, match="waited in vain: a miracle"):
        waiting.until_seen(lambda: False, "a miracle", pause_seconds=0)
    with pytest.raises(AssertionError, match="waited in vain for 2: it is 1"):
        waiting.until_equal(lambda: 1, 2, pause_seconds=0)


@pytest.mark.usefixtures("_soon_in_vain")
def test_a_thread_that_does_not_end_is_named() -> None:
    may_end = threading.Event()
    endless = threading.Thread(target=may_end.wait, args=(60,), name="endless", daemon=True)
    endless.start()

    with pytest.raises(AssertionError, match="endless doesn't end"):
        waiting.joined(endless)

    may_end.set()


def test_what_comes_is_returned() -> None:
    answers = iter(["", "", "here"])

    async def look() -> str:
        return next(answers)

    assert asyncio.run(waiting.until_found(look, "an answer", pause_seconds=0)) == "here"


def test_what_becomes_as_it_is_wanted_is_waited_for() -> None:
    sizes = iter([3, 1, 2, 4])

    waiting.until_equal(lambda: next(sizes), 2, pause_seconds=0)

    assert next(sizes) == 4
