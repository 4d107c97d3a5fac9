"""Pipeline triggers: a pipeline that starts when another one has ended. Source: Orca's DependentPipelineStarter."""

from collections.abc import Sequence

from gennaker.model import ancestry, artifact_matching
from gennaker.model.artifact import Artifact, ExpectedArtifact
from gennaker.model.codec import Json, JsonObject, distinct, milliseconds, to_json
from gennaker.model.execution import Execution
from gennaker.model.foreign import flag, items, mapping, mappings
from gennaker.model.statuses import Status

_WORDS = {
    Status.SUCCEEDED: "successful",
    Status.CANCELED: "canceled",
    Status.SUSPENDED: "suspended",
}
"""How a trigger's `status` list names an end; everything else is `failed`."""


def trigger_for(config: JsonObject, ended: Execution) -> JsonObject | None:
    """The runtime trigger with which a pipeline starts because of this end, or None."""
    if flag(config.get("disabled")):
        return None
    word = _WORDS.get(ended.head.status, "failed")
    for trigger in mappings(config.get("triggers")):
        statuses = trigger.get("status")
        if (
            flag(trigger.get("enabled"))
            and trigger.get("type") == "pipeline"
            and trigger.get("pipeline") == ended.head.pipeline_config_id
            and isinstance(statuses, list)
            and word in statuses
        ):
            return _runtime(config, trigger, ended)
    return None


def artifacts_of(execution: Execution) -> list[Json]:
    """All artifacts of an execution: its stages' newest first, then its trigger's; each once."""
    sources = [stage.outputs.get("artifacts") for stage in reversed(list(execution.top_level()))]
    return distinct(one for listed in (*sources, execution.head.trigger.get("artifacts")) for one in items(listed))


def _runtime(config: JsonObject, trigger: JsonObject, ended: Execution) -> JsonObject:
    head = ended.head
    received = artifacts_of(ended)
    user = trigger.get("runAsUser") or head.trigger.get("user") or "[anonymous]"
    return {
        **{key: value for key, value in trigger.items() if key != "status"},
        "type": "pipeline",
        "user": user,
        "parentExecution": _parent(ended),
        "parentPipelineStageId": None,
        "strategy": False,
        "correlationId": f"{head.id}_null_{config.get('id')}_{milliseconds(head.start_time)}",
        "parameters": {},
        "dryRun": head.trigger.get("dryRun", False),
        **({"shadow": True} if head.trigger.get("shadow") is True else {}),
        "artifacts": received,
        "expectedArtifactIds": _expected_ids(config, trigger, received),
    }


def _parent(ended: Execution) -> JsonObject:
    """What expressions may ask of the parent; the whole of it stays where it is."""
    head = ended.head
    outlined = ancestry.outline(head)
    return {
        **outlined,
        "status": head.status.value,
        # With what its own trigger brought along: expressions look for parameters and payload there.
        "trigger": {
            **mapping(outlined["trigger"]),
            **{key: value for key, value in head.trigger.items() if key != ancestry.KEY},
        },
        "stages": [
            {
                "refId": stage.ref_id,
                "name": stage.name,
                "type": stage.type,
                "status": stage.status.value,
                "outputs": to_json(stage.outputs),
            }
            for stage in ended.top_level()
        ],
    }


def _expected_ids(config: JsonObject, trigger: JsonObject, received: list[Json]) -> list[Json]:
    ids = list(items(trigger.get("expectedArtifactIds")))
    artifacts = [artifact_matching.read(one) for one in mappings(received)]
    for expected in mappings(config.get("expectedArtifacts")):
        wanted = artifact_matching.read_expected(expected)
        if wanted.id not in ids and _is_met(wanted, artifacts):
            ids.append(wanted.id)
    return ids


def _is_met(wanted: ExpectedArtifact, artifacts: Sequence[Artifact]) -> bool:
    try:
        return any(artifact_matching.matches(wanted.match_artifact, artifact) for artifact in artifacts)
    except artifact_matching.InvalidPattern:
        return False
