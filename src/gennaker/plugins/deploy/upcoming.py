"""Upcoming instances: waiting until enough of a server group are up, or saying clearly why they won't be."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from gennaker.interfaces.clouds import ServerGroup
from gennaker.interfaces.stages import StageContext, TaskContext
from gennaker.model import time_limits
from gennaker.model.event import Again, Failed
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.deploy import clusters, durations, interesting, server_groups

_LOG_LINES = 20
_LOOKS_AGAIN = timedelta(milliseconds=500)
_KEY = "upTimeout"
_USUALLY = timedelta(minutes=10)


def within(context: StageContext) -> timedelta:
    """How long instances may take to come up: `upTimeout`; without it ten minutes, or a longer `stageTimeoutMs`. Raises Refused."""
    if clusters.says_up_within(context.stage.context):
        return durations.read(clusters.flattened(context.stage.context)[_KEY], key=_KEY)
    limit = time_limits.around(context.execution.stages, context.stage)
    return _USUALLY if limit is None else max(limit, _USUALLY)


def says_how_long(context: StageContext) -> bool:
    """Whether the stage, or one around it, says how long anything may take: then room is waited for as long."""
    says = clusters.says_up_within(context.stage.context)
    return says or time_limits.around(context.execution.stages, context.stage) is not None


async def wait(context: TaskContext, group: ServerGroup, required: int) -> Again | Failed | None:
    """Another look later, or a failure with the instances' own reasons and the end of a log; None when enough are up.

    Whose word counts on that the stage may say (`interesting.py`).
    """
    wanted = interesting.names(context)
    if wanted == () and interesting.present(group) >= required:
        return None
    return await _wait(context, await interesting.judged(context, group, required, wanted), required, within(context))


async def wait_to_serve(
    context: TaskContext, group: ServerGroup, at_most: timedelta | None = None
) -> Again | Failed | None:
    """The same for the first instance that can take requests, where the stage says whose word counts.

    They are taken from others only then: load balancers send none to an instance whose probe fails, whatever the stage says.
    """
    if interesting.names(context) is None or not group.capacity.desired:
        return None
    return await _wait(context, group, 1, within(context) if at_most is None else at_most)


async def _wait(context: TaskContext, group: ServerGroup, required: int, at_most: timedelta) -> Again | Failed | None:
    if len(server_groups.up(group)) >= required:
        return None
    waits_for_room = says_how_long(context)
    hopeless = server_groups.hopeless(group, context.at, says_how_long=waits_for_room)
    if hopeless is not None:
        return Failed(problem=await _with_log(context, group, hopeless))
    began = context.task.memory.get("upSince")
    since = datetime.fromisoformat(began) if isinstance(began, str) else context.at
    if context.at - since >= at_most:
        late = server_groups.not_up(group, f"isn't up after {at_most.total_seconds():g} s")
        return Failed(problem=await _with_log(context, group, late))
    waits = server_groups.waits(server_groups.why_waiting(group, required), group)
    failing = server_groups.failing(group, says_how_long=waits_for_room)
    return Again(
        after=_LOOKS_AGAIN,
        waiting_for=replace(waits, gives_up_at=min((since + at_most, *failing))),
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
    said = problem.message if log in problem.message else f"{problem.message} Last lines of the log of {down.id}: {log}"
    return replace(problem, message=said, details={**problem.details, "log": log})
