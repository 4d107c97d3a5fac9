"""Stepping: one event into one execution, durably.

Theory of operation. Each execution has one lock; whoever holds it is the only one who moves that execution on. A step
folds `advance` over the event and over what follows from it without asking anybody: preparing that needs no I/O, and
the queue that the execution enters or leaves (`admit`). Everything is written in one transaction; only then are
effects handed out. What concerns another execution is a Deliver effect in the outbox: two executions are never locked
by one step, so nothing can deadlock. If the store says that somebody else was faster the memory is thrown away and the
step is made again from what is stored. Where servers share a store, memory holds what this server has committed last and
owns: an execution that was only read, or has ended, may be another's to change.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import msgspec

from gennaker.engine import admit, advance
from gennaker.engine.rules import Rules
from gennaker.interfaces.journal import Commit, Conflict, ExecutionChange, Journal, OwnedElsewhere, RecordedEvent
from gennaker.interfaces.probes import Probe
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.effect import Deliver, Effect, PendingEffect, TellQueue
from gennaker.model.event import Event
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem, Refused
from gennaker.model.queue import Queue
from gennaker.worker import auditing
from gennaker.worker.pacing import Pace

_FOLDED_AT_MOST = 64
"""Events in one transaction: one wide execution must not stall the others."""
_ATTEMPTS = 5
_ATTEMPTS_AMONG_SERVERS = 20
"""Tries of a step whose queue another server keeps changing."""

IsPending = Callable[[str], Awaitable[bool]]
VersionOf = Callable[[str], Awaitable[int | None]]
PrepareNow = Callable[[Effect, Execution], Awaitable[Event] | None]
"""Gives the preparing of an effect that needs no I/O, or None for all other effects."""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a step has done, after it is durable."""

    execution: Execution
    effects: tuple[PendingEffect, ...]
    """To be performed now, or when they are due."""
    dropped: tuple[str, ...]
    """Keys of effects that are no longer wanted."""
    ignored: str
    """Why the event itself changed nothing."""


class AlreadyAnswered(Exception):
    """The effect is no longer in the outbox: this answer was recorded, or isn't wanted any more."""

    def __init__(self, key: str) -> None:
        """Nothing was changed."""
        super().__init__(f"effect {key} is no longer wanted")


class Stepper:
    """Moves executions on, one at a time each."""

    def __init__(  # noqa: PLR0913 - given by name, in one place
        self,
        *,
        journal: Journal,
        rules: Rules,
        prepare_now: PrepareNow,
        probe: Probe,
        cached: int,
        is_shared: bool = False,
        is_pending: IsPending | None = None,
        version_of: VersionOf | None = None,
        pace: Pace | None = None,
    ) -> None:
        """`cached`: how many executions are kept in memory; `is_shared`: other servers write to the journal, too.

        `is_pending`: whether an effect is still wanted, where the same answer may come twice. None: it never does.
        `version_of`: the stored version, where any server may make an execution's next step. None: only its owner does.
        `pace` is told how long steps take.
        """
        self._is_pending = is_pending
        self._version_of = version_of
        self._pace = pace
        self._is_shared = is_shared
        self._attempts = _ATTEMPTS_AMONG_SERVERS if is_shared else _ATTEMPTS
        self._journal = journal
        self._rules = rules
        self._prepare_now = prepare_now
        self._probe = probe
        self._cached = cached
        self._cache: OrderedDict[str, Execution] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def at_hand(self, execution_id: str) -> Execution | None:
        """The execution as last committed, if it is certain without asking the store."""
        return self._cache.get(execution_id) if self._version_of is None else None

    async def load(self, execution_id: str) -> Execution | None:
        """The execution as last committed, from memory where it is there."""
        if execution_id in self._cache:
            await self._forget_if_older(execution_id)
        if execution_id in self._cache:
            self._cache.move_to_end(execution_id)
            return self._cache[execution_id]
        execution = await self._journal.load(execution_id)
        if execution is not None and execution_id not in self._cache and self._may_keep_what_it_reads:
            self._remember(execution)
        return self._cache.get(execution_id, execution)

    @property
    def _may_keep_what_it_reads(self) -> bool:
        return not self._is_shared or self._version_of is not None

    async def _forget_if_older(self, execution_id: str) -> None:
        if self._version_of is None:
            return
        stored = await self._version_of(execution_id)
        cached = self._cache.get(execution_id)
        if cached is not None and stored is not None and cached.head.version < stored:
            del self._cache[execution_id]

    async def accept(self, execution: Execution, commit: Commit) -> None:
        """Stores a new execution with this commit, and remembers it unless it has moved on already.

        Raises SubmissionExists, Conflict.
        """
        self._probe.reached("commit.before:Submitted")
        await self._journal.commit(commit)
        self._probe.reached("commit.after:Submitted")
        if execution.head.id not in self._cache:
            self._remember(execution)

    async def apply(
        self, execution_id: str, event: Event, *, done_key: str = "", audit: tuple[AuditEntry, ...] = ()
    ) -> Applied:
        """Applies an event; `done_key` is the effect that it answers, removed in the same transaction.

        Raises Refused(404) if there is no such execution, OwnedElsewhere if another server moves it on, AlreadyAnswered
        where the stepper was told how to ask.
        """
        async with self._lock(execution_id):
            for attempt in range(self._attempts):
                step = self._pace.began() if self._pace else 0
                try:
                    return await self._apply_once(execution_id, event, done_key, audit)
                except OwnedElsewhere:
                    self._cache.pop(execution_id, None)
                    raise
                except Conflict:
                    self._cache.pop(execution_id, None)
                    if attempt == self._attempts - 1:
                        raise
                finally:
                    if self._pace:
                        self._pace.ended(step)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _apply_once(
        self, execution_id: str, event: Event, done_key: str, audit: tuple[AuditEntry, ...]
    ) -> Applied:
        before = self.at_hand(execution_id) or await self.load(execution_id)
        if before is None:
            raise Refused(
                Problem(code="execution.unknown", message=f"There is no execution {execution_id}."), status=404
            )
        # After the state was read: what drops an effect raises the version, so this commit would be refused.
        if done_key and self._is_pending is not None and not await self._is_pending(done_key):
            raise AlreadyAnswered(done_key)
        fold = _Fold(before, rules=self._rules, prepare_now=self._prepare_now)
        locks: list[asyncio.Lock] = []
        try:
            await fold.run(event, lambda key: self._queue(key, locks))
            commit = fold.commit(done_key, audit)
            name = type(event).__name__
            self._probe.reached(f"commit.before:{name}")
            await self._journal.commit(commit)
            self._probe.reached(f"commit.after:{name}")
        finally:
            for lock in locks:
                lock.release()
        self._remember(fold.execution)
        return Applied(
            execution=fold.execution,
            effects=commit.effects,
            dropped=tuple(key for key in commit.dropped_effects if key != done_key),
            ignored=fold.ignored,
        )

    async def _queue(self, key: str, locks: list[asyncio.Lock]) -> Queue:
        lock = self._lock(key)
        await lock.acquire()
        locks.append(lock)
        return await self._journal.load_queue(key)

    def forget(self, execution_id: str) -> None:
        """It is no longer there."""
        self._cache.pop(execution_id, None)

    async def change_queue(self, key: str, change: Callable[[Queue], Queue]) -> Queue:
        """Changes a queue outside any execution (reserved numbers)."""
        async with self._lock(key):
            for attempt in range(self._attempts):
                before = await self._journal.load_queue(key)
                queue = msgspec.structs.replace(change(before), version=before.version + 1)
                try:
                    self._probe.reached("commit.before:QueueChanged")
                    await self._journal.commit(Commit(queues=(queue,)))
                    self._probe.reached("commit.after:QueueChanged")
                except Conflict:
                    if attempt == self._attempts - 1:
                        raise
                else:
                    return queue
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _lock(self, key: str) -> asyncio.Lock:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    def _remember(self, execution: Execution) -> None:
        if execution.head.status.is_complete and not self._may_keep_what_it_reads:
            self._cache.pop(execution.head.id, None)
            return
        self._cache[execution.head.id] = execution
        self._cache.move_to_end(execution.head.id)
        while len(self._cache) > self._cached:
            self._cache.popitem(last=False)


class _Fold:
    """One transaction in the making."""

    def __init__(self, before: Execution, *, rules: Rules, prepare_now: PrepareNow) -> None:
        self.execution = before
        self.ignored = ""
        self._before = before.head
        self._rules = rules
        self._prepare_now = prepare_now
        self._events: list[RecordedEvent] = []
        self._following: deque[Event] = deque()
        self._changed: dict[str, None] = {}
        self._removed: dict[str, None] = {}
        self._effects: dict[str, PendingEffect] = {}
        self._dropped: dict[str, None] = {}
        self._queues: dict[str, Queue] = {}
        self._audit: list[AuditEntry] = []

    async def run(self, event: Event, queue_of: Callable[[str], Awaitable[Queue]]) -> None:
        self._following.append(event)
        while self._following:
            is_first = not self._events
            ignored = self._advance(self._following.popleft())
            if is_first:
                self.ignored = ignored
            for key in list(self._effects):
                followed = await self._follow(self._effects[key], queue_of)
                if followed is not None:
                    del self._effects[key]
                    self._following.extend(followed)

    def _advance(self, event: Event) -> str:
        before = self.execution
        step = advance.advance(before, event, self._rules)
        self.execution = step.execution
        self._events.append(RecordedEvent(number=step.execution.head.version, event=event, ignored=step.ignored))
        for stage_id in step.changed:
            self._changed[stage_id] = None
            self._removed.pop(stage_id, None)
        for stage_id in step.removed:
            self._removed[stage_id] = None
            self._changed.pop(stage_id, None)
        for key in step.dropped:
            self._effects.pop(key, None)
            self._dropped[key] = None
        for pending in step.effects:
            self._effects[pending.effect.key] = pending
        self._audit.extend(auditing.entries(before, event, step))
        return step.ignored

    async def _follow(self, pending: PendingEffect, queue_of: Callable[[str], Awaitable[Queue]]) -> list[Event] | None:
        """Events that follow at once, or None where the effect must be performed outside."""
        if isinstance(pending.effect, TellQueue):
            return await self._tell(pending.effect, queue_of)
        if pending.due is not None or len(self._events) + len(self._following) >= _FOLDED_AT_MOST:
            return None
        prepared = self._prepare_now(pending.effect, self.execution)
        return None if prepared is None else [await prepared]

    async def _tell(self, tell: TellQueue, queue_of: Callable[[str], Awaitable[Queue]]) -> list[Event]:
        queue = self._queues.get(tell.queue) or await queue_of(tell.queue)
        step = admit.admit(queue, tell.event)
        version = queue.version if tell.queue in self._queues else queue.version + 1
        self._queues[tell.queue] = msgspec.structs.replace(step.queue, version=version)
        own: list[Event] = []
        for delivered in step.effects:
            match delivered.effect:
                case Deliver(execution_id=target, event=event) if target == self.execution.head.id:
                    own.append(event)
                case Deliver():
                    self._effects[delivered.effect.key] = delivered
                case other:
                    raise AssertionError(f"admit asked for {type(other).__name__}")
        return own

    def _with_refusal(self, audit: tuple[AuditEntry, ...]) -> tuple[AuditEntry, ...]:
        """A command that changed nothing is recorded as what it was: asked for, and refused."""
        if not self.ignored:
            return audit
        refused: JsonObject = {"refused": self.ignored}
        return tuple(msgspec.structs.replace(entry, details={**entry.details, **refused}) for entry in audit)

    def commit(self, done_key: str, audit: tuple[AuditEntry, ...]) -> Commit:
        if done_key and done_key not in self._effects:
            self._dropped[done_key] = None
        change = ExecutionChange(
            head=self.execution.head,
            expected_version=self._before.version,
            head_before=self._before,
            stages=tuple(self.execution.stages[stage_id] for stage_id in self._changed),
            removed_stages=tuple(self._removed),
            events=tuple(self._events),
        )
        return Commit(
            executions=(change,),
            queues=tuple(self._queues.values()),
            effects=tuple(self._effects.values()),
            dropped_effects=tuple(key for key in self._dropped if key not in self._effects),
            audit=(*self._with_refusal(audit), *self._audit),
        )
