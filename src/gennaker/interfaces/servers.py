"""Servers: those that share a store, as one of them sees them.

Each server has a lease with a fence, a number that is never given again. What it owns (executions, effects, leases of
services) points to its fence, and it commits only while its lease stands. What a server that has gone owned is up for taking.
"""

from collections.abc import Mapping
from typing import Protocol

from gennaker.model.effect import PendingEffect


class Servers(Protocol):
    """This server's place among those that share its store."""

    @property
    def is_alone(self) -> bool:
        """No other server can use the store: everything is this server's from the start."""
        ...

    async def take(self) -> tuple[PendingEffect, ...]:
        """Effects that are this server's from now on, those that are due first; empty: there are none (any more).

        Nobody performs them, but somebody may have begun to.
        """
        ...

    async def hand_over(self, pending: PendingEffect) -> None:
        """Puts an effect into the outbox, or in the place of the one with its key, for whoever owns its execution."""
        ...

    async def is_pending(self, key: str) -> bool:
        """Whether the outbox holds the effect."""
        ...

    async def elsewhere(self) -> Mapping[str, str]:
        """Keys of effects that other living servers have, and those servers' names."""
        ...

    async def hold(self, lease: str) -> bool:
        """Whether this server has the lease of this name, from now on until its own ends."""
        ...

    async def may_begin(self) -> None:
        """Returns while this server's lease stands by its own clock; waits for its extension otherwise."""
        ...

    async def woken(self) -> None:
        """Returns when there may be something to take, and now and then."""
        ...

    async def keep(self) -> None:
        """Extends this server's lease and ends those that weren't extended, until cancelled.

        Raises StoreUnusable if this server's own was ended by others.
        """
        ...
