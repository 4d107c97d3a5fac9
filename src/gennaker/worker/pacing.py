"""Pacing: when the engine comes near what it can do, new executions wait a little, so that running ones needn't.

Theory of operation. As long as steps become durable as fast as on an idle engine there is room. When half of the steps of
the last tenth of a second, those still under way included, took longer than `_TARGET_SECONDS` (or than three times what is
usual on this machine, if its disk is slow) they stand in a queue behind each other: then fewer new executions are let in a
second, until the queue has gone; while there is none and somebody waits, more. What is usual is learned from steps that were
alone from their beginning to their end: a queue must not pass for a slow disk, also where there is one from the start. So the
rate settles below the ceiling, and whoever submits waits instead of everybody who is running. Nobody is refused, and children
of running executions don't wait.
"""

import asyncio
import statistics
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger()

_TARGET_SECONDS = 0.003
_USUAL_FACTOR = 3.0
_FORGETTING = 1.01
"""How much slower what is usual may become in each window that has shown it."""
_WINDOW_SECONDS = 0.1
_FEW = 5
"""Steps in a window that say nothing about a queue."""
_FIRST_RATE = 50.0
_LOWEST_RATE, _HIGHEST_RATE = 4.0, 5_000.0
_MORE, _LESS = 1.15, 0.7
_AT_ONCE = 10.0
_SHORTEST_WAIT_SECONDS = 0.0005
"""What is left of a turn by rounding would be waited for in ever smaller pieces."""


class Pace:
    """How many new executions may come a second."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        """`now` is monotonic and for measuring only: nothing that is kept is decided by it."""
        self._now = now
        self._steps: list[float] = []
        self._alone: list[float] = []
        """Steps that no other has met."""
        self._under_way: dict[int, float] = {}
        self._met = 0
        """The last step that another was under way with."""
        self._number = 0
        self._since = self._filled = now()
        self._usual = self._taken = 0.0
        self._rate = _FIRST_RATE
        self._tokens = _AT_ONCE
        self._turn = asyncio.Lock()
        self._has_waited = False
        self._is_slowed = False

    @property
    def rate(self) -> float:
        """New executions a second, if so many want to come."""
        return self._rate

    def began(self) -> int:
        """A step begins; what this returns is given to `ended`."""
        if self._under_way:
            self._met = self._number + 1
        self._number += 1
        self._under_way[self._number] = self._now()
        return self._number

    def ended(self, number: int) -> None:
        """The step is durable, or was given up."""
        now = self._now()
        taken = now - self._under_way.pop(number)
        self._steps.append(taken)
        if number == self._number and number != self._met:
            self._alone.append(taken)
        self._look_if_due(now)

    async def turn(self) -> None:
        """Returns when one more execution may come."""
        async with self._turn:
            self._look_if_due(self._now())
            self._fill()
            while self._tokens < 1.0:
                self._has_waited = True
                await asyncio.sleep(max((1.0 - self._tokens) / self._rate, _SHORTEST_WAIT_SECONDS))
                self._look_if_due(self._now())
                self._fill()
            self._tokens -= 1.0

    def _fill(self) -> None:
        now = self._now()
        self._tokens = min(_AT_ONCE, self._tokens + (now - self._filled) * self._rate)
        self._filled = now

    def _look_if_due(self, now: float) -> None:
        if now - self._since < _WINDOW_SECONDS:
            return
        steps = [*self._steps, *(now - began for began in self._under_way.values())]
        self._steps, self._since = [], now
        taken, before = statistics.median(steps) if len(steps) >= _FEW else 0.0, self._taken
        self._taken = taken
        if taken > max(_TARGET_SECONDS, _USUAL_FACTOR * self._usual):
            if taken >= before:  # a queue that grows shorter needs time, not a lower rate
                self._rate = max(self._rate * _LESS, _LOWEST_RATE)
        elif self._has_waited or self._rate < _FIRST_RATE:
            self._rate = min(self._rate * _MORE, _HIGHEST_RATE)
        self._say(taken)
        self._has_waited = False
        if self._alone:
            quickest = min(self._alone)
            self._usual = min(quickest, self._usual * _FORGETTING) if self._usual else quickest
            self._alone = []

    def _say(self, taken: float) -> None:
        """Once when new executions begin to wait, and once when they no longer do."""
        if self._has_waited and not self._is_slowed:
            self._is_slowed = True
            log.warning("engine.busy", step_seconds=round(taken, 4), lets_in_a_second=round(self._rate))
        elif self._is_slowed and not self._has_waited and self._tokens > _AT_ONCE / 2:
            self._is_slowed = False
            log.info("engine.has_room", lets_in_a_second=round(self._rate))
