"""Statuses of executions, stages and tasks, with the properties that the engine decides by.

Source: Orca's ExecutionStatus. STOPPED counts as successful and as a failure at once: the branch stops, the
execution isn't failed by it.
"""

from enum import StrEnum


class Status(StrEnum):
    """The status of an execution, a stage or a task; the values are API."""

    NOT_STARTED = "NOT_STARTED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SUSPENDED = "SUSPENDED"
    BUFFERED = "BUFFERED"
    REDIRECT = "REDIRECT"
    """Of a task's result only: go back to the start of the loop."""
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED_CONTINUE = "FAILED_CONTINUE"
    TERMINAL = "TERMINAL"
    CANCELED = "CANCELED"
    STOPPED = "STOPPED"

    @property
    def is_complete(self) -> bool:
        """Nothing more happens unless someone restarts."""
        return self in _COMPLETE

    @property
    def is_halt(self) -> bool:
        """Nothing downstream starts."""
        return self in _HALT

    @property
    def is_successful(self) -> bool:
        """Orca's sense of success; STOPPED included."""
        return self in _SUCCESSFUL

    @property
    def is_failure(self) -> bool:
        """Orca's sense of failure; STOPPED and FAILED_CONTINUE included."""
        return self in _FAILURE

    @property
    def satisfies_downstream(self) -> bool:
        """A stage that requires one with this status may start."""
        return self in _SATISFIES


_COMPLETE = frozenset(
    {
        Status.SUCCEEDED,
        Status.SKIPPED,
        Status.FAILED_CONTINUE,
        Status.TERMINAL,
        Status.CANCELED,
        Status.STOPPED,
    }
)
_HALT = frozenset({Status.TERMINAL, Status.CANCELED, Status.STOPPED})
_SUCCESSFUL = frozenset({Status.SUCCEEDED, Status.SKIPPED, Status.STOPPED})
_FAILURE = frozenset({Status.FAILED_CONTINUE, Status.TERMINAL, Status.STOPPED})
_SATISFIES = frozenset({Status.SUCCEEDED, Status.FAILED_CONTINUE, Status.SKIPPED})
UNFINISHED = tuple(status for status in Status if not status.is_complete)
"""Of executions that still go on, or will."""
