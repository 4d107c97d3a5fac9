"""Jobs behind Gate's own routes: submitted as an orchestration and waited for, as Gate does it."""

import asyncio
from datetime import timedelta

import msgspec

from gennaker.engine import orca_json
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.web import orchestrations, shapes
from gennaker.web.ports import WebPorts

_LONGEST = timedelta(seconds=32)
"""As long as Gate waits."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.5
"""Seconds."""


async def done(ports: WebPorts, principal: Principal, request: JsonObject) -> JsonObject:
    """The finished task. Raises Refused with what went wrong in it."""
    ref = str((await orchestrations.submit(ports, principal, request))["ref"])
    execution = await _ended(ports, ref)
    if execution.head.status is not Status.SUCCEEDED:
        raise Refused(*_problems(execution))
    return orca_json.orchestration_json(execution)


async def _ended(ports: WebPorts, ref: str) -> Execution:
    until = ports.services.clock.now() + _LONGEST
    pause = _FIRST_PAUSE
    while True:
        found = await ports.services.executions.get(ref.removeprefix("/tasks/"))
        if found is not None and found.head.status.is_complete:
            return found
        if ports.services.clock.now() > until:
            raise Refused(_unfinished(ref), status=503)
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
