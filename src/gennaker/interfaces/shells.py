"""What a shell that is driven from outside this process needs of the store, beside the journal.

Its servers own executions together. What is in the outbox and nobody's is for it to learn of; what it has learned of is its own.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from gennaker.model.effect import PendingEffect
from gennaker.model.event import Event


class Parcel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event on its way through somebody else's hands: never larger than a message may be."""

    body: str
    references: str | None = None
    """Where in it large values belong, which lie in the store."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a shell finds of an execution."""

    pending: tuple[PendingEffect, ...] = ()
    """All that is asked for and not answered."""
    is_over: bool = False
    """It has ended, is unknown or belongs to somebody else: beyond this there is nothing to do."""


class ShellStore(Protocol):
    """The store as a shell sees it."""

    async def untold(self) -> Mapping[str, int]:
        """Executions of the shell or of nobody for which the outbox holds what no `look` has seen.

        With a number that grows with each such effect.
        """
        ...

    async def look(self, execution_id: str) -> Look:
        """The execution's outbox; makes the shell's what was nobody's. Repeating it gives the same."""
        ...

    async def find(self, key: str) -> PendingEffect | None:
        """The effect, if it is the shell's or for it; None: it was answered, is no longer wanted, or is somebody else's."""
        ...

    async def owned(self) -> tuple[str, ...]:
        """Executions for which the shell has something to do."""
        ...

    async def version(self, execution_id: str) -> int | None:
        """The execution's version in the store; None: there is no such execution."""
        ...

    async def pack(self, event: Event) -> Parcel:
        """Puts large values into the store, durably."""
        ...

    async def unpack(self, parcel: Parcel) -> Event:
        """The event with its large values."""
        ...
