"""Sources: where a stage's manifests come from, and the artifacts that it must and may bind.

Text stands in the stage and its expressions are evaluated with it; an artifact is fetched, read as YAML and evaluated here.
"""

import asyncio

import msgspec
import yaml

from gennaker.interfaces import artifacts
from gennaker.interfaces.stages import StageContext
from gennaker.model import artifact_matching, foreign
from gennaker.model.artifact import Artifact
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.problems import Problem, Refused

_LIMIT_VALUES = 3_000_000
"""Values after aliases are expanded: a few aliases of aliases could stand for billions."""


async def documents(context: StageContext) -> list[Json]:
    """The stage's manifests as they are written. Raises Refused, artifacts.ArtifactUnavailable."""
    own = context.stage.context
    if foreign.text_at(own, "source") != "artifact":
        given = own.get("manifests")
        if isinstance(given, dict):
            return [given]
        return foreign.items(given) or ([own["manifest"]] if own.get("manifest") else [])
    artifact = _named(context, foreign.text_at(own, "manifestArtifactId"), own.get("manifestArtifact"))
    if own.get("manifestArtifactAccount") and not artifact.get("artifactAccount"):
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


def read_yaml(content: bytes) -> list[Json]:
    """The documents of a YAML or JSON text; documents that are lists are opened, empty ones left out. Raises Refused."""
    try:
        text = content.decode()
        found: list[Json] = []
        for one in _loaded(text):
            found += one if isinstance(one, list) else [] if one is None else [one]
        _check_size(found)
        found = [foreign.of_yaml(one) for one in found]
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        said = " ".join(str(error).split())[:300]
        raise Refused(
            Problem(code="manifest.not_yaml", message=f"The manifest artifact isn't plain YAML: {said}.")
        ) from error
    return found


def _loaded(text: str) -> list[Json]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return [decode_json(text)]
        except msgspec.DecodeError:
            pass  # flow style of YAML begins so too
    return list(yaml.load_all(text, Loader=_Loader))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # whichever there is
    """Plain data; what looks like a date stays text, as the API server wants it."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _check_size(found: Json) -> None:
    left, values = [found], 0
    while left:
        one = left.pop()
        values += 1
        if values > _LIMIT_VALUES:
            raise ValueError(f"it has more than {_LIMIT_VALUES:,} values")
        if isinstance(one, dict):
            left += one.values()
        elif isinstance(one, list):
            left += one


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
