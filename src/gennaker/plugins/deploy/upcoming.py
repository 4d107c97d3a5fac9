"""Upcoming instances: waiting until enough of a server group are up, or saying clearly why they won't be."""

from datetime import datetime, timedelta

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.stages import TaskContext
from gennaker.model.event import Again, Failed
from gennaker.plugins.deploy import server_groups

_LOOKS_AGAIN = timedelta(milliseconds=500)


def wait(context: TaskContext, group: ServerGroup, required: int, within: timedelta) -> Again | Failed | None:
    """Another look later, or a failure with the instances' own reasons; None when enough are up."""
    if len(server_groups.up(group)) >= required:
        return None
    hopeless = server_groups.hopeless(group)
    if hopeless is not None:
        return Failed(problem=hopeless)
    began = context.task.memory.get("upSince")
    since = datetime.fromisoformat(began) if isinstance(began, str) else context.at
    if context.at - since >= within:
        return Failed(problem=server_groups.not_up(group, f"isn't up after {within.total_seconds():g} s"))
    return Again(
        after=_LOOKS_AGAIN,
        waiting_for=server_groups.waits(server_groups.why_waiting(group, required), group),
        memory={**context.task.memory, "upSince": since.isoformat()},
    )
