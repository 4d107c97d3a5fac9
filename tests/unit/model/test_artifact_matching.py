"""Artifact matching: which artifact is the expected one, which is bound to what."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gennaker.model import artifact_matching
from gennaker.model.artifact import Artifact, ExpectedArtifact
from gennaker.model.codec import to_json

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "events.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["artifact_matching"], ids=lambda case: case["id"])
def test_artifacts_match_as_in_kork(case: dict[str, Any]) -> None:
    expected = artifact_matching.read_expected(case["expected"])

    assert (
        artifact_matching.matches(expected.match_artifact, artifact_matching.read(case["artifact"])) is case["matches"]
    )


@pytest.mark.parametrize("case", GOLDEN["artifact_resolution"], ids=lambda case: case["id"])
def test_artifacts_are_resolved_as_in_orca(case: dict[str, Any]) -> None:
    found = artifact_matching.resolve(
        [artifact_matching.read_expected(one) for one in case["expected"]],
        [artifact_matching.read(one) for one in case["current"]],
        prior=[artifact_matching.read(one) for one in case["prior"]],
        requires_unique=case["require_unique"],
    )

    assert [one.code.removeprefix("artifact.") for one in found.problems] == ([case["error"]] if case["error"] else [])
    assert [to_json(one) for one in found.artifacts] == (case["resolved"] or [])


def test_two_that_fit_are_a_problem_only_where_one_is_wanted() -> None:
    expected = [ExpectedArtifact(id="x", match_artifact=Artifact(type="docker/image"))]
    current = [Artifact(type="docker/image", name="a"), Artifact(type="docker/image", name="b")]

    unique = artifact_matching.resolve(expected, current)
    first = artifact_matching.resolve(expected, current, requires_unique=False)

    assert [(one.code, one.pointer) for one in unique.problems] == [("artifact.ambiguous", "/expectedArtifacts/0")]
    assert first.artifacts == (current[0],)


def test_text_that_is_no_pattern_matches_itself_and_is_a_problem_elsewhere() -> None:
    expected = ExpectedArtifact(id="x", match_artifact=Artifact(name="+++"))

    assert artifact_matching.matches(expected.match_artifact, Artifact(name="+++"))
    found = artifact_matching.resolve([expected], [Artifact(name="a")])
    assert [one.code for one in found.problems] == ["artifact.invalid_pattern"]


def test_an_artifact_without_type_does_not_fit_a_typed_expectation() -> None:
    assert not artifact_matching.matches(Artifact(type="docker/image"), Artifact(name="a"))


def test_unknown_keys_become_metadata() -> None:
    found = artifact_matching.read({"name": "a", "kind": "x", "size": 3, "metadata": {"id": 1}, "version": None})

    assert found == Artifact(name="a", metadata={"id": 1, "size": 3})


def test_a_field_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        artifact_matching.read({"name": ["a"]})


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (r"\p{Alpha}+", "shop", True),
        (r"\p{Alpha}+", "shop1", False),
        ("sho++p", "shoop", True),
        ("s.*+p", "shop", False),
        ("[a-z&&[^x]]+", "shop", True),
        (r"\Qs.op\E", "shop", False),
        ("sh", "shop", False),
    ],
)
def test_patterns_are_javas_and_match_the_whole(pattern: str, name: str, expected: bool) -> None:
    wanted = Artifact(type="docker/image", name=pattern)

    assert artifact_matching.matches(wanted, Artifact(type="docker/image", name=name)) is expected


def test_a_pattern_that_is_none_is_told_with_what_is_wrong() -> None:
    with pytest.raises(artifact_matching.InvalidPattern, match="no regular expression that can be used"):
        artifact_matching.matches(Artifact(name="("), Artifact(name="shop"))
