"""Admit: what one execution can't decide alone. Who of a pipeline's executions runs, who waits, which number is next.

Pure, like `advance`. A queue knows the executions of one pipeline that run, those that are held by a pause and those
that wait. An execution learns what was decided about it by a Deliver effect. Rules as in Orca: `limitConcurrent` lets
one run at a time and wins over `maxConcurrentExecutions`; paused executions don't count as running; when one ends the
oldest waiting one goes on if the pipeline keeps its waiting executions (one for each end, even if a pause has made room
for more), otherwise the newest goes on and the others are cancelled. One that ends while it waits makes room, too, but
supersedes nobody as long as the newest can't go on. One difference: a waiting execution that can't go on yet keeps its place.
"""

from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from gennaker.engine import keys
from gennaker.engine.step import QueueStep
from gennaker.model import moniker
from gennaker.model.effect import Deliver, PendingEffect
from gennaker.model.event import (
    CancelAsked,
    EnterAsked,
    Event,
    HoldChanged,
    Left,
    NumberAsked,
    NumberReturned,
    Queued,
    QueueEvent,
    Started,
)
from gennaker.model.queue import Queue, Waiting
from gennaker.model.waiting import ForTurn

_SUPERSEDED = (
    "This execution was queued but then canceled because a newer queued execution superceded it"  # Orca's words
)
_NAMED = 3
"""How many executions a sentence names before it counts the rest."""


def admit(queue: Queue, event: QueueEvent) -> QueueStep:
    """Applies an event to a queue."""
    match event:
        case EnterAsked():
            moved = _enter(queue, event)
        case Left():
            moved = _leave(queue, event)
        case HoldChanged():
            moved = _hold(queue, event), {}
        case NumberAsked():
            moved = _reserve(queue, event), {}
        case NumberReturned(holder=holder):
            kept = {key: number for key, number in queue.numbers.items() if key != holder}
            moved = replace(queue, numbers=kept), {}
        case _:
            assert_never(event)
    changed, told = moved
    after = replace(changed, version=queue.version + 1)
    return QueueStep(
        queue=after,
        effects=tuple(_deliver(after, to, what) for to, what in told.items()),
    )


def number_of(queue: Queue, holder: str) -> int | None:
    """The server-group number that a holder has reserved; None after NumberAsked: all 1000 are taken."""
    return queue.numbers.get(holder)


def _deliver(queue: Queue, execution_id: str, event: Event) -> PendingEffect:
    what = type(event).__name__
    key = keys.deliver(queue.key, what, execution_id, queue.version)
    return PendingEffect(
        effect=Deliver(key=key, execution_id=execution_id, event=event),
        execution_id=execution_id,
    )


def _enter(queue: Queue, event: EnterAsked) -> tuple[Queue, dict[str, Event]]:
    new = Waiting(
        execution_id=event.execution_id,
        limit_concurrent=event.limit_concurrent,
        max_concurrent=event.max_concurrent,
    )
    if new.execution_id in queue.running:
        return queue, {new.execution_id: Started(at=event.at)}
    if any(one.execution_id == new.execution_id for one in queue.waiting):
        return queue, {new.execution_id: Queued(at=event.at, waiting_for=_waits_for(queue, new))}
    if _fits(queue, new):
        held = tuple(one for one in queue.held if one != new.execution_id)
        begun = replace(queue, running=(*queue.running, new.execution_id), held=held)
        return begun, {new.execution_id: Started(at=event.at)}
    waiting = replace(queue, waiting=(*queue.waiting, new))
    return waiting, {new.execution_id: Queued(at=event.at, waiting_for=_waits_for(waiting, new))}


def _leave(queue: Queue, event: Left) -> tuple[Queue, dict[str, Event]]:
    gone, before = event.execution_id, queue
    has_waited = any(one.execution_id == gone for one in queue.waiting)
    queue = replace(
        queue,
        running=tuple(one for one in queue.running if one != gone),
        held=tuple(one for one in queue.held if one != gone),
        waiting=tuple(one for one in queue.waiting if one.execution_id != gone),
    )
    if queue == before or not queue.waiting:
        return queue, {}
    told: dict[str, Event] = {}
    if event.keep_waiting:
        queue, told = _start_oldest(queue, event.at)
    elif not has_waited or _fits(queue, queue.waiting[-1]):
        queue, told = _start_newest(queue, event.at)
    for one in queue.waiting:
        waits_for = _waits_for(queue, one)
        if waits_for != _waits_for(before, one):
            told[one.execution_id] = Queued(at=event.at, waiting_for=waits_for)
    return queue, told


def _start_oldest(queue: Queue, at: datetime) -> tuple[Queue, dict[str, Event]]:
    first = queue.waiting[0]
    if not _fits(queue, first):
        return queue, {}
    begun = replace(queue, running=(*queue.running, first.execution_id), waiting=queue.waiting[1:])
    return begun, {first.execution_id: Started(at=at)}


def _start_newest(queue: Queue, at: datetime) -> tuple[Queue, dict[str, Event]]:
    *superseded, newest = queue.waiting
    reason = f"{_SUPERSEDED}: {newest.execution_id}"
    told: dict[str, Event] = {one.execution_id: CancelAsked(at=at, by="spinnaker", reason=reason) for one in superseded}
    queue = replace(queue, waiting=(newest,))
    queue, started = _start_oldest(queue, at)
    return queue, told | started


def _hold(queue: Queue, event: HoldChanged) -> Queue:
    source, target = (queue.running, queue.held) if event.is_held else (queue.held, queue.running)
    if event.execution_id not in source:
        return queue
    source = tuple(one for one in source if one != event.execution_id)
    target = (*target, event.execution_id)
    running, held = (source, target) if event.is_held else (target, source)
    return replace(queue, running=running, held=held)


def _fits(queue: Queue, new: Waiting) -> bool:
    if new.limit_concurrent:
        return not queue.running
    return new.max_concurrent <= 0 or len(queue.running) < new.max_concurrent


def _waits_for(queue: Queue, waiting: Waiting) -> ForTurn:
    ahead = [one.execution_id for one in queue.waiting]
    ahead = ahead[: ahead.index(waiting.execution_id)]
    running = _named(queue.running)
    if waiting.limit_concurrent:
        said = f"the running execution of this pipeline to end: {running}" if running else "its turn"
    else:
        said = f"fewer than {waiting.max_concurrent} executions of this pipeline to run: {running}"
    return ForTurn(
        reason=f"{said}; waiting before it: {_named(ahead)}" if ahead else said,
        queue=queue.key,
        running=queue.running,
        ahead=tuple(ahead),
        at_most=1 if waiting.limit_concurrent else waiting.max_concurrent,
    )


def _named(ids: tuple[str, ...] | list[str]) -> str:
    named = ", ".join(ids[:_NAMED])
    return named if len(ids) <= _NAMED else f"{named} and {len(ids) - _NAMED} more"


def _reserve(queue: Queue, event: NumberAsked) -> Queue:
    if event.holder in queue.numbers:
        return queue
    taken = set(event.taken) | set(queue.numbers.values())
    number = moniker.next_sequence(taken, event.newest, is_first=event.newest is None and not event.taken)
    return queue if number is None else replace(queue, numbers={**queue.numbers, event.holder: number})
