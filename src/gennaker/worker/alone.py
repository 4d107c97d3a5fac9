"""Alone: the one server of a store that no other can open."""

import asyncio
from collections.abc import Mapping

from gennaker.interfaces.journal import Commit, Journal
from gennaker.model.effect import PendingEffect


class Alone:
    """Owns everything from the start."""

    def __init__(self, journal: Journal) -> None:
        """The store's journal."""
        self._journal = journal

    @property
    def is_alone(self) -> bool:
        """It is."""
        return True

    async def take(self) -> tuple[PendingEffect, ...]:
        """The whole outbox."""
        return await self._journal.pending()

    async def hand_over(self, pending: PendingEffect) -> None:
        """Into the outbox, where the next start finds it."""
        await self._journal.commit(Commit(effects=(pending,)))

    async def is_pending(self, key: str) -> bool:
        """Looks through the outbox."""
        return any(pending.effect.key == key for pending in await self._journal.pending())

    async def elsewhere(self) -> Mapping[str, str]:
        """There is no other server."""
        return {}

    async def hold(self, lease: str) -> bool:
        """Nobody else wants it."""
        return True

    async def may_begin(self) -> None:
        """Always."""

    async def woken(self) -> None:
        """Nobody wakes it: what comes into the outbox comes from itself."""
        await asyncio.get_running_loop().create_future()

    async def keep(self) -> None:
        """There is nothing to extend."""
        await asyncio.get_running_loop().create_future()
