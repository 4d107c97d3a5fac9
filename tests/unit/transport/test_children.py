"""Children: nothing of one is left, however the waiting ends."""

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gennaker.transport import children
from gennaker.transport.children import Place
from gennaker.transport.processes import host_path

pytestmark = pytest.mark.slow

LONG = ("sh", "-c", "echo $$ > new; mv new pid; sleep 600 & wait")
NOT_SO_LONG_SECONDS = 120.0
"""What is waited for must be gone long before it would end by itself."""


def test_what_it_wrote_and_how_it_ended(tmp_path: Path) -> None:
    command = ("sh", "-c", "pwd; echo alas >&2; exit 3")

    ended = asyncio.run(children.run(command, place(tmp_path)))
    mixed = asyncio.run(children.run(command, place(tmp_path), errors=asyncio.subprocess.STDOUT))

    assert ended == children.Ended(status=3, output=f"{tmp_path}\n".encode(), errors=b"alas\n")
    assert (mixed.output, mixed.errors) == (f"{tmp_path}\nalas\n".encode(), b"")


@pytest.mark.parametrize("stream", ["", ">&2"])
def test_one_that_writes_too_much_is_gone(tmp_path: Path, stream: str) -> None:
    endless = ("sh", "-c", f"echo $$ > new; mv new pid; yes {stream}")

    with pytest.raises(children.TooMuchOutput):
        asyncio.run(children.run(endless, place(tmp_path), most_bytes=100_000))

    assert_gone(tmp_path)


def test_output_that_is_bounded_is_all_there(tmp_path: Path) -> None:
    command = ("sh", "-c", "echo all; echo alas >&2")

    ended = asyncio.run(children.run(command, place(tmp_path), most_bytes=5))

    assert ended == children.Ended(status=0, output=b"all\n", errors=b"alas\n")


def test_one_that_lasts_too_long_is_gone(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(children.run(LONG, place(tmp_path), seconds=0.5))

    assert_gone(tmp_path)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_one_that_nobody_waits_for_is_gone_however_often_it_is_cancelled(tmp_path: Path, times: int) -> None:
    asyncio.run(given_up(tmp_path, until=(tmp_path / "pid").exists, times=times))

    gc.collect()  # a child that nobody waited for would warn here
    assert_gone(tmp_path)


def test_one_that_is_given_up_while_it_begins_is_waited_for(tmp_path: Path) -> None:
    turns = iter([False, False, False, True])

    asyncio.run(given_up(tmp_path, until=lambda: next(turns), times=2))

    gc.collect()


async def given_up(folder: Path, *, until: Callable[[], bool], times: int) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(children.run(LONG, place(folder)))
        while not until():  # noqa: ASYNC110 - a file, or turns of the loop
            await asyncio.sleep(0)
        for _ in range(times):
            waiting.cancel()
            await asyncio.sleep(0)
        done, _ = await asyncio.wait((waiting,), timeout=NOT_SO_LONG_SECONDS)
        assert done, "it was left to end by itself"
    assert waiting.cancelled()


def test_a_program_that_isn_t_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(children.run((str(tmp_path / "missing"),), place(tmp_path)))


def place(folder: Path) -> Place:
    return Place(environment={"PATH": host_path()}, folder=folder)


def assert_gone(folder: Path) -> None:
    """The child, reaped; what it had started may take a moment to be so by its new parent."""
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)
