"""Harness: pipelines run by the real engine and worker over stores in memory, in virtual time, without a server.

What users get as `gennaker.testing.installation`, and what only our own tests look at.
"""

from tests import waiting

from gennaker.interfaces.services import Services
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.testing.crashes import Killed, KillingProbe
from gennaker.testing.ids import CountingIds
from gennaker.testing.installation import TESTER, Installation, Meanwhile, ended

__all__ = [
    "TESTER",
    "CountingIds",
    "Harness",
    "Killed",
    "KillingProbe",
    "Meanwhile",
    "ended",
    "problem_of",
    "reached",
]
Harness = Installation


async def reached(services: Services, execution_id: str, stage_type: str, *, task: str = "") -> None:
    """Returns once a stage of this type (and that task of it) runs; fails the test if the execution ends before."""

    async def look() -> bool:
        found = await services.executions.get(execution_id)
        assert found is not None
        for stage in found.in_order():
            if stage.type == stage_type and stage.status is Status.RUNNING:
                running = {one.name for one in stage.tasks if one.status is Status.RUNNING}
                if not task or task in running:
                    return True
        assert not found.head.status.is_complete, f"ended {found.head.status} before {stage_type} {task} ran"
        return False

    await waiting.until_found(look, f"{stage_type} {task} to run")


def problem_of(execution: Execution) -> str:
    """What the execution's failed stages say, for assertions and their messages."""
    said: list[str] = []
    for stage in execution.in_order():
        exception = stage.context.get("exception")
        details = exception.get("details") if isinstance(exception, dict) else None
        errors = details.get("errors") if isinstance(details, dict) else None
        if isinstance(errors, list):
            said += [f"{stage.name}: {error}" for error in errors]
    reason = execution.head.cancellation_reason
    return "\n".join([*said, *([reason] if reason else [])])
