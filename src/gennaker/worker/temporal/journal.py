"""The journal as this shell's servers write it: what a workflow doesn't learn from the answer to its own step is handed over."""

from msgspec.structs import replace

from gennaker.interfaces.journal import Commit, Journal, RecordedEvent
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import Deliver, PendingEffect
from gennaker.model.execution import Execution
from gennaker.model.queue import Queue


class HandingJournal:
    """Another journal, but for the commits."""

    def __init__(self, journal: Journal) -> None:
        """The one that writes."""
        self._journal = journal

    async def commit(self, commit: Commit) -> None:
        """Effects of new executions, and what is told to others, are nobody's until somebody has looked (relay.py)."""
        new = {change.head.id for change in commit.executions if change.expected_version == 0}
        own: list[PendingEffect] = []
        handed_over = list(commit.handed_over)
        for pending in commit.effects:
            match pending.effect:
                case Deliver(execution_id=target):
                    handed_over.append(replace(pending, execution_id=target))
                case _ if pending.execution_id in new:
                    handed_over.append(pending)
                case _:
                    own.append(pending)
        await self._journal.commit(replace(commit, effects=tuple(own), handed_over=tuple(handed_over)))

    async def load(self, execution_id: str) -> Execution | None:
        """As the other's."""
        return await self._journal.load(execution_id)

    async def load_queue(self, key: str) -> Queue:
        """As the other's."""
        return await self._journal.load_queue(key)

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        """As the other's."""
        return await self._journal.events(execution_id, after=after)

    async def engine_versions(self, execution_id: str) -> tuple[str, ...]:
        """As the other's."""
        return await self._journal.engine_versions(execution_id)

    async def delete(self, execution_id: str, audit: tuple[AuditEntry, ...]) -> None:
        """As the other's."""
        await self._journal.delete(execution_id, audit)

    async def pending(self) -> tuple[PendingEffect, ...]:
        """As the other's."""
        return await self._journal.pending()

    async def pending_of(self, execution_id: str) -> tuple[PendingEffect, ...]:
        """As the other's."""
        return await self._journal.pending_of(execution_id)

    async def raise_tries(self, key: str) -> int:
        """As the other's."""
        return await self._journal.raise_tries(key)
