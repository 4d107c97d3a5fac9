"""Slots: how many builds go on at the same time, and who waits.

One document holds both lists. Who has a slot gives it back by ending: whoever looks strikes out the builds whose stages
have ended, so nothing is lost by a kill, a cancellation or a crash. Waiting builds come in the order in which they asked.
"""

import msgspec

from gennaker.interfaces.documents import VersionMismatch
from gennaker.interfaces.services import Services
from gennaker.model import waiting
from gennaker.model.codec import to_json
from gennaker.plugins.build.workspace import Place

_NAMESPACE, _KEY = "builds", "slots"


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Who builds and who waits."""

    building: tuple[Place, ...] = ()
    waiting: tuple[Place, ...] = ()


async def take(services: Services, place: Place) -> waiting.ForTurn | None:
    """Takes a slot if one is free; otherwise returns what is waited for, and keeps the place in the line."""
    limit = services.settings.builder.concurrent_builds
    documents = services.documents(_NAMESPACE)
    document = await documents.get(_KEY)
    queue = msgspec.convert(document.body, Queue) if document else Queue()
    changed = entered(
        Queue(building=await _alive(services, queue.building), waiting=await _alive(services, queue.waiting)),
        place,
        limit=limit,
    )
    if changed != queue:
        body = to_json(changed)
        assert isinstance(body, dict)
        try:
            await documents.put(_KEY, body, if_version=document.version if document else 0)
        except VersionMismatch:
            return waiting.ForTurn(
                reason="a free builder: another build asks at the same time", queue="builders", at_most=limit
            )
    if place in changed.building:
        return None
    before = changed.waiting.index(place)
    return waiting.ForTurn(
        reason=f"a free builder: {len(changed.building)} of {limit} at work, {before} before this one",
        queue="builders",
        running=tuple(one.execution_id for one in changed.building),
        ahead=tuple(one.execution_id for one in changed.waiting[:before]),
        at_most=limit,
    )


async def is_building(services: Services, place: Place) -> bool:
    """Whether the attempt at the stage is still the present one and has not ended."""
    execution = await services.executions.get(place.execution_id)
    stage = execution.stages.get(place.stage_id) if execution else None
    return stage is not None and stage.attempt == place.attempt and not stage.status.is_complete


def entered(queue: Queue, place: Place, *, limit: int) -> Queue:
    """The queue after this build has asked."""
    if place in queue.building:
        return queue
    waiting = queue.waiting if place in queue.waiting else (*queue.waiting, place)
    if len(queue.building) < limit and waiting[0] == place:
        return Queue(building=(*queue.building, place), waiting=waiting[1:])
    return Queue(building=queue.building, waiting=waiting)


async def _alive(services: Services, places: tuple[Place, ...]) -> tuple[Place, ...]:
    return tuple([place for place in places if await is_building(services, place)])
