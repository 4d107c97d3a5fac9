"""Draining: waiting until instances out of traffic have no requests under way, or the time for it is over."""

from datetime import datetime, timedelta

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.stages import TaskContext
from gennaker.model.event import Again
from gennaker.plugins.deploy import durations, server_groups, traffic_shares

_LOOKS_AGAIN = timedelta(milliseconds=250)
_DEFAULT = "PT35S"


async def wait(context: TaskContext, *groups: ServerGroup, beyond: int = 0) -> Again | None:
    """Another look later; None when nothing is under way, or nobody waits for it any longer.

    `beyond`: without the oldest so many instances of each, which stay in traffic.
    """
    began = context.task.memory.get("drainingSince")
    since = datetime.fromisoformat(began) if isinstance(began, str) else context.at
    limit = durations.read(context.stage.context.get("drainTimeout") or _DEFAULT, key="drainTimeout")
    if context.at - since >= limit:
        return None
    for group in groups:
        count = await traffic_shares.in_flight(context.services, group, beyond=beyond)
        if count:
            return Again(
                after=_LOOKS_AGAIN,
                waiting_for=server_groups.waits(f"{count} requests under way at {group.name} to end", group),
                memory={**context.task.memory, "drainingSince": since.isoformat()},
            )
    return None
