"""Buffering: pipelines that start while many executions run are held back, and taken up when there is room."""

import asyncio
from datetime import timedelta

import msgspec
import structlog

from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.services import Services
from gennaker.model import foreign
from gennaker.model.event import Promoted
from gennaker.model.execution import ExecutionKind, Head
from gennaker.model.principal import SYSTEM
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForTurn

log = structlog.get_logger()

_EVERY = timedelta(seconds=1)
_AT_A_TIME = 100
"""How many are taken up at a time where there is no limit any more."""


def may_be_held_back(submission: Submission) -> bool:
    """Not orchestrations, and no child for which a running execution waits (docs/decisions/0011)."""
    return submission.kind is ExecutionKind.PIPELINE and not foreign.text(
        submission.trigger.get("parentPipelineStageId")
    )


def held_back(head: Head, *, most: int) -> Head:
    """The execution as it is accepted without being taken up."""
    reason = f"fewer than {most} executions to run in this installation (engine.most-running)"
    turn = ForTurn(reason=reason, queue="buffer", at_most=most, since=head.build_time)
    return msgspec.structs.replace(head, status=Status.BUFFERED, waiting_for=turn)


async def run(services: Services) -> None:
    """Takes up what was held back, until cancelled."""
    while services.settings.engine.most_running or await services.executions.count(Status.BUFFERED):
        await promote(services)
        await services.clock.sleep_until(services.clock.now() + _EVERY)
    await asyncio.Event().wait()  # nothing is held back without a limit, and nothing is left from when there was one


async def promote(services: Services) -> None:
    """Takes up as many as there is room for, the oldest first."""
    executions, most = services.executions, services.settings.engine.most_running
    limit = most - await executions.count(Status.RUNNING) if most else _AT_A_TIME
    if limit <= 0:
        return
    wanted = Found(statuses=(Status.BUFFERED,), is_oldest_first=True, limit=limit)
    for one in await executions.find(wanted):
        try:
            await executions.tell(one.head.id, Promoted(at=services.clock.now()), SYSTEM)
        except Refused as refused:  # somebody was faster: it was cancelled
            log.info("execution.not_promoted", execution=one.head.id, why=str(refused))
