"""Child starts: starting another pipeline for a stage, once, and ending it with the stage.

A pipeline that is made from a template is expanded when it is submitted, like any other start of it.
"""

import msgspec

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.stages import TaskContext
from gennaker.model import ancestry, artifact_matching, foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution
from gennaker.model.permissions import Right
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.flow import others

DEEPEST = 250
"""Children within children: more are pipelines that start each other without end."""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A child that was started."""

    execution_id: str
    name: str


async def start(
    context: TaskContext, config_id: str, *, parameters: JsonObject, key: str, correlation_id: str = ""
) -> Child:
    """Starts the pipeline of this id; the same key starts no second child. Raises Refused.

    `correlation_id` is what the child's trigger shows, the key where there is none.
    """
    definition = await context.services.definitions.get("pipeline", config_id)
    if definition is None:
        raise Refused(_unknown(config_id))
    if foreign.flag(definition.body.get("disabled")):
        raise Refused(_disabled(definition.body))
    head, depth = context.execution.head, _depth(context.execution)
    if depth > DEEPEST:
        raise Refused(_too_deep(definition.body))
    config: JsonObject = {**definition.body, "id": config_id}
    expanded = await context.services.checks.expanded(config)
    trigger = {
        **_trigger(context, expanded, depth=depth),
        **_parametrised(parameters),
        "correlationId": correlation_id or key,
    }
    child = await context.services.executions.submit(
        Submission(config=config, trigger=trigger, key=key),
        Principal(
            name=context.sight.user,
            roles=context.sight.roles,
            behind=head.behind or (head.authentication.user if head.authentication.user != context.sight.user else ""),
            via="pipeline",
            headers=head.additional_headers,
        ),
    )
    return Child(execution_id=child, name=foreign.text(definition.body.get("name")))


async def cancel(context: TaskContext, child_id: str) -> None:
    """Cancels a child that hasn't ended; what only the pipeline's author calls one takes EXECUTE."""
    child = await context.services.executions.get(child_id)
    if child is None or child.head.status.is_complete or await others.refusal(context, child, Right.EXECUTE):
        return
    event = CancelAsked(at=context.at, by="parent pipeline", reason="The parent pipeline was cancelled.")
    await context.services.executions.tell(child_id, event, Principal(name="parent pipeline", via="engine"))


def _parametrised(parameters: JsonObject) -> JsonObject:
    return {"parameters": parameters, "strategy": parameters.get("strategy") is True}


def _depth(execution: Execution) -> int:
    """How many executions above a child of this one are there: 1 for the child of one that nobody's stage has started."""
    parent = execution.head.trigger.get("parentExecution")
    before = parent.get("depth") if isinstance(parent, dict) else None
    return max(before, 0) + 1 if isinstance(before, int) else 1


def _trigger(context: TaskContext, config: JsonObject, *, depth: int) -> JsonObject:
    head = context.execution.head
    artifacts: list[Json] = list(context.sight.artifacts())
    parent: JsonObject = {**ancestry.outline(head), "depth": depth}
    expected_ids: list[Json] = list(_expected_ids(config, head.pipeline_config_id or "", artifacts))
    return {
        "type": "pipeline",
        "user": context.sight.user,
        "parentExecution": parent,
        "parentPipelineStageId": context.stage.id,
        "artifacts": artifacts,
        "expectedArtifactIds": expected_ids,
        "dryRun": head.trigger.get("dryRun", False),
        **({"shadow": True} if head.trigger.get("shadow") is True else {}),
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
