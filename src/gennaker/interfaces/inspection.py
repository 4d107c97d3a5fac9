"""Inspection: what is known about an execution and everything that it waits for, at one moment.

Gathered by the worker, read by `engine/why.py`. Plain data, so that it can be made from a store without a server too.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from gennaker.interfaces.journal import RecordedEvent
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import Execution
from gennaker.model.queue import Queue


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """An effect that a worker has taken."""

    worker: str
    since: datetime | None = None
    """Since when it is performed; None: it waits until one of the worker's hands is free."""
    is_elsewhere: bool = False
    """Another server has it, of which nothing more is known here."""


class Workforce(msgspec.Struct, frozen=True, kw_only=True):
    """The worker that would perform."""

    name: str = ""
    """Empty: none runs."""
    is_ready: bool = True
    """False: it is still taking up what was unfinished when the one before ended."""
    at_work: Mapping[str, Work] = {}
    """What it has taken, by the effect's key."""
    hands: int = 0
    """How many effects it performs at the same time."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One execution."""

    execution: Execution
    outbox: tuple[PendingEffect, ...] = ()
    """What is asked for and hasn't been answered."""
    journal: tuple[RecordedEvent, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known."""

    at: datetime
    execution_id: str
    known: Mapping[str, Known]
    """The execution itself and all that it waits for, directly or through others."""
    queues: Mapping[str, Queue] = {}
    workforce: Workforce = Workforce()
