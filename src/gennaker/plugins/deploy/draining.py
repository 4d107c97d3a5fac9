"""Draining: waiting until instances out of traffic have no requests under way, or the time for it is over."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import TaskContext
from gennaker.model import undrained
from gennaker.model.event import Again, Done
from gennaker.plugins.deploy import durations, server_groups, traffic_shares

_LOOKS_AGAIN = timedelta(milliseconds=250)
_DEFAULT = "PT35S"


async def wait(context: TaskContext, *groups: ServerGroup, beyond: int = 0) -> Again | Done:
    """Another look later; done when nothing is under way, or nobody waits for it any longer: then the context tells of it.

    `beyond`: without the oldest so many instances of each, which stay in traffic.
    """
    began = context.task.memory.get("drainingSince")
    since = datetime.fromisoformat(began) if isinstance(began, str) else context.at
    limit = durations.read(context.stage.context.get("drainTimeout") or _DEFAULT, key="drainTimeout")
    left = await under_way(context.services, groups, beyond=beyond)
    if not left or context.at - since >= limit:
        return Done(context=undrained.context(left))
    name, count = next(iter(left.items()))
    return Again(
        after=_LOOKS_AGAIN,
        waiting_for=server_groups.waits(
            undrained.waiting(name, count), next(one for one in groups if one.name == name)
        ),
        memory={**context.task.memory, "drainingSince": since.isoformat()},
    )


async def under_way(services: Services, groups: Iterable[ServerGroup], *, beyond: int = 0) -> dict[str, int | None]:
    """Requests that haven't ended, by name of the server group; those without any are left out. None: it can't be told."""
    counts = {one.name: await traffic_shares.in_flight(services, one, beyond=beyond) for one in groups}
    return {name: count for name, count in counts.items() if count != 0}
