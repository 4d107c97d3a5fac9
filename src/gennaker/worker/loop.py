"""The embedded loop: effects out of the outbox, results back in, timers, recovery.

Theory of operation. After a step is durable its effects come here. Each is performed in an asyncio task of its own (a
bounded number at a time) or waits in a heap until it is due. The result goes through `Stepper.apply`, which removes
the effect from the outbox in the transaction that records the result; the effects of that step come here again. So
whatever is in the outbox is either being performed or waiting, and what the process forgets by dying is read from the
outbox at the next start.

An effect found there at the start may have been performed already. Repeatable ones are performed again (they look
first whether it was done); those that may happen at most twice are counted before the repeat and given up after it.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime

import msgspec
import structlog

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.executions import Update, Updates
from gennaker.interfaces.journal import Commit, Journal
from gennaker.interfaces.probes import Probe
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import Announce, Deliver, PendingEffect, RunTask, StopTask
from gennaker.model.event import Event
from gennaker.model.execution import EffectClass, Execution
from gennaker.model.problems import Refused
from gennaker.worker.performing import Performer, Run
from gennaker.worker.stepping import Applied, Stepper

log = structlog.get_logger()

Announced = Callable[[Execution, Announce], Awaitable[None]]
"""Told about an Announce effect; may be told twice."""


class _Performing(msgspec.Struct, kw_only=True):
    """An effect that is being performed."""

    effect: PendingEffect
    task: "asyncio.Task[None]"
    is_interruptible: bool = True
    """False once the result is there and being recorded."""
    is_dropped: bool = False
    """The engine no longer wants the result."""


class Worker:
    """Keeps all executions of the store moving."""

    def __init__(  # noqa: PLR0913 - it is what everything meets in
        self,
        *,
        stepper: Stepper,
        performer: Performer,
        journal: Journal,
        clock: Clock,
        updates: Updates,
        announced: Announced,
        probe: Probe,
        concurrent: int,
    ) -> None:
        """`concurrent`: how many effects are performed at the same time."""
        self._stepper = stepper
        self._performer = performer
        self._journal = journal
        self._clock = clock
        self._updates = updates
        self._announced = announced
        self._probe = probe
        self._slots = asyncio.Semaphore(concurrent)
        self._performing: dict[str, _Performing] = {}
        self._waiting: dict[str, tuple[PendingEffect, Run]] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._heap_changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._early: list[tuple[PendingEffect, Run]] = []
        self._recovered = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Recovery is over: everything that was unfinished is taken up again."""
        return self._recovered.is_set()

    async def ready(self) -> None:
        """Returns when recovery is over."""
        await self._recovered.wait()

    async def run(self) -> None:
        """Recovers, then performs until cancelled. Raises what the store raises when it can't go on."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self._recover()
            for pending, run in self._early:
                self._take(pending, run)
            self._early.clear()
            self._recovered.set()
            await self._ring()

    async def apply(
        self, execution_id: str, event: Event, *, done_key: str = "", audit: tuple[AuditEntry, ...] = ()
    ) -> Applied:
        """Applies an event durably and sees to the effects that follow."""
        applied = await self._stepper.apply(execution_id, event, done_key=done_key, audit=audit)
        self.take(applied.effects, applied.dropped)
        head = applied.execution.head
        self._updates.publish(Update(topic="execution", id=head.id, application=head.application, version=head.version))
        return applied

    def take(self, effects: Iterable[PendingEffect], dropped: Iterable[str] = ()) -> None:
        """Performs effects that are durable in the outbox; forgets those that no longer are."""
        for key in dropped:
            self._drop(key)
        for pending in effects:
            if self._group is None:
                self._early.append((pending, Run()))
            else:
                self._take(pending, Run())

    async def _recover(self) -> None:
        now = self._clock.now()
        pending = await self._journal.pending()
        log.info("worker.recovering", effects=len(pending))
        for effect in pending:
            if effect.due is not None and effect.due > now:
                self._take(effect, Run())
            else:
                self._take(effect, await self._repeat(effect))

    async def _repeat(self, pending: PendingEffect) -> Run:
        execution = await self._stepper.load(pending.execution_id)
        if execution is None:
            return Run(is_repeat=True)
        if self._performer.effect_class(pending.effect, execution) is EffectClass.REPEATABLE:
            return Run(is_repeat=True)
        if pending.tries >= 1:
            return Run(is_repeat=True, is_given_up=True)
        await self._journal.raise_tries(pending.effect.key)
        return Run(is_repeat=True)

    def _take(self, pending: PendingEffect, run: Run) -> None:
        key = pending.effect.key
        if pending.due is not None and pending.due > self._clock.now():
            self._waiting[key] = (pending, run)
            heapq.heappush(self._heap, (pending.due, key))
            self._heap_changed.set()
        elif key not in self._performing:
            assert self._group is not None
            task = self._group.create_task(self._perform(pending, run), name=key)
            self._performing[key] = _Performing(effect=pending, task=task)

    def _drop(self, key: str) -> None:
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
            await self._sleep()

    async def _sleep(self) -> None:
        """Until the next effect is due, or an earlier one has been added."""
        if not self._heap:
            await self._heap_changed.wait()
            return
        async with asyncio.TaskGroup() as group:
            changed = group.create_task(self._heap_changed.wait())
            due = group.create_task(self._clock.sleep_until(self._heap[0][0]))
            await asyncio.wait((changed, due), return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            due.cancel()

    async def _perform(self, pending: PendingEffect, run: Run) -> None:
        key = pending.effect.key
        try:
            async with self._slots:
                await self._perform_now(pending, run)
        except asyncio.CancelledError:
            # Either the engine dropped this effect, or the whole worker ends: then the cancellation must pass on.
            task = asyncio.current_task()
            if not self._performing[key].is_dropped or task is None or task.uncancel() > 0:
                raise
        finally:
            self._performing.pop(key, None)

    async def _perform_now(self, pending: PendingEffect, run: Run) -> None:
        effect = pending.effect
        execution = await self._stepper.load(pending.execution_id)
        if execution is None:
            log.error("effect.orphaned", key=effect.key, execution=pending.execution_id)
            await self._journal.commit(Commit(dropped_effects=(effect.key,)))
            return
        match effect:
            case Deliver(execution_id=target, event=event):
                with suppress(Refused):
                    await self.apply(target, event, done_key=effect.key)
                    return
                await self._journal.commit(Commit(dropped_effects=(effect.key,)))
            case Announce():
                await self._announced(execution, effect)
                self._probe.reached("effect.after:Announce")
                await self._journal.commit(Commit(dropped_effects=(effect.key,)))
            case _:
                await self._wait_for_the_stopped(effect)
                event = await self._performer.perform(effect, execution, run)
                self._performing[effect.key].is_interruptible = False
                await self.apply(pending.execution_id, event, done_key=effect.key)

    async def _wait_for_the_stopped(self, effect: object) -> None:
        """A task is stopped only after its cancelled run has really ended."""
        if not isinstance(effect, StopTask):
            return
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
