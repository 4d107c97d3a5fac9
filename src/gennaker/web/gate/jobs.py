"""Jobs behind Gate's own routes: submitted as an orchestration and waited for, as Gate does it."""

import asyncio
from datetime import timedelta

import msgspec

from gennaker.engine import orca_json
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.web import orchestrations, shapes
from gennaker.web.ports import WebPorts

_LONGEST = timedelta(seconds=32)
"""As long as Gate waits."""
_A_MOMENT = timedelta(seconds=1)
_QUICK = frozenset(
    {
        "createApplication",
        "updateApplication",
        "upsertApplication",
        "deleteApplication",
        "upsertProject",
        "deleteProject",
        "savePipeline",
        "updatePipeline",
        "deletePipeline",
    }
)
"""Jobs that write a definition and nothing else."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5
"""Seconds."""


async def begun(ports: WebPorts, principal: Principal, request: JsonObject) -> JsonObject:
    """Where to look. Jobs that only write a definition have usually ended by then: clients look at once, and then after a second."""
    answer = await orchestrations.submit(ports, principal, request)
    if all(foreign.text_at(one, "type") in _QUICK for one in foreign.items(request.get("job"))):
        await _looked_for(ports, str(answer["ref"]), _A_MOMENT)
    return answer


async def done(ports: WebPorts, principal: Principal, request: JsonObject) -> JsonObject:
    """The finished task. Raises Refused with what went wrong in it."""
    ref = str((await orchestrations.submit(ports, principal, request))["ref"])
    execution = await _ended(ports, ref)
    if execution.head.status is not Status.SUCCEEDED:
        raise Refused(*_problems(execution))
    return orca_json.orchestration_json(execution)


async def _ended(ports: WebPorts, ref: str) -> Execution:
    found = await _looked_for(ports, ref, _LONGEST)
    if found is None:
        raise Refused(_unfinished(ref), status=503)
    return found


async def _looked_for(ports: WebPorts, ref: str, within: timedelta) -> Execution | None:
    """The task when it has ended; None: it goes on after this time."""
    until = ports.services.clock.now() + within
    pause = _FIRST_PAUSE
    while True:
        found = await ports.services.executions.get(ref.removeprefix("/tasks/"))
        if found is not None and found.head.status.is_complete:
            return found
        if ports.services.clock.now() > until:
            return None
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _problems(execution: Execution) -> list[Problem]:
    listed = [one for stage in execution.in_order() for one in shapes.stage_problems(stage)]
    if listed:
        return [msgspec.convert(one, Problem) for one in listed]
    said = execution.head.cancellation_reason or f"The task ended {execution.head.status}."
    return [Problem(code="task.failed", message=said, remedy=f"See /tasks/{execution.head.id}.")]


def _unfinished(ref: str) -> Problem:
    return Problem(
        code="task.unfinished",
        message=f"The task hasn't ended within {_LONGEST.total_seconds():.0f} s; it goes on.",
        remedy=f"See {ref}.",
    )
