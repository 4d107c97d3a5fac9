"""Virtual time: an event loop whose clock jumps to the next timer as soon as nothing else is left to do.

Seven days pass in the time that the work in them takes. `asyncio.sleep`, time-outs and the clock port all see the same
time. While a thread works for the loop or a socket is open, real time passes as well, so that real I/O still gets done.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

Returned = TypeVar("Returned")
_BEGINS = datetime(2026, 1, 5, 9, tzinfo=UTC)
_RESOLUTION_SECONDS = 1e-6
_REAL_WAIT_SECONDS = 0.05
_SELF_PIPE = 1
"""The loop's own wake-up pipe is always registered."""


class VirtualTime:
    """The time of one test, over all loops that it runs."""

    def __init__(self, begins: datetime = _BEGINS, *, in_one_thread: bool = False) -> None:
        """`in_one_thread`: the loop does at once what is meant for threads, so that all happens in the same order each time."""
        self._begins = begins
        self._in_one_thread = in_one_thread
        self._microseconds = 0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._microseconds / 1e6

    def pass_by(self, seconds: float) -> None:
        """Moves on, at least by a microsecond."""
        self._microseconds += max(1, round(seconds * 1e6 + 0.5))

    # The port Clock

    def now(self) -> datetime:
        return self._begins + timedelta(microseconds=self._microseconds)

    async def sleep_until(self, at: datetime) -> None:
        while (left := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - it waits for a time, not for an event
            await asyncio.sleep(left)

    def run(self, main: Coroutine[Any, Any, Returned]) -> Returned:
        """`asyncio.run` in virtual time."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self, in_one_thread=self._in_one_thread)) as runner:
            return runner.run(main)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, time: VirtualTime, *, in_one_thread: bool) -> None:
        self._virtual = time
        self._in_one_thread = in_one_thread
        self._in_threads = 0
        super().__init__(_Selector(time, lambda: self._in_threads > 0))
        # A nanosecond, which a loop adds to what is due now, is nothing beside half a year: it would wait for ever.
        self._clock_resolution = _RESOLUTION_SECONDS

    def time(self) -> float:
        return self._virtual.seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., Any], *args: object
    ) -> "asyncio.Future[Any]":
        if self._in_one_thread:
            return self._done(func, *args)
        self._in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._came_back)
        return future

    def _done(self, func: Callable[..., Any], *args: object) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it isn't swallowed: whoever awaits the future gets it
            future.set_exception(error)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:  # noqa: ANN401 - as asyncio has it
        self._in_threads += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._in_threads -= 1

    def _came_back(self, _: object) -> None:
        self._in_threads -= 1


class _Selector(selectors.DefaultSelector):
    def __init__(self, time: VirtualTime, has_threads: Callable[[], bool]) -> None:
        super().__init__()
        self._time = time
        self._has_threads = has_threads

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return self._polled(0)
        if self._has_threads() or len(self.get_map()) > _SELF_PIPE:
            real = _REAL_WAIT_SECONDS if timeout is None else min(timeout, _REAL_WAIT_SECONDS)
            ready = self._polled(real)
            if not ready:
                self._time.pass_by(real)
            return ready
        ready = self._polled(0)
        if ready:
            return ready
        if timeout is None:
            raise Stuck("Everything waits, and nothing will ever happen again.")
        self._time.pass_by(timeout)
        return []

    def _polled(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        found: list[tuple[selectors.SelectorKey, int]] = super().select(seconds)
        return found


class Stuck(Exception):
    """The test waits for what can't come."""
