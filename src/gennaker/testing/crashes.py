"""Crashes: a process that dies at named points of the code, for tests of what is done again afterwards."""

from collections import Counter
from collections.abc import Iterable


class Killed(BaseException):
    """The process is dead: not an Exception, so that nothing in it can catch this and live on."""


class KillingProbe:
    """Kills at the named points, `point` or `point#3` for the third time; each point once."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._counts: Counter[str] = Counter()
        self._points: set[str] = set()

    def kill_at(self, points: Iterable[str]) -> None:
        self._points = set(points)
        self._counts.clear()

    def reached(self, point: str) -> None:
        self.seen.append(point)
        self._counts[point] += 1
        for name in (point, f"{point}#{self._counts[point]}"):
            if name in self._points:
                self._points.discard(name)
                raise Killed(name)
