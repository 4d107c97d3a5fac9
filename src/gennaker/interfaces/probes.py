"""Probes: named points of the code at which a test may stop the process."""

from typing import Protocol


class Probe(Protocol):
    """Told whenever a named point is reached; in production it does nothing."""

    def reached(self, point: str) -> None:
        """E.g. `commit.before:TaskReported`, `effect.after:RunTask:createServerGroup`."""
        ...
