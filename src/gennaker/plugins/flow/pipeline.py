"""Pipeline: starts another pipeline and, unless told otherwise, waits for its end.

A pipeline that is made from a template is expanded when it is submitted, like any other start of it.
"""

from datetime import timedelta

import msgspec

from gennaker.interfaces import produced
from gennaker.interfaces.executions import Found
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.artifact import ExpectedArtifactKeys
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.flow import child_starts, children, others

_LOOKS_AGAIN = timedelta(seconds=15)
"""The child's end wakes the task; this is for an end that was told while this execution was paused."""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    pipeline: str
    """Id of the pipeline's definition."""
    application: str = ""
    pipeline_application: str = ""
    """The other pipeline's application where `application` is this one's."""
    pipeline_parameters: JsonObject | None = None
    wait_for_completion: bool | str | None = True
    """Only `false` and `"false"` mean: go on as soon as it has started."""
    skip_downstream_output: bool = False
    skippable: bool = False
    """A person may skip the stage while it waits."""
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] | None = None


def warn(stage: JsonObject) -> tuple[Problem, ...]:
    """Of a stage that names no pipeline: an output of a stage before it may, but hardly ever does."""
    if stage.get("pipeline"):
        return ()
    message = "The stage names no pipeline to start: it fails unless an output `pipeline` of a stage before it does."
    return (Problem(code="pipeline.none_named", message=message, remedy="Set its `pipeline` to a pipeline's id."),)


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """Start, monitor unless the stage doesn't wait, bind artifacts where some are expected."""
    own = context.stage.context
    waits = str(context.lookup("waitForCompletion")).lower() != "false"
    tasks = () if own.get("executionId") else (_START.planned(),)
    binds = (_BIND.planned(),) if _binds(own) else ()
    return Plan(tasks=(*tasks, *((_MONITOR.planned(),) if waits else ()), *binds))


async def start(context: TaskContext) -> TaskResult:
    """Starts the child once: its submission key is this attempt's."""
    supplied = context.lookup("pipelineParameters")
    child = await child_starts.start(
        context,
        str(context.lookup("pipeline") or ""),
        parameters=supplied if isinstance(supplied, dict) else {},
        key=context.attempt_key,
        correlation_id=_correlation_id(context),
    )
    return Done(context={"executionId": child.execution_id, "executionName": child.name})


async def monitor(context: TaskContext) -> TaskResult:
    """Ends as the child ends."""
    child_id = str(context.lookup("executionId") or "")
    child = await context.services.executions.get(child_id)
    if child is None:
        return Failed(problem=Problem(code="pipeline.lost", message=f"There is no execution {child_id}."))
    refused = await others.refusal(context, child)
    if refused is not None:
        return Failed(problem=refused)
    status = child.head.status
    seen: JsonObject = {"status": status.value}
    if not status.is_complete:
        return Again(after=_LOOKS_AGAIN, waiting_for=children.wait(child), context=seen)
    outputs = context.sight.outputs_of(child)
    if status is Status.SUCCEEDED:
        # What is bound afterwards is looked for among these.
        is_over = not _binds(context.stage.context)
        return Done(context=seen, outputs=_nothing(context) if is_over and _skips(context) else outputs)
    if status is not Status.CANCELED:
        seen["exception"] = _exception(child)
    return Failed(
        problem=_failed(child),
        status=Status.CANCELED if status is Status.CANCELED else Status.TERMINAL,
        context=seen,
        outputs=_nothing(context) if _skips(context) and _goes_on(context) else outputs,
    )


async def bind(context: TaskContext) -> TaskResult:
    """Binds what is expected; nothing stays put out where the stage says so, neither that nor what the child has put out."""
    found = await produced.bind(context)
    if not _skips(context) or (isinstance(found, Failed) and not _goes_on(context)):
        return found
    return msgspec.structs.replace(found, outputs=_nothing(context))


def _binds(own: JsonObject) -> bool:
    return "expectedArtifacts" in own


def _skips(context: TaskContext) -> bool:
    return foreign.flag(context.lookup("skipDownstreamOutput"))


def _goes_on(context: TaskContext) -> bool:
    """Whether the pipeline goes on with a failure of the stage. If it doesn't, what was put out stays, as in Orca."""
    return context.stage.context.get("continuePipeline") is True


def _nothing(context: TaskContext) -> JsonObject:
    """No outputs, nor any that a run before a restart has left."""
    return dict.fromkeys(context.stage.outputs)


async def cancel_child(context: TaskContext) -> None:
    """The child ends with its parent."""
    child_id = context.stage.context.get("executionId")
    if isinstance(child_id, str):
        await child_starts.cancel(context, child_id)


async def cancel_unseen(context: TaskContext) -> None:
    """So does one that was being started when the parent ended."""
    found = await context.services.executions.find(Found(correlation_id=_correlation_id(context), limit=1))
    if found:
        await child_starts.cancel(context, found[0].head.id)


def _correlation_id(context: TaskContext) -> str:
    """Orca's form; a stage that was restarted adds its attempt, so that it gets a child of its own."""
    head, stage = context.execution.head, context.stage
    named = f"{head.id}_{stage.id}_{context.lookup('pipeline')}_{milliseconds(head.start_time)}"
    return f"{named}_{stage.attempt}" if stage.attempt else named


def _exception(child: Execution) -> JsonObject:
    shape = children.exception(child)
    if children.errors(shape):
        return shape
    said: list[Json] = [_failed(child).message]
    return {**shape, "details": {"errors": said}}


def _failed(child: Execution) -> Problem:
    shape = children.exception(child)
    reason = child.head.cancellation_reason or "no stage of it says why"
    ended = f"The child pipeline {child.head.name} has ended {child.head.status.value}: {reason}"
    return Problem(
        code="pipeline.child_failed",
        message="; ".join(children.errors(shape)) or ended,
        details={"executionId": child.head.id, "source": shape.get("source")},
    )


_START = TaskType(name="startPipeline", run=start, stop=cancel_unseen)
_BIND = TaskType(name=produced.task.name, run=bind, is_calculation=True)
_MONITOR = TaskType(name="monitorPipeline", run=monitor, stop=cancel_child, timeout=timedelta(hours=12))
stage = StageType(
    name="pipeline",
    label="Pipeline",
    about=__doc__,
    spec=Spec,
    tasks=(_START, _MONITOR, _BIND),
    plan=plan,
    warn=warn,
    runs_in_dry_run=True,
    is_skippable=True,
    restart_clears=("executionId", "executionName", "status"),
)
