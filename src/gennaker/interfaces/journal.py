"""The journal: executions, queues and the outbox, changed together or not at all."""

from typing import Protocol

import msgspec

from gennaker.model.audit import AuditEntry
from gennaker.model.effect import PendingEffect
from gennaker.model.event import Event
from gennaker.model.execution import Execution, Head, Stage
from gennaker.model.queue import Queue


class RecordedEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An event of an execution's journal."""

    number: int
    """1, 2, 3 … within the execution; the head's `version` after it."""
    event: Event
    ignored: str = ""
    """Why the event changed nothing."""


class ExecutionChange(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one transaction does to one execution."""

    head: Head
    expected_version: int
    """Version in the store before; 0: it is new."""
    head_before: Head | None = None
    """The head that is stored, as the very object that was committed or loaded; None: not known.
    What of it is the same object in `head` needn't be written again."""
    stages: tuple[Stage, ...] = ()
    """Changed and new ones."""
    removed_stages: tuple[str, ...] = ()
    events: tuple[RecordedEvent, ...] = ()
    submission_key: str = ""
    """With a new execution: its unique key, if it has one."""


class Commit(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One transaction."""

    executions: tuple[ExecutionChange, ...] = ()
    queues: tuple[Queue, ...] = ()
    """New states; each one's version is one above the stored one's."""
    effects: tuple[PendingEffect, ...] = ()
    """New rows of the outbox; a row with the same key is replaced."""
    handed_over: tuple[PendingEffect, ...] = ()
    """As `effects`, for whoever owns their executions: nobody has taken these yet."""
    dropped_effects: tuple[str, ...] = ()
    """Keys of rows to remove; a key that isn't there is no error."""
    audit: tuple[AuditEntry, ...] = ()


class Conflict(Exception):
    """The commit was not made: an execution or queue is at another version than expected, or a key is taken."""


class SubmissionExists(Conflict):
    """The submission key was used before."""

    def __init__(self, key: str, execution_id: str) -> None:
        """`execution_id` is the one that has the key."""
        super().__init__(f"submission {key!r} started execution {execution_id}")
        self.execution_id = execution_id


class OwnedElsewhere(Conflict):
    """Another server owns the execution: only that one moves it on."""

    def __init__(self, execution_id: str) -> None:
        """Nothing was changed, and nothing will be by trying again."""
        super().__init__(f"another server owns execution {execution_id}")
        self.execution_id = execution_id


class Journal(Protocol):
    """Durable state. A commit that has returned survives a power cut."""

    async def commit(self, commit: Commit) -> None:
        """Writes all of it or nothing. Raises Conflict."""
        ...

    async def load(self, execution_id: str) -> Execution | None:
        """The execution as last committed."""
        ...

    async def load_queue(self, key: str) -> Queue:
        """The queue as last committed; an empty one of version 0 where there is none."""
        ...

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        """The execution's journal, in order."""
        ...

    async def engine_versions(self, execution_id: str) -> tuple[str, ...]:
        """Versions of the engine that have applied the execution's events, each once, in order."""
        ...

    async def delete(self, execution_id: str, audit: tuple[AuditEntry, ...]) -> None:
        """Forgets a complete execution, its stages and events, all of it or nothing.

        Raises Conflict where it isn't there, isn't over, or something of it is still to be done.
        """
        ...

    async def pending(self) -> tuple[PendingEffect, ...]:
        """The whole outbox, for recovery at start: those that are due first."""
        ...

    async def pending_of(self, execution_id: str) -> tuple[PendingEffect, ...]:
        """What the outbox holds of one execution, in the same order."""
        ...

    async def raise_tries(self, key: str) -> int:
        """Counts a repeat before it is made; returns the new count."""
        ...
