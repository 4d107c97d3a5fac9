"""Produced artifacts: binding what a stage expects to the artifacts that it sees (Orca's task bindProducedArtifacts).

Other than at submission the first artifact that fits is taken, even if several fit.
"""

from collections.abc import Sequence

import msgspec

from gennaker.model import artifact_matching, foreign
from gennaker.model.artifact import Artifact, ExpectedArtifact
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.problems import Problem


def bound(expected: Json, artifacts: Sequence[JsonObject]) -> TaskResult:
    """The task's result: `artifacts` and `resolvedExpectedArtifacts` in context and outputs, or what isn't there."""
    listed = foreign.mappings(expected)
    if not listed:
        return Done()
    found = resolved(listed, artifacts)
    return Failed(problem=found) if isinstance(found, Problem) else Done(context=found, outputs=found)


def resolved(expected: Sequence[JsonObject], artifacts: Sequence[JsonObject]) -> JsonObject | Problem:
    """The bound artifacts and the expectations with them, as a stage puts them out."""
    wanted: list[ExpectedArtifact] = []
    current: list[Artifact] = []
    try:
        wanted = [artifact_matching.read_expected(one) for one in expected]
        current = [artifact_matching.read(one) for one in artifacts]
    except msgspec.ValidationError as error:
        return Problem(code="artifact.unreadable", message=f"An artifact can't be read: {error}.")
    resolution = artifact_matching.resolve(wanted, current, requires_unique=False)
    if resolution.problems:
        return resolution.problems[0]
    return {
        "artifacts": [to_json(one) for one in resolution.artifacts],
        "resolvedExpectedArtifacts": [to_json(one) for one in resolution.expected],
    }
