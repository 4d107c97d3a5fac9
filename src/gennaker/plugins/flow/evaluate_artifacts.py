"""Evaluate artifacts: makes embedded artifacts of texts whose expressions the pipeline fills in.

With the evaluator v4 each text sees those before it by their names. One without contents makes no artifact.
"""

import base64

import msgspec

from gennaker.interfaces import produced
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.artifact import ExpectedArtifactKeys, Plain
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.event import Done, TaskResult

_ACCOUNT = "embedded-artifact"


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes an artifact."""

    name: Plain = ""
    contents: Json = None
    """Text; what isn't is written as JSON."""
    id: Plain = ""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    artifact_contents: tuple[Content, ...] = ()
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] = ()


async def make(context: TaskContext) -> TaskResult:
    """One artifact an entry that has contents, in base64."""
    entries = foreign.mappings(context.stage.context.get("artifactContents"))
    artifacts: list[Json] = [_artifact(one) for one in entries if one.get("contents") not in (None, "")]
    return Done(context={"artifacts": artifacts}, outputs={"artifacts": artifacts})


def _artifact(entry: JsonObject) -> JsonObject:
    content = entry.get("contents")
    text = content if isinstance(content, str) else encode(content).decode()
    artifact: JsonObject = {
        "type": "embedded/base64",
        "artifactAccount": _ACCOUNT,
        "name": entry.get("name"),
        "reference": base64.b64encode(text.encode()).decode(),
    }
    if entry.get("id"):
        artifact["metadata"] = {"id": entry["id"]}
    return artifact


stage = StageType(
    name="evaluateArtifacts",
    label="Evaluate Artifacts",
    about=__doc__,
    spec=Spec,
    tasks=(
        TaskType(name="evaluateArtifacts", run=make, is_calculation=True),
        TaskType(name="bindArtifacts", run=produced.bind, is_calculation=True),
    ),
    restart_clears=("artifacts", "resolvedExpectedArtifacts"),
    evaluates_in_order="artifactContents",
    runs_in_dry_run=True,
)
