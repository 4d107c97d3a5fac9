"""Announcing: tells the rest of the house what has happened to an execution. Nothing in the engine waits for it."""

from collections.abc import Awaitable, Callable

import structlog

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.journal import Commit, Journal
from gennaker.interfaces.probes import Probe
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.effect import Announce
from gennaker.model.execution import Execution

log = structlog.get_logger()

Announced = Callable[[Execution, Announce], Awaitable[None]]
"""Told about an Announce effect; may be told twice."""


class Announcer:
    """Performs Announce effects."""

    def __init__(self, announced: Announced, *, journal: Journal, clock: Clock, probe: Probe) -> None:
        """`announced` is who listens."""
        self._announced = announced
        self._journal = journal
        self._clock = clock
        self._probe = probe

    async def announce(self, announce: Announce, execution: Execution) -> None:
        """Tells, then removes the effect from the outbox."""
        self._probe.reached(f"effect.before:Announce:{announce.moment}")
        audit: tuple[AuditEntry, ...] = ()
        try:
            await self._announced(execution, announce)
        except StoreUnusable:
            raise
        except Exception as error:  # a fault of who listens must not stop everybody's executions
            log.exception("announcement.failed", key=announce.key)
            details: JsonObject = {"moment": announce.moment, "problem": f"{type(error).__name__}: {error}"}
            subject = f"execution:{execution.head.id}"
            at = self._clock.now()
            audit = (
                AuditEntry(at=at, actor="gennaker", action="announcement.failed", subject=subject, details=details),
            )
        self._probe.reached(f"effect.after:Announce:{announce.moment}")
        self._probe.reached("commit.before:Announced")
        await self._journal.commit(Commit(dropped_effects=(announce.key,), audit=audit))
        self._probe.reached("commit.after:Announced")
