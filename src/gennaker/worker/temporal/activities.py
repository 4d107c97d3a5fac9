"""Activities: what workflows have done, over the same stepper and performer as in the embedded loop.

`look` and `step` are local activities: they run in the worker that has the workflow's task, and write the store. They may run
again after they have; so they are made to find out what is done already. `perform` is an activity of its own, with heartbeats.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from gennaker.engine import limits
from gennaker.interfaces.executions import Update
from gennaker.interfaces.inspection import Work
from gennaker.interfaces.journal import Commit, OwnedElsewhere
from gennaker.interfaces.shells import ShellStore
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.effect import Announce, Deliver, PendingEffect, StartTimer, StopTask
from gennaker.model.event import Event, TimerRang
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.worker import faults, repeating
from gennaker.worker.performing import Run
from gennaker.worker.shells import ShellParts
from gennaker.worker.stepping import AlreadyAnswered, Applied
from gennaker.worker.temporal.messages import (
    LOOK,
    PERFORM,
    STEP,
    Answer,
    Asked,
    Found,
    Performed,
    Wanted,
)

log = structlog.get_logger()

_BEATS = 4
"""Heartbeats in the time after which an activity without any is given to another worker."""
CANCELS_WITHIN = timedelta(seconds=1)
"""So long a task that is performed may not hear that it is cancelled: it does by its heartbeat."""
_OVER = Found(is_whole=True, is_over=True)


class Activities:
    """Bound to one server's parts."""

    def __init__(self, parts: ShellParts, store: ShellStore, *, name: str, nudge: Callable[[], None]) -> None:
        """`name` is the server's; `nudge` is told when an effect for another execution is in the outbox."""
        self._nudge = nudge
        self._parts = parts
        self._store = store
        self._name = name
        self.at_work: dict[str, Work] = {}
        """What this server performs, by the effect's key."""
        self.unusable: asyncio.Future[StoreUnusable] = asyncio.get_running_loop().create_future()
        """Done when the store could not go on: then this server can't either."""

    @activity.defn(name=LOOK)
    async def look(self, execution_id: str) -> Found:
        """Everything that is asked for an execution."""
        async with self._watching():
            return await self._look(execution_id)

    @activity.defn(name=STEP)
    async def step(self, answer: Answer) -> Found:
        """Records the answer to an effect and returns what follows; what was recorded already is only looked at."""
        async with self._watching():
            pending, done_key = await self._store.find(answer.key), answer.key
            if pending is None:
                pending, done_key = await self._carried(answer), ""
            if pending is None:
                return await self._look(answer.execution_id)
            event = await self._event(pending, answer)
            try:
                applied = await self._apply(pending, event, done_key)
            except AlreadyAnswered:
                return await self._look(answer.execution_id)
            except Refused as refused:
                log.warning("event.undeliverable", key=answer.key, execution=answer.execution_id, reason=str(refused))
                await self._parts.journal.commit(Commit(dropped_effects=(answer.key,)))
                return await self._look(answer.execution_id)
            except OwnedElsewhere:
                deliver = Deliver(key=answer.key, execution_id=answer.execution_id, event=event)
                await self._parts.servers.hand_over(PendingEffect(effect=deliver, execution_id=answer.execution_id))
                return _OVER
            return self._found(applied, answer.key)

    @activity.defn(name=PERFORM)
    async def perform(self, wanted: Wanted) -> Performed:
        """Performs an effect and returns the event that came of it."""
        async with _beating(), self._watching(), self._noting(wanted.key):
            await self._parts.servers.may_begin()
            pending = await self._store.find(wanted.key)
            if pending is None:
                return Performed()  # a step that the workflow will hear of has dropped it
            execution = await self._parts.stepper.load(wanted.execution_id)
            if execution is None:
                log.error("effect.orphaned", key=wanted.key, execution=wanted.execution_id)
                await self._parts.journal.commit(Commit(dropped_effects=(wanted.key,)))
                return Performed()
            if isinstance(pending.effect, Announce):
                await self._parts.announcer.announce(pending.effect, execution)
                return Performed()
            run = Run()
            if wanted.is_repeat or activity.info().attempt > 1:
                parts = self._parts
                run = await repeating.repeat(
                    pending, execution, performer=parts.performer, journal=parts.journal, probe=parts.probe
                )
            event = await self._parts.performer.perform(pending.effect, execution, run)
            return Performed(event=await self._store.pack(event))

    async def _look(self, execution_id: str) -> Found:
        found = await self._store.look(execution_id)
        carried = _carried_by(found.pending)
        now = self._parts.clock.now()
        if any(one.due is not None and one.due <= now for one in carried) and not await self._is_running(execution_id):
            # They have rung, and each would be an event of its own again; when it goes on it asks for later ones.
            carried = [one for one in carried if one.due is not None and one.due > now]
        asked = tuple(map(_asked, (*found.pending, *carried)))
        return Found(asked=asked, is_whole=True, is_over=found.is_over)

    async def _is_running(self, execution_id: str) -> bool:
        execution = await self._parts.stepper.load(execution_id)
        return execution is not None and execution.head.status is Status.RUNNING

    async def _carried(self, answer: Answer) -> PendingEffect | None:
        """The limit that has rung, if what carries it is still wanted."""
        if not answer.key.endswith("/deadline"):
            return None
        found = await self._store.look(answer.execution_id)
        carried = filter(None, map(limits.carried, found.pending))
        return next((one for one in carried if one.effect.key == answer.key), None)

    async def _event(self, pending: PendingEffect, answer: Answer) -> Event:
        match pending.effect:
            case Deliver(event=event):
                return event
            case StartTimer(key=key):
                return TimerRang(at=self._parts.clock.now(), key=key)
            case _:
                assert answer.event is not None, "what is performed is answered by what came of it"
                return await self._store.unpack(answer.event)

    async def _apply(self, pending: PendingEffect, event: Event, done_key: str) -> Applied:
        effect = pending.effect
        audit = effect.audit if isinstance(effect, Deliver) else ()
        apply = self._parts.stepper.apply
        try:
            return await apply(pending.execution_id, event, done_key=done_key, audit=audit)
        except faults.FAULTS as fault:
            log.exception("engine.fault", key=effect.key, execution=pending.execution_id)
            ending = faults.cancellation(fault, at=self._parts.clock.now())
            return await apply(pending.execution_id, ending, done_key=done_key)

    def _found(self, applied: Applied, answered: str) -> Found:
        head = applied.execution.head
        update = Update(topic="execution", id=head.id, application=head.application, version=head.version)
        self._parts.updates.publish(update)
        own = [one for one in applied.effects if not isinstance(one.effect, Deliver)]
        if len(own) < len(applied.effects):
            self._nudge()
        asked = tuple(map(_asked, (*own, *_carried_by(own))))
        gone = limits.gone_with((answered, *applied.dropped), applied.execution)
        dropped = (*applied.dropped, *sorted(gone.difference(one.key for one in asked)))
        return Found(asked=asked, dropped=dropped, is_over=head.status.is_complete)

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        """What ends an activity early and is not its own failure."""
        try:
            yield
        except StoreUnusable as error:
            if not self.unusable.done():
                self.unusable.set_result(error)
            raise
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details is None or not details.worker_shutdown or details.cancel_requested:
                raise
            # Reported as a failure it goes to another server at once, instead of after the heartbeats' time.
            raise ApplicationError("The server ends.", type="ServerEnds") from None

    @asynccontextmanager
    async def _noting(self, key: str) -> AsyncIterator[None]:
        self.at_work[key] = Work(worker=self._name, since=self._parts.clock.now())
        try:
            yield
        finally:
            del self.at_work[key]


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Tells Temporal that this server lives, and hears from it whether the effect is still wanted."""
    timeout = activity.info().heartbeat_timeout
    assert timeout is not None

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(min(timeout.total_seconds() / _BEATS, CANCELS_WITHIN.total_seconds()))

    async with asyncio.TaskGroup() as group:
        beating = group.create_task(beat())
        yield
        beating.cancel()


def _carried_by(pending: Sequence[PendingEffect]) -> list[PendingEffect]:
    """The limits that ride on effects, but for those that have moved and have rows of their own by now."""
    apart = {one.effect.key for one in pending}
    return [one for one in map(limits.carried, pending) if one is not None and one.effect.key not in apart]


def _asked(pending: PendingEffect) -> Asked:
    key = pending.effect.key
    match pending.effect:
        case Deliver() | StartTimer():
            return Asked(key, pending.due, is_performed=False)
        case StopTask():
            # A task is stopped only after its run has really ended: their keys begin with the attempt's.
            return Asked(key, pending.due, after=key.removesuffix("stop"))
        case _:
            return Asked(key, pending.due)
