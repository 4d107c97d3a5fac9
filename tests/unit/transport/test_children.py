"""Children: nothing of one is left, however the waiting ends."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import waiting

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


_AT_ONCE = (
    "import fcntl, os, time; fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20); os.write(1, bytes(1 << 20)); time.sleep(600)"
)
"""More in one go than a reader keeps: it stops reading, and so doesn't see the end, of which it hears by reading alone."""


def test_one_that_writes_too_much_at_once_is_gone() -> None:
    command = (sys.executable, "-I", "-S", "-c", _AT_ONCE)

    with pytest.raises(children.TooMuchOutput):
        asyncio.run(waiting.with_an_end(children.run(command, Place(environment={}), most_bytes=100_000), seconds=60))


def test_one_whose_output_somebody_else_has_is_given_up_all_the_same(tmp_path: Path) -> None:
    """A daemon that it has started, in a session of its own."""
    command = ("sh", "-c", "setsid sh -c 'echo $$ > new; mv new pid; exec sleep 600' & exec sleep 600")

    with pytest.raises(TimeoutError):
        asyncio.run(waiting.with_an_end(children.run(command, place(tmp_path), seconds=2), seconds=60))

    waiting.until_seen((tmp_path / "pid").exists, "the daemon")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


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
        running = group.create_task(children.run(LONG, place(folder)))
        await waiting.until(until, "the moment to give it up", pause_seconds=0)
        for _ in range(times):
            running.cancel()
            await asyncio.sleep(0)
        done, _ = await asyncio.wait((running,), timeout=NOT_SO_LONG_SECONDS)
        assert done, "it was left to end by itself"
    assert running.cancelled()


def test_a_program_that_isn_t_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(children.run((str(tmp_path / "missing"),), place(tmp_path)))


def place(folder: Path) -> Place:
    return Place(environment={"PATH": host_path()}, folder=folder)


def assert_gone(folder: Path) -> None:
    """The child, reaped; what it had started may take a moment to be so by its new parent."""
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)
