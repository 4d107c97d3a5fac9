"""Steps: what one event did to one execution or queue."""

import msgspec

from gennaker.model.effect import PendingEffect
from gennaker.model.execution import Execution
from gennaker.model.queue import Queue


class Step(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an event did to an execution."""

    execution: Execution
    """The new state; its version is one above the old one's, also when the event was ignored."""
    changed: tuple[str, ...] = ()
    """Ids of changed and new stages."""
    removed: tuple[str, ...] = ()
    """Ids of stages that no longer exist."""
    effects: tuple[PendingEffect, ...] = ()
    """New rows of the outbox; one with the key of an existing row replaces it."""
    dropped: tuple[str, ...] = ()
    """Keys of effects that are no longer wanted; there may be no row with such a key."""
    ignored: str = ""
    """Not empty: the event changed nothing, and why."""


class QueueStep(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an event did to a queue."""

    queue: Queue
    """The new state; its version is one above the old one's."""
    effects: tuple[PendingEffect, ...] = ()
    """Deliver effects: what the executions concerned are told."""
