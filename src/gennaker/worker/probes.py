"""Probes: named points at which a test stops the process. In production nobody is told.

A test gives a file of points, one a line, `name` or `name#3` for the third time that it is reached. Each point is used
once: before the process dies the line is removed, so that the next process goes on past it.
"""

import os
import signal
from collections import Counter
from pathlib import Path


class SilentProbe:
    """Does nothing."""

    def reached(self, point: str) -> None:
        """Ignores the point."""


class KillingProbe:
    """Ends the process with SIGKILL at the points that a file names; writes all points seen to another."""

    def __init__(self, plan: Path, seen: Path) -> None:
        """`plan` holds the points to die at; `seen` gets a line for each point reached, for making plans."""
        self._plan = plan
        self._seen = seen.open("a", buffering=1)
        self._counts: Counter[str] = Counter()
        self._points = set(plan.read_text().split()) if plan.exists() else set()

    def reached(self, point: str) -> None:
        """Dies if the plan says so."""
        self._counts[point] += 1
        self._seen.write(f"{point}\n")
        for name in (point, f"{point}#{self._counts[point]}"):
            if name in self._points:
                self._points.discard(name)
                self._plan.write_text("\n".join(sorted(self._points)))
                os.kill(os.getpid(), signal.SIGKILL)
