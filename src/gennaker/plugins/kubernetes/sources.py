"""Sources: where a stage's manifests come from, and the artifacts that it must and may bind.

Text stands in the stage and its expressions are evaluated with it; an artifact is fetched, read as YAML and evaluated here.
"""

import asyncio

import msgspec

from gennaker.interfaces import artifacts
from gennaker.interfaces.stages import StageContext
from gennaker.model import artifact_matching, foreign, plain_yaml
from gennaker.model.artifact import Artifact
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.problems import Problem, Refused

_TEXT = Problem(
    code="manifest.text",
    message="`manifests` is a text, and must be a list of manifests.",
    remedy="Write each manifest as a map; an expression makes a list of YAML with #readAllYaml(…).",
    pointer="/manifests",
)
"""Without what it says: that may be a Secret."""


async def documents(context: StageContext) -> list[Json]:
    """The stage's manifests as they are written. Raises Refused, artifacts.ArtifactUnavailable."""
    own = context.stage.context
    if foreign.text_at(own, "source") != "artifact":
        given = own.get("manifests")
        if isinstance(given, dict):
            return [given]
        if isinstance(given, str) and given.strip():
            raise Refused(_TEXT)
        return _flat(foreign.items(given)) or ([own["manifest"]] if own.get("manifest") else [])
    artifact = _named(context, foreign.text_at(own, "manifestArtifactId"), own.get("manifestArtifact"))
    if own.get("manifestArtifactAccount"):  # wins over the artifact's own, as in Orca
        artifact = {**artifact, "artifactAccount": own["manifestArtifactAccount"]}
    content = await artifacts.content(context.services.artifacts, artifact)
    found = await asyncio.to_thread(read_yaml, content)
    if foreign.flag(own.get("skipExpressionEvaluation")):
        return found
    evaluated = context.sight.evaluate(found)
    if evaluated.failed and foreign.flag(own.get("failOnFailedExpressions")):
        raise Refused(
            Problem(
                code="manifest.expressions",
                message=f"Expressions in the manifest failed: {'; '.join(evaluated.failed)}",
            )
        )
    return foreign.items(evaluated.value)


def _flat(given: list[Json]) -> list[Json]:
    """An expression among the manifests may give a list of them."""
    found: list[Json] = []
    for one in given:
        found += _flat(one) if isinstance(one, list) else [one]
    return found


def read_yaml(content: bytes) -> list[Json]:
    """The documents of a YAML or JSON text; documents that are lists are opened, empty ones left out. Raises Refused."""
    found: list[Json] = []
    try:
        for one in plain_yaml.read_all(content):
            found += one if isinstance(one, list) else [] if one is None else [one]
    except plain_yaml.NotPlain as error:
        raise Refused(
            Problem(code="manifest.not_yaml", message=f"The manifest artifact isn't plain YAML: {error}.")
        ) from error
    return found


def required(context: StageContext) -> tuple[Artifact, ...]:
    """The artifacts that must be bound. Raises Refused where one isn't there."""
    own = context.stage.context
    found = [_named(context, foreign.text(one), None) for one in foreign.items(own.get("requiredArtifactIds"))]
    for one in foreign.mappings_at(own, "requiredArtifacts"):
        inline = one.get("artifact") if "artifact" in one or "expectedArtifactId" in one else one
        found.append(_named(context, foreign.text_at(one, "expectedArtifactId"), inline))
    return tuple(_read(found))


def optional(context: StageContext) -> tuple[Artifact, ...]:
    """The artifacts that may be bound: all that the stage sees."""
    return tuple(_read(context.sight.artifacts()))


def told(context: StageContext) -> JsonObject:
    """Both, as Orca's stages put them out. Raises Refused.

    What an artifact holds itself isn't said once more: each stage would have a copy of all that was baked before it.
    """
    both = {"requiredArtifacts": required(context), "optionalArtifacts": optional(context)}
    return {key: [to_json(_without_content(one)) for one in found] for key, found in both.items()}


def _without_content(artifact: Artifact) -> Artifact:
    return msgspec.structs.replace(artifact, reference=None) if artifact.type in artifacts.INLINE else artifact


def _read(raw: list[JsonObject]) -> list[Artifact]:
    try:
        return [artifact_matching.read(one) for one in raw]
    except msgspec.ValidationError as error:
        raise Refused(Problem(code="artifact.unreadable", message=f"An artifact can't be read: {error}.")) from error


def _named(context: StageContext, expected_id: str, inline: Json) -> JsonObject:
    bound = context.sight.bound_artifact(expected_id) if expected_id else None
    if bound is not None:
        return bound
    if isinstance(inline, dict):
        return inline
    raise Refused(
        Problem(
            code="manifest.no_artifact",
            message=f"No artifact is bound to the expected artifact {expected_id!r}."
            if expected_id
            else "The stage names no artifact.",
            remedy="Start the run with an artifact that fits it, or give the expected artifact a default.",
        )
    )
