"""Stepping: one event into one execution, durably.

Theory of operation. Whoever steps an execution is the only one who moves it on; other events of it stand in line meanwhile,
and the next step takes those that wait along, in their order. A step folds `advance` over its events and over what follows
from each without asking anybody: preparing that needs no I/O, and the queue that the execution enters or leaves (`admit`).
Everything is written in one transaction; only then are effects handed out. A step of several events that fails is made again
for each alone. What concerns another execution is a Deliver effect in the outbox: two executions are never locked by one
step, so nothing can deadlock. If the store says that somebody else was faster the memory is thrown away and the
step is made again from what is stored. Where servers share a store, memory holds what this server has committed last and
owns: an execution that was only read, or has ended, may be another's to change.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import msgspec

from gennaker.engine import admit, advance
from gennaker.engine.draft import Draft
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
from gennaker.worker.probes import SilentProbe

_FOLDED_AT_MOST = 64
"""Events in one transaction: one wide execution must not stall the others."""
_TOGETHER_AT_MOST = 32
"""Of those that waited while their execution was being moved on: each may bring about another."""
_FOLDED_SECONDS = 1.0
"""After that what follows is done in steps of its own: an execution whose expressions are dear must not stall the others."""
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
    effects: tuple[PendingEffect, ...] = ()
    """To be performed now, or when they are due."""
    dropped: tuple[str, ...] = ()
    """Keys of effects that are no longer wanted."""
    ignored: str
    """Why the event itself changed nothing."""


class _Asked(msgspec.Struct, kw_only=True):
    """An event that is to be applied."""

    event: Event
    done_key: str
    audit: tuple[AuditEntry, ...]
    turn: "asyncio.Future[Applied | None] | None" = None
    """Of one that waits."""
    is_alone: bool = False
    """It was part of a step that failed, perhaps for another's sake."""


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
        self._is_watched = not isinstance(probe, SilentProbe)  # spares each step the making of names
        self._cached = cached
        self._cache: OrderedDict[str, Execution] = OrderedDict()
        self._lines: dict[str, deque[_Asked]] = {}
        """Events that wait for an execution, while a step moves it on."""
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
        asked = _Asked(event=event, done_key=done_key, audit=audit)
        line = self._lines.get(execution_id)
        if line is None:
            line = self._lines[execution_id] = deque()
        else:
            applied = await self._in_line(execution_id, line, asked)
            if applied is not None:
                return applied
        try:
            return (
                await self._lead(execution_id, line, asked) if line else (await self._tried(execution_id, [asked]))[0]
            )
        finally:
            self._call_next(execution_id, line)

    async def _in_line(self, execution_id: str, line: "deque[_Asked]", asked: "_Asked") -> Applied | None:
        """Waits until another step has taken the event along, or, None, it is the next that may step."""
        turn: asyncio.Future[Applied | None] = asyncio.get_running_loop().create_future()
        asked.turn = turn
        line.append(asked)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None and turn.result() is None:
                self._call_next(execution_id, line)
            raise

    def _call_next(self, execution_id: str, line: "deque[_Asked]") -> None:
        while line:
            turn = line.popleft().turn
            if turn is not None and not turn.done():
                turn.set_result(None)
                return
        del self._lines[execution_id]

    async def _lead(self, execution_id: str, line: "deque[_Asked]", asked: "_Asked") -> Applied:
        others = self._taken_along(line, asked)
        if others:
            try:
                first, *following = await self._tried(execution_id, [asked, *others])
            except BaseException as error:
                for one in others:  # each by itself, and gets what is its own
                    one.is_alone = True
                line.extendleft(reversed(others))
                if not isinstance(error, Exception):
                    raise
            else:
                for one, applied in zip(others, following, strict=True):
                    if one.turn is not None and not one.turn.done():
                        one.turn.set_result(applied)
                return first
        return (await self._tried(execution_id, [asked]))[0]

    def _taken_along(self, line: "deque[_Asked]", asked: "_Asked") -> "list[_Asked]":
        """Those next in line that may be part of the same step."""
        others: list[_Asked] = []
        if asked.is_alone or self._is_pending is not None:
            return others
        while line and len(others) < _TOGETHER_AT_MOST - 1 and not line[0].is_alone:
            one = line.popleft()
            if one.turn is not None and not one.turn.done():
                others.append(one)
        return others

    async def _tried(self, execution_id: str, asked: "list[_Asked]") -> list[Applied]:
        for attempt in range(self._attempts):
            step = self._pace.began() if self._pace else 0
            try:
                return await self._apply_once(execution_id, asked)
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

    async def _apply_once(self, execution_id: str, asked: "list[_Asked]") -> list[Applied]:
        before = self.at_hand(execution_id) or await self.load(execution_id)
        if before is None:
            raise Refused(
                Problem(code="execution.unknown", message=f"There is no execution {execution_id}."), status=404
            )
        # After the state was read: what drops an effect raises the version, so this commit would be refused.
        if self._is_pending is not None:
            for one in asked:
                if one.done_key and not await self._is_pending(one.done_key):
                    raise AlreadyAnswered(one.done_key)
        locks: list[asyncio.Lock] = []
        fold = _Fold(
            before,
            rules=self._rules,
            prepare_now=self._prepare_now,
            queue_of=lambda key: self._queue(key, locks),
        )
        try:
            ignored: list[str] = []
            for one in asked:  # no comprehension, which would be a coroutine more
                ignored.append(await fold.run(one.event, one.done_key, one.audit))  # noqa: PERF401 - as said
            commit = fold.commit()
            self._reached("before", asked)
            await self._journal.commit(commit)
            self._reached("after", asked)
        finally:
            for lock in locks:
                lock.release()
        self._remember(fold.execution)
        dropped = tuple([key for key in commit.dropped_effects if key not in fold.done])
        # What follows is the first one's to take, of all of them: taking belongs to the commit.
        applied = [Applied(execution=fold.execution, effects=commit.effects, dropped=dropped, ignored=ignored[0])]
        if len(ignored) > 1:
            applied += [Applied(execution=fold.execution, ignored=why) for why in ignored[1:]]
        return applied

    def _reached(self, moment: str, asked: "list[_Asked]") -> None:
        if self._is_watched:
            for one in asked:
                self._probe.reached(f"commit.{moment}:{type(one.event).__name__}")

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

    def __init__(
        self,
        before: Execution,
        *,
        rules: Rules,
        prepare_now: PrepareNow,
        queue_of: Callable[[str], Awaitable[Queue]],
    ) -> None:
        self.execution = before
        self.done: set[str] = set()
        """Effects that are answered by it."""
        self._before = before.head
        self._rules = rules
        self._prepare_now = prepare_now
        self._queue_of = queue_of
        self._draft: Draft | None = None
        self._events: list[RecordedEvent] = []
        self._following: deque[Event] = deque()
        self._queues: dict[str, Queue] = {}
        self._audit: list[AuditEntry] = []
        self._clock = asyncio.get_running_loop().time
        self._until = self._clock() + _FOLDED_SECONDS

    async def run(self, event: Event, done_key: str, audit: tuple[AuditEntry, ...]) -> str:
        """The event and what follows from it at once; returns why the event itself was ignored, or nothing."""
        place = len(self._audit)
        draft, ignored = await self._run_one(event)
        while self._following:
            await self._run_one(self._following.popleft())
        if audit:
            self._audit[place:place] = _with_refusal(audit, ignored)
        if done_key:
            self.done.add(done_key)
            if not draft.wants(done_key):
                draft.drop(done_key)
        return ignored

    async def _run_one(self, event: Event) -> tuple[Draft, str]:
        draft, ignored = self._advance(event)
        for pending in draft.emitted():
            effect = pending.effect
            if isinstance(effect, TellQueue):
                followed = await self._tell(effect, draft)
            elif pending.due is not None or self._is_full():
                continue
            else:
                prepared = self._prepare_now(effect, self.execution)
                if prepared is None:
                    continue
                followed = [await prepared]
            draft.answered(effect.key)
            self._following.extend(followed)
        return draft, ignored

    def _is_full(self) -> bool:
        is_wide = len(self._events) + len(self._following) >= _FOLDED_AT_MOST
        return is_wide or self._clock() > self._until

    def _advance(self, event: Event) -> tuple[Draft, str]:
        before, draft = self.execution, self._draft
        if draft is None:
            draft = self._draft = Draft(before, at=event.at, rules=self._rules)
        else:
            draft.begin(event.at)
        ignored = advance.apply(draft, event)
        self.execution = after = draft.execution()
        self._events.append(RecordedEvent(number=after.head.version, event=event, ignored=ignored))
        self._audit += auditing.entries(before, event, after, is_ignored=bool(ignored))
        return draft, ignored

    async def _tell(self, tell: TellQueue, draft: Draft) -> list[Event]:
        queue = self._queues.get(tell.queue) or await self._queue_of(tell.queue)
        step = admit.admit(queue, tell.event)
        version = queue.version if tell.queue in self._queues else queue.version + 1
        self._queues[tell.queue] = msgspec.structs.replace(step.queue, version=version)
        own: list[Event] = []
        for delivered in step.effects:
            match delivered.effect:
                case Deliver(execution_id=target, event=event) if target == self.execution.head.id:
                    own.append(event)
                case Deliver():
                    draft.want(delivered)
                case other:
                    raise AssertionError(f"admit asked for {type(other).__name__}")
        return own

    def commit(self) -> Commit:
        assert self._draft is not None, "a step is made of events"
        step = self._draft.step()
        stages = step.execution.stages
        change = ExecutionChange(
            head=step.execution.head,
            expected_version=self._before.version,
            head_before=self._before,
            stages=tuple([stages[stage_id] for stage_id in step.changed]),
            removed_stages=step.removed,
            events=tuple(self._events),
        )
        return Commit(
            executions=(change,),
            queues=tuple(self._queues.values()),
            effects=step.effects,
            dropped_effects=step.dropped,
            audit=tuple(self._audit),
        )


def _with_refusal(audit: tuple[AuditEntry, ...], ignored: str) -> tuple[AuditEntry, ...]:
    """A command that changed nothing is recorded as what it was: asked for, and refused."""
    if not ignored:
        return audit
    refused: JsonObject = {"refused": ignored}
    return tuple(msgspec.structs.replace(entry, details={**entry.details, **refused}) for entry in audit)
