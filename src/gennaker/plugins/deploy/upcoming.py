"""Upcoming instances: waiting until enough of a server group are up, or saying clearly why they won't be."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.stages import TaskContext
from gennaker.model.event import Again, Failed
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import server_groups

_LOG_LINES = 20
_LOOKS_AGAIN = timedelta(milliseconds=500)


async def wait(context: TaskContext, group: ServerGroup, required: int, within: timedelta) -> Again | Failed | None:
    """Another look later, or a failure with the instances' own reasons and the end of a log; None when enough are up."""
    if len(server_groups.up(group)) >= required:
        return None
    hopeless = server_groups.hopeless(group)
    if hopeless is not None:
        return Failed(problem=await _with_log(context, group, hopeless))
    began = context.task.memory.get("upSince")
    since = datetime.fromisoformat(began) if isinstance(began, str) else context.at
    if context.at - since >= within:
        late = server_groups.not_up(group, f"isn't up after {within.total_seconds():g} s")
        return Failed(problem=await _with_log(context, group, late))
    return Again(
        after=_LOOKS_AGAIN,
        waiting_for=server_groups.waits(server_groups.why_waiting(group, required), group),
        memory={**context.task.memory, "upSince": since.isoformat()},
    )


async def _with_log(context: TaskContext, group: ServerGroup, problem: Problem) -> Problem:
    """The problem and what the first instance that isn't up has said last, where it has said anything."""
    down = next((one for one in group.instances if one not in server_groups.up(group)), None)
    if down is None:
        return problem
    provider = server_groups.provider(context.services, group.cloud_provider)
    try:
        log = (await provider.logs(group.place, group.name, down.id, _LOG_LINES)).strip()
    except Refused:  # it is gone, or never was: there is nothing to add
        return problem
    if not log:
        return problem
    said = f"{problem.message} Last lines of the log of {down.id}: {log}"
    return replace(problem, message=said, details={**problem.details, "log": log})
