"""Pipeline: starts another pipeline and, unless told otherwise, waits for its end."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, CancelAsked, Done, Failed, TaskResult
from gennaker.model.execution import Execution, Stage
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status

_LOOKS_AGAIN = timedelta(seconds=15)
"""The child's end wakes the task; this is for an end that was told while this execution was paused."""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    pipeline: str
    """Id of the pipeline's definition."""
    application: str = ""
    pipeline_parameters: JsonObject = msgspec.field(default_factory=dict)
    wait_for_completion: bool | str = True
    """Only `false` and `"false"` mean: go on as soon as it has started."""
    skip_downstream_output: bool = False


async def plan(spec: StageSpec, context: StageContext) -> Plan:
    """Start, and monitor unless the stage doesn't wait."""
    assert isinstance(spec, Spec)
    waits = str(spec.wait_for_completion).lower() != "false"
    tasks = () if context.stage.context.get("executionId") else (_START.planned(),)
    return Plan(tasks=(*tasks, *((_MONITOR.planned(),) if waits else ())))


async def start(context: TaskContext) -> TaskResult:
    """Starts the child once: its submission key is this attempt's."""
    config_id = str(context.lookup("pipeline") or "")
    definition = await context.services.definitions.get("pipeline", config_id)
    if definition is None:
        return Failed(problem=_unknown(config_id))
    if definition.body.get("disabled") is True:
        return Failed(problem=_disabled(definition.body))
    user = context.execution.head.authentication.user
    child = await context.services.executions.submit(
        Submission(config={**definition.body, "id": config_id}, trigger=_trigger(context), key=context.attempt_key),
        Principal(name=user, via="pipeline"),
    )
    name: Json = definition.body.get("name", "")
    return Done(context={"executionId": child, "executionName": name})


async def monitor(context: TaskContext) -> TaskResult:
    """Ends as the child ends."""
    child_id = str(context.lookup("executionId") or "")
    child = await context.services.executions.get(child_id)
    if child is None:
        return Failed(problem=Problem(code="pipeline.lost", message=f"There is no execution {child_id}."))
    status = child.head.status
    if not status.is_complete:
        return Again(
            after=_LOOKS_AGAIN,
            waiting_for=waiting.ForExecution(
                reason=f"{child.head.name} ({child_id}), which is {status.value.lower().replace('_', ' ')}",
                execution_id=child_id,
                name=child.head.name,
                status=status.value,
            ),
            context={"status": status.value},
        )
    outputs = {} if context.lookup("skipDownstreamOutput") is True else _outputs(child)
    if status is Status.SUCCEEDED:
        return Done(context={"status": status.value}, outputs=outputs)
    return Failed(
        problem=_failed(child),
        status=Status.CANCELED if status is Status.CANCELED else Status.TERMINAL,
        context={"status": status.value},
        outputs=outputs,
    )


async def cancel_child(context: TaskContext) -> None:
    """The child ends with its parent."""
    child_id = context.stage.context.get("executionId")
    if not isinstance(child_id, str):
        return
    child = await context.services.executions.get(child_id)
    if child is None or child.head.status.is_complete:
        return
    event = CancelAsked(at=context.at, by="parent pipeline", reason="The parent pipeline was cancelled.")
    await context.services.executions.tell(child_id, event, Principal(name="parent pipeline", via="engine"))


def _trigger(context: TaskContext) -> JsonObject:
    head = context.execution.head
    artifacts = context.lookup("artifacts") or head.trigger.get("artifacts") or []
    supplied = context.lookup("pipelineParameters")
    parent: JsonObject = {
        "id": head.id,
        "name": head.name,
        "application": head.application,
        "rootId": head.root_id,
        "type": head.kind.value,
    }
    return {
        "type": "pipeline",
        "user": head.authentication.user,
        "parentExecution": parent,
        "parentPipelineStageId": context.stage.id,
        "parameters": supplied if isinstance(supplied, dict) else {},
        "artifacts": artifacts,
        "correlationId": context.attempt_key,
        "dryRun": head.trigger.get("dryRun", False),
    }


def _outputs(child: Execution) -> JsonObject:
    """All outputs of the child's own stages; lists are joined, of other values the last wins (Orca's rule)."""
    merged: JsonObject = {}
    for stage in child.top_level():
        for key, value in stage.outputs.items():
            before = merged.get(key)
            if isinstance(before, list) and isinstance(value, list):
                merged[key] = [*before, *(item for item in value if item not in before)]
            else:
                merged[key] = value
    return merged


def _failed(child: Execution) -> Problem:
    causes = list(_causes(child))
    said = "; ".join(f"{stage.name}: {message}" for stage, message in causes) or str(child.head.status.value)
    return Problem(
        code="pipeline.child_failed",
        message=f"Exception in child pipeline {child.head.name} ({said})",
        details={"executionId": child.head.id, "stageId": causes[0][0].id if causes else None},
    )


def _causes(child: Execution) -> Iterator[tuple[Stage, str]]:
    for stage in child.in_order():
        if stage.status is not Status.TERMINAL:
            continue
        exception = stage.context.get("exception")
        details = exception.get("details") if isinstance(exception, dict) else None
        errors = details.get("errors") if isinstance(details, dict) else None
        if isinstance(errors, list) and errors:
            yield stage, ", ".join(map(str, errors))


def _unknown(config_id: str) -> Problem:
    return Problem(
        code="pipeline.unknown",
        message=f"There is no pipeline with the id {config_id!r}.",
        remedy="Choose an existing one in the stage's `pipeline`.",
    )


def _disabled(body: JsonObject) -> Problem:
    return Problem(
        code="pipeline.disabled",
        message=f"The pipeline {body.get('name')!r} is disabled.",
        remedy="Enable it, or take this stage out.",
    )


_START = TaskType(name="startPipeline", run=start)
_MONITOR = TaskType(name="monitorPipeline", run=monitor, stop=cancel_child, timeout=timedelta(hours=12))
stage = StageType(
    name="pipeline",
    label="Pipeline",
    about=__doc__,
    spec=Spec,
    tasks=(_START, _MONITOR),
    plan=plan,
    is_skippable=True,
    restart_clears=("executionId", "executionName", "status"),
)
