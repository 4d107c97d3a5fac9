"""Shells: what drives the engine. The embedded loop (loop.py) does it in this process; others let a system outside do it.

Whatever the shell, `advance` and `admit` decide, `Stepper` makes their steps durable and `Performer` performs: a shell only
sees to it that every event reaches its step and that every effect is performed, when it is due.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

import msgspec

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.executions import Updates
from gennaker.interfaces.inspection import Workforce
from gennaker.interfaces.journal import Journal
from gennaker.interfaces.probes import Probe
from gennaker.interfaces.servers import Servers
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import PendingEffect
from gennaker.model.event import Event
from gennaker.worker.announcing import Announcer
from gennaker.worker.performing import Performer
from gennaker.worker.stepping import Applied, Stepper

Result = TypeVar("Result")


class Shell(Protocol):
    """Keeps all executions of the store moving."""

    @property
    def is_ready(self) -> bool:
        """Everything that was unfinished is taken up again."""
        ...

    async def ready(self) -> None:
        """Returns when it is."""
        ...

    async def run(self) -> None:
        """Works until cancelled. Raises what the store raises when it can't go on."""
        ...

    async def apply(
        self, execution_id: str, event: Event, *, done_key: str = "", audit: tuple[AuditEntry, ...] = ()
    ) -> Applied:
        """Applies an event durably and sees to the effects that follow.

        Raises Refused(404) if there is no such execution, OwnedElsewhere where only its owner may apply it.
        """
        ...

    async def to_the_end(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Does the work to its end, even if the caller is cancelled meanwhile; returns or raises what it does."""
        ...

    def take(self, effects: Iterable[PendingEffect], dropped: Iterable[str] = ()) -> None:
        """Performs effects that are durable in the outbox; forgets those that no longer are."""
        ...

    def workforce(self) -> Workforce:
        """What is being performed now, for whoever asks why something takes so long."""
        ...


class ShellParts(msgspec.Struct, frozen=True, kw_only=True):
    """What every shell works with."""

    stepper: Stepper
    performer: Performer
    announcer: Announcer
    journal: Journal
    clock: Clock
    updates: Updates
    probe: Probe
    servers: Servers
    concurrent: int
    """How many effects are performed at the same time."""
