"""Depends on execution: waits for another execution's end; goes on only if that was successful."""

from datetime import timedelta

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.flow import children, others

_LOOKS_AGAIN = timedelta(seconds=10)


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    execution_type: str = "PIPELINE"
    execution_id: str


async def look(context: TaskContext) -> TaskResult:
    """Looks at the other execution."""
    wanted = str(context.lookup("executionId") or "")
    kind = str(context.lookup("executionType") or "PIPELINE").upper()
    found = await context.services.executions.get(wanted)
    if found is None or found.head.kind.value != kind:
        return Failed(problem=Problem(code="execution.unknown", message=f"Execution ({kind}) {wanted} not found."))
    refused = await others.refusal(context, found)
    if refused is not None:
        return Failed(problem=refused)
    status = found.head.status
    if status.is_successful:
        return Done()
    if status.is_complete:
        message = f"The execution {wanted}, on which this stage depends, has ended {status.value}."
        return Failed(problem=Problem(code="execution.not_successful", message=message), status=Status.CANCELED)
    return Again(after=_LOOKS_AGAIN, waiting_for=children.wait(found))


stage = StageType(
    name="dependsOnExecution",
    label="Depends On Execution",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="dependsOnExecution", run=look, timeout=timedelta(hours=2)),),
)
