"""Pipeline: starts another pipeline and, unless told otherwise, waits for its end.

A pipeline that is made from a template is expanded when it is submitted, like any other start of it.
"""

from datetime import timedelta

import msgspec

from gennaker.interfaces import produced
from gennaker.interfaces.executions import Submission
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import artifact_matching, foreign
from gennaker.model.artifact import ExpectedArtifactKeys
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Again, CancelAsked, Done, Failed, TaskResult
from gennaker.model.execution import Execution
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.flow import children

_LOOKS_AGAIN = timedelta(seconds=15)
"""The child's end wakes the task; this is for an end that was told while this execution was paused."""


DEEPEST = 250
"""Children within children: more are pipelines that start each other without end."""


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


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """Start, monitor unless the stage doesn't wait, bind artifacts where some are expected."""
    own = context.stage.context
    waits = str(context.lookup("waitForCompletion")).lower() != "false"
    tasks = () if own.get("executionId") else (_START.planned(),)
    binds = (produced.task.planned(),) if "expectedArtifacts" in own else ()
    return Plan(tasks=(*tasks, *((_MONITOR.planned(),) if waits else ()), *binds))


async def start(context: TaskContext) -> TaskResult:
    """Starts the child once: its submission key is this attempt's."""
    config_id = str(context.lookup("pipeline") or "")
    definition = await context.services.definitions.get("pipeline", config_id)
    if definition is None:
        return Failed(problem=_unknown(config_id))
    if foreign.flag(definition.body.get("disabled")):
        return Failed(problem=_disabled(definition.body))
    depth = _depth(context.execution)
    if depth > DEEPEST:
        return Failed(problem=_too_deep(definition.body))
    config: JsonObject = {**definition.body, "id": config_id}
    trigger = _trigger(context, await context.services.checks.expanded(config), depth=depth)
    child = await context.services.executions.submit(
        Submission(config=config, trigger=trigger, key=context.attempt_key),
        Principal(name=context.sight.user, via="pipeline", headers=context.execution.head.additional_headers),
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
    seen: JsonObject = {"status": status.value}
    if not status.is_complete:
        return Again(after=_LOOKS_AGAIN, waiting_for=children.wait(child), context=seen)
    outputs = {} if foreign.flag(context.lookup("skipDownstreamOutput")) else context.sight.outputs_of(child)
    if status is Status.SUCCEEDED:
        return Done(context=seen, outputs=outputs)
    if status is not Status.CANCELED:
        seen["exception"] = _exception(child)
    return Failed(
        problem=_failed(child),
        status=Status.CANCELED if status is Status.CANCELED else Status.TERMINAL,
        context=seen,
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


def _depth(execution: Execution) -> int:
    """How many executions above a child of this one are there: 1 for the child of one that nobody's stage has started."""
    parent = execution.head.trigger.get("parentExecution")
    before = parent.get("depth") if isinstance(parent, dict) else None
    return before + 1 if isinstance(before, int) else 1


def _trigger(context: TaskContext, config: JsonObject, *, depth: int) -> JsonObject:
    head = context.execution.head
    artifacts: list[Json] = list(context.sight.artifacts())
    supplied = context.lookup("pipelineParameters")
    parent: JsonObject = {
        "id": head.id,
        "name": head.name,
        "application": head.application,
        "rootId": head.root_id,
        "type": head.kind.value,
        "depth": depth,
    }
    expected_ids: list[Json] = list(_expected_ids(config, head.pipeline_config_id or "", artifacts))
    return {
        "type": "pipeline",
        "user": context.sight.user,
        "parentExecution": parent,
        "parentPipelineStageId": context.stage.id,
        "parameters": supplied if isinstance(supplied, dict) else {},
        "strategy": isinstance(supplied, dict) and supplied.get("strategy") is True,
        "artifacts": artifacts,
        "expectedArtifactIds": expected_ids,
        "correlationId": context.attempt_key,
        "dryRun": head.trigger.get("dryRun", False),
    }


def _expected_ids(config: JsonObject, parent_id: str, artifacts: list[Json]) -> list[str]:
    """What the child's triggers for this parent name, and every expectation that some artifact fits."""
    ids: list[str] = []
    for trigger in foreign.mappings(config.get("triggers")):
        if trigger.get("type") == "pipeline" and trigger.get("pipeline") == parent_id:
            named = trigger.get("expectedArtifactIds")
            ids += [str(one) for one in named] if isinstance(named, list) else []
    try:
        received = [artifact_matching.read(one) for one in artifacts if isinstance(one, dict)]
        expected = [artifact_matching.read_expected(one) for one in foreign.mappings(config.get("expectedArtifacts"))]
        ids += [
            one.id
            for one in expected
            if any(artifact_matching.matches(one.match_artifact, artifact) for artifact in received)
        ]
    except (msgspec.ValidationError, artifact_matching.InvalidPattern):
        # Said where it belongs: the child's submission reads the same artifacts and lists what is wrong with each.
        return list(dict.fromkeys(ids))
    return list(dict.fromkeys(ids))


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


def _unknown(config_id: str) -> Problem:
    return Problem(
        code="pipeline.unknown",
        message=f"There is no pipeline with the id {config_id!r}.",
        remedy="Choose an existing one in the stage's `pipeline`.",
    )


def _too_deep(body: JsonObject) -> Problem:
    return Problem(
        code="pipeline.too_deep",
        message=f"The pipeline {body.get('name')!r} would be number {DEEPEST + 1} of pipelines that start one another.",
        remedy="Pipelines probably start each other in a circle: take out one of those stages.",
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
    tasks=(_START, _MONITOR, produced.task),
    plan=plan,
    runs_in_dry_run=True,
    is_skippable=True,
    restart_clears=("executionId", "executionName", "status"),
)
