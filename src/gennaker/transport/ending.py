"""Ending: a process that was told to end, and hasn't, says what holds it, and is ended.

Whatever is durable is durable without an orderly end. So nobody has to wait for one for ever: a database that is reached but
doesn't answer holds a thread that nothing can cancel.
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CoroutineType, FrameType

import structlog

log = structlog.get_logger()

FAILED = 1
"""Exit status of a process that was ended so."""
_PLACES = 4
"""Of one stack: the innermost."""
_TASKS = 50
_TELLING_SECONDS = 1.0


class Ending:
    """The end of this process."""

    def __init__(self, *, seconds: float, telling_seconds: float = _TELLING_SECONDS) -> None:
        """Nobody waits for it yet; `telling_seconds`: how long saying what holds it may take."""
        self._seconds = seconds
        self._telling_seconds = telling_seconds
        self._is_over = threading.Event()
        self._telling: threading.Thread | None = None

    def begin(self) -> None:
        """From now on the process has so many seconds; calling it again changes nothing. On the loop."""
        if self._telling is None:
            # Both are made now: when it is late, there may be no place for another thread.
            loop = asyncio.get_running_loop()
            self._telling = threading.Thread(target=self._tell, args=(loop,), name="telling", daemon=True)
            self._telling.start()
            threading.Thread(target=self._end, args=(self._telling,), name="ending", daemon=True).start()

    def over(self) -> None:
        """What could have held it has been given back."""
        self._is_over.set()

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        """What goes wrong here Python prints, as of every thread."""
        if not self._is_over.wait(self._seconds):
            log.error("server.held", seconds=self._seconds, threads=_threads(), tasks=_tasks(loop))

    def _end(self, telling: threading.Thread) -> None:
        """By another thread: a log that nobody reads, on a pipe or a disk that stands still, holds the one that tells."""
        if not self._is_over.wait(self._seconds):
            telling.join(self._telling_seconds)
            os._exit(FAILED)


def _threads() -> dict[str, list[str]]:
    """What threads are at, but the one that asks."""
    frames = sys._current_frames()  # noqa: SLF001 - documented; there is no other way to other threads' stacks
    others = [one for one in threading.enumerate() if one is not threading.current_thread()]
    return {one.name: _places(traceback.walk_stack(frames.get(one.ident or 0))) for one in others}


def _tasks(loop: asyncio.AbstractEventLoop) -> dict[str, list[str]]:
    """What tasks wait for."""
    found = sorted(asyncio.all_tasks(loop), key=asyncio.Task.get_name)
    return {one.get_name(): _places(_awaited(one.get_coro())) for one in found[:_TASKS]}


def _awaited(coroutine: object) -> Iterator[tuple[FrameType, int]]:
    """From the innermost outward."""
    frames = []
    while isinstance(coroutine, CoroutineType) and coroutine.cr_frame is not None:
        frames.append((coroutine.cr_frame, coroutine.cr_frame.f_lineno))
        coroutine = coroutine.cr_await
    return reversed(frames)


def _places(frames: Iterator[tuple[FrameType, int]]) -> list[str]:
    found = [f"{Path(frame.f_code.co_filename).name}:{line} {frame.f_code.co_name}" for frame, line in frames]
    return found[:_PLACES]
