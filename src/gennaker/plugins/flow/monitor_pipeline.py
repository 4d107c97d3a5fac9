"""Monitor pipeline: waits for executions that something else has started, all of them or until the first fails."""

from datetime import timedelta

import msgspec

from gennaker.interfaces import produced
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.artifact import ExpectedArtifactKeys
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.flow import children, others

_LOOKS_AGAIN = timedelta(seconds=15)
_FAIL_FAST = "FailFast"


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    execution_ids: tuple[str | None, ...] = ()
    execution_id: str | None = None
    """One alone."""
    monitor_behavior: str = "WaitForAllToComplete"
    """Or `FailFast`: fails as soon as one has failed."""
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] | None = None


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """Bind artifacts only where some are expected."""
    binds = "expectedArtifacts" in context.stage.context
    return Plan(tasks=(_MONITOR.planned(), *((produced.task.planned(),) if binds else ())))


async def monitor(context: TaskContext) -> TaskResult:
    """Ends when all have ended, or as soon as one has failed."""
    wanted = _ids(context)
    if not wanted:
        return Failed(problem=Problem(code="monitor.nothing", message="no pipeline execution ids to monitor"))
    found: dict[str, Execution] = {}
    for one in wanted:
        execution = await context.services.executions.get(one)
        if execution is None:
            return Failed(problem=Problem(code="execution.unknown", message=f"There is no execution {one}."))
        refused = await others.refusal(context, execution)
        if refused is not None:
            return Failed(problem=refused)
        found[one] = execution
    outputs = _outputs(context, found)
    statuses = [one.head.status for one in found.values()]
    are_complete = all(status.is_complete for status in statuses)
    has_failed = any(status.is_halt and status is not Status.CANCELED for status in statuses)
    if all(status is Status.SUCCEEDED for status in statuses):
        return Done(outputs=outputs)
    if has_failed and (are_complete or context.lookup("monitorBehavior") == _FAIL_FAST):
        return Failed(problem=_failed(found), outputs=outputs)
    if are_complete:
        message = "At least one monitored pipeline was cancelled"
        return Failed(
            problem=Problem(code="monitor.canceled", message=message), status=Status.CANCELED, outputs=outputs
        )
    waits = [children.wait(one) for one in found.values() if not one.head.status.is_complete]
    first = msgspec.structs.replace(waits[0], reason=", ".join(one.reason for one in waits))
    return Again(after=_LOOKS_AGAIN, waiting_for=first, outputs=outputs)


def _ids(context: TaskContext) -> list[str]:
    listed, single = context.lookup("executionIds"), context.lookup("executionId")
    several = [one for one in listed if isinstance(one, str) and one] if isinstance(listed, list) else []
    return several or ([single] if isinstance(single, str) and single else [])


def _outputs(context: TaskContext, found: dict[str, Execution]) -> JsonObject:
    statuses: dict[str, Json] = {}
    for execution_id, execution in found.items():
        details: JsonObject = {"status": execution.head.status.value, "application": execution.head.application}
        if execution.head.status.is_halt:
            details["exception"] = children.exception(execution)
        statuses[execution_id] = details
    outputs: JsonObject = {"executionStatuses": statuses}
    only = next(iter(found.values()))
    if len(found) == 1 and only.head.status.is_complete:
        return {**context.sight.outputs_of(only), **outputs}
    return outputs


def _failed(found: dict[str, Execution]) -> Problem:
    causes = [said for one in found.values() for said in children.errors(children.exception(one))]
    return Problem(
        code="monitor.failed",
        message="At least one monitored pipeline failed, look for errors in failed pipelines. " + "; ".join(causes),
        details={"executions": [one for one, child in found.items() if child.head.status.is_halt]},
    )


_MONITOR = TaskType(name="monitorPipeline", run=monitor, timeout=timedelta(hours=12))
stage = StageType(
    name="monitorPipeline",
    label="Monitor Pipeline",
    about=__doc__,
    spec=Spec,
    tasks=(_MONITOR, produced.task),
    plan=plan,
)
