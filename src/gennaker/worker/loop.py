"""The embedded loop: effects out of the outbox, results back in, timers, recovery.

Theory of operation. After a step is durable its effects come here. Each is performed in an asyncio task (a bounded number
at a time; the first that follows from a result at once in the same task, as that costs less than a new one) or waits in a
heap until it is due. The result goes through `Stepper.apply`, which removes
the effect from the outbox in the transaction that records the result; the effects of that step come here again. So
whatever is in the outbox is either being performed or waiting, and what the process forgets by dying is read from the
outbox at the next start.

An effect found there at the start may have been performed already. Repeatable ones are performed again (they look
first whether it was done); those that may happen at most twice are counted before the repeat and given up after it.
Until recovery has seen the whole outbox nothing new is applied: an effect that is added or dropped meanwhile would be
performed twice, or although nobody wants it any more.

Where servers share the store each takes up what nobody owns, at its start and whenever another's lease has ended: recovery
that goes on all the time. What concerns an execution that another server owns is handed to it through the outbox.

A commit and the taking of its effects belong together: an effect that was committed but not taken would wait for the
next start. So both are done in a task of the worker's own, which the cancelling of whoever asked for them doesn't reach.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final, Generic

import msgspec
import structlog

from gennaker.engine import limits
from gennaker.interfaces.executions import Update
from gennaker.interfaces.inspection import Work, Workforce
from gennaker.interfaces.journal import Commit, Conflict, OwnedElsewhere
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import Announce, Deliver, PendingEffect, PrepareTask, RunTask, StopTask
from gennaker.model.event import Event
from gennaker.model.execution import Execution
from gennaker.model.problems import Refused
from gennaker.transport import waking
from gennaker.worker import faults, repeating
from gennaker.worker.performing import Run
from gennaker.worker.shells import Result, ShellParts
from gennaker.worker.stepping import Applied

log = structlog.get_logger()

_NAME = "this server"
_LIMITED: Final = (RunTask, PrepareTask)
"""Not `RunTask | PrepareTask`, which would be made anew for each effect."""
_STALE_AT_MOST = 1000
"""Forgotten timers that may stay in the heap, besides as many as there are live ones."""


class _Performing(msgspec.Struct, kw_only=True):
    """An effect that is being performed."""

    effect: PendingEffect
    run: Run
    task: "asyncio.Task[None]"
    ended: Execution | None = None
    """The execution, where the step that asked for the effect has ended it: it is told as it was then."""
    following: "_Performing | None" = None
    """What the same asyncio task performs next."""
    since: datetime | None = None
    """Since when a hand is at it."""
    is_interruptible: bool = True
    """False once the result is there and being recorded."""
    is_dropped: bool = False
    """The engine no longer wants the result."""


class Worker:
    """Keeps all executions of the store moving."""

    def __init__(self, parts: ShellParts) -> None:
        """Nothing runs yet."""
        self._servers = parts.servers
        self._stepper = parts.stepper
        self._performer = parts.performer
        self._journal = parts.journal
        self._clock = parts.clock
        self._updates = parts.updates
        self._announcer = parts.announcer
        self._probe = parts.probe
        self._slots = asyncio.Semaphore(parts.concurrent)
        self._hands = parts.concurrent
        self._performing: dict[str, _Performing] = {}
        self._waiting: dict[str, tuple[PendingEffect, Run]] = {}
        self._found: dict[str, PendingEffect] = {}
        """Found in the outbox and not yet performed or waiting: it may be dropped meanwhile."""
        self._heap: list[tuple[datetime, str]] = []
        self._heap_changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._recovered = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Recovery is over: everything that was unfinished is taken up again."""
        return self._recovered.is_set()

    def workforce(self) -> Workforce:
        """What is being performed now, for whoever asks why something takes so long."""
        at_work = {key: Work(worker=_NAME, since=one.since) for key, one in self._performing.items()}
        name = "" if self._group is None else _NAME
        return Workforce(name=name, is_ready=self.is_ready, at_work=at_work, hands=self._hands)

    async def ready(self) -> None:
        """Returns when recovery is over."""
        await self._recovered.wait()

    async def run(self) -> None:
        """Recovers, then performs until cancelled. Raises what the store raises when it can't go on."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                if not self._servers.is_alone:
                    group.create_task(self._unless_ending(self._servers.keep))
                await self._take_up_all()
                self._recovered.set()
                if not self._servers.is_alone:
                    group.create_task(self._unless_ending(self._keep_taking))
                await self._ring()
            finally:
                self._group = None

    async def apply(
        self, execution_id: str, event: Event, *, done_key: str = "", audit: tuple[AuditEntry, ...] = ()
    ) -> Applied:
        """Applies an event durably and sees to the effects that follow; waits until recovery is over."""
        await self._recovered.wait()
        return await self.to_the_end(lambda: self._apply(execution_id, event, done_key, audit))

    async def _record(self, execution_id: str, event: Event, key: str) -> None:
        """As `apply`, for what an effect's own task has learned: nobody interrupts that any more, save the worker's end."""
        performing = self._performing[key]
        performing.is_interruptible = False
        if not self.is_ready:
            await self._recovered.wait()
        await self._apply(execution_id, event, key, (), after=performing)

    async def to_the_end(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Does the work to its end, even if the caller is cancelled meanwhile; returns or raises what it does."""
        if self._group is None:
            return await work()  # the worker ends: what is durable is taken up at the next start
        outcome: _Outcome[Result] = _Outcome()
        await asyncio.shield(self._group.create_task(self._unless_ending(lambda: outcome.of(work))))
        return outcome.get()

    async def _unless_ending(self, work: Callable[[], Awaitable[None]]) -> None:
        """Every task of the group passes here: after the first that raises the group takes no more."""
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._group = None
            raise

    async def _apply(
        self,
        execution_id: str,
        event: Event,
        done_key: str,
        audit: tuple[AuditEntry, ...],
        *,
        after: _Performing | None = None,
    ) -> Applied:
        applied = await self._stepper.apply(execution_id, event, done_key=done_key, audit=audit)
        head = applied.execution.head
        self._take_all(
            applied.effects, applied.dropped, after=after, ended=applied.execution if head.status.is_complete else None
        )
        self._updates.publish(Update(topic="execution", id=head.id, application=head.application, version=head.version))
        return applied

    def take(self, effects: Iterable[PendingEffect], dropped: Iterable[str] = ()) -> None:
        """Performs effects that are durable in the outbox; forgets those that no longer are."""
        self._take_all(effects, dropped)

    def _take_all(
        self,
        effects: Iterable[PendingEffect],
        dropped: Iterable[str],
        *,
        after: _Performing | None = None,
        ended: Execution | None = None,
    ) -> None:
        for key in dropped:
            self._drop(key)
        for pending in effects:
            self._found.pop(pending.effect.key, None)
            self._take(pending, Run(), after=after, ended=ended)

    async def _keep_taking(self) -> None:
        while True:
            await self._servers.woken()
            await self._take_up_all()

    async def _take_up_all(self) -> None:
        """What was committed by somebody who no longer performs it: this process's predecessor, or another server."""
        while pending := await self._servers.take():
            log.info("worker.recovering", effects=len(pending))
            self._found = {one.effect.key: one for one in pending}
            now = self._clock.now()
            for effect in pending:
                await self._take_up(effect, now)
            if self._servers.is_alone:
                return

    async def _take_up(self, pending: PendingEffect, now: datetime) -> None:
        key = pending.effect.key
        await self._until_performed(key)
        is_waiting = pending.due is not None and pending.due > now
        run = Run() if is_waiting or key not in self._found else await self._repeat(pending)
        if self._found.pop(key, None) is not None:  # otherwise a command has dropped it since it was found
            self._take(pending, run)

    async def _until_performed(self, key: str) -> None:
        """What this server has just handed over may come back to it before its own task has ended."""
        performing = self._performing.get(key)
        if performing is not None:
            await asyncio.wait((performing.task,))

    async def _repeat(self, pending: PendingEffect) -> Run:
        execution = await self._stepper.load(pending.execution_id)
        try:
            return await repeating.repeat(
                pending, execution, performer=self._performer, journal=self._journal, probe=self._probe
            )
        except Conflict:
            self._found.pop(pending.effect.key, None)  # no longer in the outbox: nobody wants it any more
            return Run(is_repeat=True)

    def _take(
        self,
        pending: PendingEffect,
        run: Run,
        *,
        after: _Performing | None = None,
        ended: Execution | None = None,
    ) -> None:
        if self._group is None:
            return  # the worker ends: the next start finds it in the outbox
        key = pending.effect.key
        self._waiting.pop(key, None)
        until = _until(pending)
        if until is not None:
            self._look_at(until, key)
        if pending.due is not None and pending.due > self._clock.now():
            self._waiting[key] = (pending, run)
            self._look_at(pending.due, key)
        elif key not in self._performing:
            # The task of one that was dropped may still have to learn of its cancellation.
            follows = after if after and after.following is None and not after.is_dropped else None
            task = follows.task if follows else self._new_task(self._group, key)
            performing = _Performing(effect=pending, run=run, task=task, ended=ended)
            self._performing[key] = performing
            if follows:
                follows.following = performing

    def _new_task(self, group: asyncio.TaskGroup, key: str) -> "asyncio.Task[None]":
        task = group.create_task(self._unless_ending(lambda: self._perform_all(key)))
        task.add_done_callback(lambda done: self._forget_unbegun(key, done))
        return task

    def _forget_unbegun(self, key: str, task: "asyncio.Task[None]") -> None:
        """What was dropped before its task began; of all others the task has forgotten itself."""
        performing = self._performing.get(key)
        if performing is not None and performing.task is task:
            del self._performing[key]

    def _look_at(self, due: datetime, key: str) -> None:
        """Something is to be done with the effect then: it is due, or its task's limit is reached."""
        heapq.heappush(self._heap, (due, key))
        if self._heap[0][1] == key:  # otherwise nothing has changed for whoever waits for the first one's time
            self._heap_changed.set()
        if len(self._heap) > 4 * (len(self._waiting) + len(self._performing)) + _STALE_AT_MOST:
            self._forget_stale()

    def _forget_stale(self) -> None:
        """Limits of tasks that have ended are mostly hours away: they must not pile up until then."""
        effects = [pending for pending, _ in self._waiting.values()]
        live = [(one.due, one.effect.key) for one in effects if one.due is not None]
        effects += [one.effect for one in self._performing.values()]
        live += [(until, one.effect.key) for one in effects if (until := _until(one)) is not None]
        self._heap = live
        heapq.heapify(self._heap)

    def _drop(self, key: str) -> None:
        self._found.pop(key, None)
        self._waiting.pop(key, None)
        performing = self._performing.get(key)
        if performing is not None and performing.is_interruptible:
            performing.is_dropped = True
            performing.task.cancel()

    async def _ring(self) -> None:
        while True:
            self._heap_changed.clear()
            while self._heap and self._heap[0][0] <= self._clock.now():
                due, key = heapq.heappop(self._heap)
                waiting = self._waiting.get(key)
                if waiting is not None and waiting[0].due == due:
                    del self._waiting[key]
                    self._take(*waiting)
                else:
                    self._ring_limit(key, due)
            await self._sleep()

    def _ring_limit(self, key: str, due: datetime) -> None:
        """The limit of a task is reached whose run is wanted; of others there is nothing to say."""
        performing = self._performing.get(key)
        pending = self._waiting[key][0] if key in self._waiting else performing.effect if performing else None
        timer = limits.carried(pending) if pending is not None else None
        if timer is not None and timer.due == due:
            self._take(timer, Run())

    async def _sleep(self) -> None:
        """Until the next effect is due, or an earlier one has been added."""
        if not self._heap:
            await self._heap_changed.wait()
            return
        await waking.wait(self._clock, self._heap[0][0], self._heap_changed)

    async def _perform_all(self, key: str) -> None:
        """The effect, and one after the other what follows from it at once."""
        performing: _Performing | None = self._performing[key]
        while performing is not None:
            try:
                await self._perform(performing)
            finally:
                del self._performing[performing.effect.effect.key]
            performing = performing.following

    async def _perform(self, performing: _Performing) -> None:
        try:
            await self._slots.acquire()  # not `async with`, which makes two coroutines more
            try:
                if not self._servers.is_alone:
                    await self._servers.may_begin()
                performing.since = self._clock.now()
                execution_id = performing.effect.execution_id
                execution = (
                    performing.ended or self._stepper.at_hand(execution_id) or await self._stepper.load(execution_id)
                )
                await self._perform_now(performing.effect, execution, performing.run)
            finally:
                self._slots.release()
        except asyncio.CancelledError:
            # Either the engine dropped this effect, or the whole worker ends: then the cancellation must pass on.
            if not performing.is_dropped or performing.task.uncancel() > 0:
                raise

    async def _perform_now(self, pending: PendingEffect, execution: Execution | None, run: Run) -> None:
        effect = pending.effect
        if execution is None:
            log.error("effect.orphaned", key=effect.key, execution=pending.execution_id)
            await self._journal.commit(Commit(dropped_effects=(effect.key,)))
            return
        match effect:
            case Deliver():
                await self._deliver(effect)
            case Announce():
                await self._announcer.announce(effect, execution)
            case _:
                if isinstance(effect, StopTask):
                    await self._wait_for_the_stopped(effect)
                event = await self._performer.perform(effect, execution, run)
                try:
                    await self._record(pending.execution_id, event, effect.key)
                except faults.FAULTS as fault:
                    await self._end_faulty(pending.execution_id, effect.key, fault)
                except OwnedElsewhere:
                    await self._hand_over(Deliver(key=effect.key, execution_id=pending.execution_id, event=event))

    async def _deliver(self, deliver: Deliver) -> None:
        name = f"Deliver:{type(deliver.event).__name__}"
        self._probe.reached(f"effect.before:{name}")
        try:
            await self.apply(deliver.execution_id, deliver.event, done_key=deliver.key, audit=deliver.audit)
            self._probe.reached(f"effect.after:{name}")
        except Refused as refused:
            log.warning("event.undeliverable", key=deliver.key, execution=deliver.execution_id, reason=str(refused))
            await self._journal.commit(Commit(dropped_effects=(deliver.key,)))
        except faults.FAULTS as fault:
            await self._end_faulty(deliver.execution_id, deliver.key, fault)
        except OwnedElsewhere:
            await self._hand_over(deliver)

    async def _end_faulty(self, execution_id: str, key: str, fault: Exception) -> None:
        """A fault of the engine's own costs the execution that has met it, never the others.

        Where even its end can't be recorded it stands still; its effect stays in the outbox for a mended version.
        """
        log.error("engine.fault", key=key, execution=execution_id, exc_info=fault)
        try:
            await self.apply(execution_id, faults.cancellation(fault, at=self._clock.now()), done_key=key)
        except faults.FAULTS:
            log.exception("engine.stuck", key=key, execution=execution_id)

    async def _hand_over(self, deliver: Deliver) -> None:
        """To the server that owns the execution; the outbox keeps it until that one has applied the event."""
        await self._servers.hand_over(PendingEffect(effect=deliver, execution_id=deliver.execution_id))

    async def _wait_for_the_stopped(self, effect: StopTask) -> None:
        """A task is stopped only after its cancelled run has really ended."""
        runs = [
            performing.task
            for performing in self._performing.values()
            if isinstance(performing.effect.effect, RunTask)
            and performing.effect.effect.stage_id == effect.stage_id
            and performing.effect.effect.task_id == effect.task_id
            and performing.task is not asyncio.current_task()
        ]
        if runs:
            await asyncio.wait(runs)


def _until(pending: PendingEffect) -> datetime | None:
    effect = pending.effect
    return effect.until if isinstance(effect, _LIMITED) else None


class _Outcome(Generic[Result]):
    """What came of work in another task: a TaskGroup would end at the first exception."""

    def __init__(self) -> None:
        self._found: list[Result] = []
        self._raised: Exception | None = None

    async def of(self, work: Callable[[], Awaitable[Result]]) -> None:
        """Awaits the work."""
        try:
            self._found.append(await work())
        except Exception as error:  # noqa: BLE001 - it isn't swallowed: `get` raises it where the work was asked for
            self._raised = error

    def get(self) -> Result:
        """The result, or raises."""
        if self._raised is not None:
            raise self._raised
        return self._found[0]
