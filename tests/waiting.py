"""Waiting with an end: a test that waits for what doesn't come fails, and says where and for what, instead of holding up the run."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import FrameType
from typing import Any, TypeVar

Returned = TypeVar("Returned")
IN_VAIN_SECONDS = 900.0
"""Of the machine's time, for one wait of the many that a test may have: the longest whole test takes four minutes where it is quiet, and a
test that hangs otherwise is cut off later (pyproject: `faulthandler_timeout`)."""
_PAUSE_SECONDS = 0.01
_SHOWN_FRAMES = 4
_SHOWN_TASKS = 30


async def until(holds: Callable[[], object], what: str, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
    """Returns once it holds. The limit is in the machine's time, also where the test's own is virtual and costs nothing."""

    async def look() -> object:
        return holds()

    await until_found(look, what, pause_seconds=pause_seconds)


async def until_found(
    look: Callable[[], Awaitable[Returned]], what: str, *, pause_seconds: float = _PAUSE_SECONDS
) -> Returned:
    """The first answer that isn't false or empty."""
    ends = time.monotonic() + IN_VAIN_SECONDS
    while not (found := await look()):
        assert time.monotonic() < ends, f"waited in vain: {what}"
        await asyncio.sleep(pause_seconds)
    return found


def until_seen(holds: Callable[[], object], what: str, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
    """The same for tests without a loop."""
    ends = time.monotonic() + IN_VAIN_SECONDS
    while not holds():
        assert time.monotonic() < ends, f"waited in vain: {what}"
        time.sleep(pause_seconds)  # noqa: TID251 - what is waited for is done by another thread or process


def until_equal(look: Callable[[], Returned], wanted: Returned, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
    """For what others (a cluster's controllers) make so a little later, or make otherwise for a moment."""
    ends = time.monotonic() + IN_VAIN_SECONDS
    while (found := look()) != wanted:
        assert time.monotonic() < ends, f"waited in vain for {wanted}: it is {found}"
        time.sleep(pause_seconds)  # noqa: TID251 - as above


def joined(thread: threading.Thread) -> None:
    """Returns when the thread has ended."""
    thread.join(IN_VAIN_SECONDS)
    assert not thread.is_alive(), f"{thread.name} doesn't end"


async def with_an_end(work: Coroutine[Any, Any, Returned], *, seconds: float = IN_VAIN_SECONDS) -> Returned:
    """What the work returns; cut off when it lasts too long, with the places at which its tasks stood then."""
    loop = asyncio.get_running_loop()
    stood: list[str] = []

    def cut_off() -> None:
        stood.extend(_places())
        limit.reschedule(loop.time())

    async with asyncio.timeout(None) as limit:
        cutting = loop.call_later(seconds, cut_off)
        try:
            return await work
        except BaseException as error:
            if stood:
                raise AssertionError(
                    "\n".join([f"not over after {seconds:g} s; its tasks stood at:", *stood])
                ) from error
            raise
        finally:
            cutting.cancel()


def _places() -> list[str]:
    """A line for each task: the last places on the way to where it waits."""
    return [
        f"{task.get_name()}: {' > '.join(map(_place, [*_frames(task.get_coro())][-_SHOWN_FRAMES:]))}"
        for task in list(asyncio.all_tasks())[:_SHOWN_TASKS]
    ]


def _frames(waiting: object) -> Iterator[FrameType]:
    """From the outermost coroutine to what it waits for; a task's own `get_stack` knows the first alone."""
    while waiting is not None:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            yield frame
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)


def _place(frame: FrameType) -> str:
    return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
