"""Evaluate artifacts: texts become artifacts that downstream can bind."""

import base64
from typing import Any

from tests import make
from tests.harness import Harness, problem_of

from gennaker.model.codec import Json
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow

CONTENTS: list[Json] = [
    {"name": "values", "contents": "tag: ${parameters.tag}", "id": "1"},
    {"name": "map", "contents": "${ {a: 1} }"},
]


def run(**context: Any) -> Execution:
    stage = make.stage_json("a", type="evaluateArtifacts", artifactContents=CONTENTS, **context)
    return Harness(flow.plugin).run(make.config(stage), {"parameters": {"tag": "7"}})


def test_each_text_becomes_an_embedded_artifact() -> None:
    execution = run()

    outputs: Any = next(execution.top_level()).outputs
    assert [base64.b64decode(one["reference"]).decode() for one in outputs["artifacts"]] == ["tag: 7", '{"a":1}']
    assert [(one["type"], one["artifactAccount"], one["name"]) for one in outputs["artifacts"]] == [
        ("embedded/base64", "embedded-artifact", "values"),
        ("embedded/base64", "embedded-artifact", "map"),
    ]


def test_a_text_sees_those_before_it_and_one_without_contents_makes_none() -> None:
    listed: list[Json] = [
        {"name": "one", "contents": "${ 1 + 1 }"},
        {"name": "two", "contents": "${ one + 1 }"},
        {"name": "wrong", "contents": "${ one * nothing }"},
        {"name": "${ one }", "contents": "${ wrong == null }"},
        {"name": "empty", "contents": ""},
        {"name": "none", "contents": None},
    ]
    stage = make.stage_json("a", type="evaluateArtifacts", artifactContents=listed)

    execution = Harness(flow.plugin).run(make.config(stage, spelEvaluator="v4"))

    made: Any = next(execution.top_level()).outputs["artifacts"]
    assert {one["name"]: base64.b64decode(one["reference"]).decode() for one in made} == {
        "one": "2",
        "two": "3",
        "wrong": "${ one * nothing }",
        "${ one }": "true",
    }


def test_what_is_expected_is_bound_to_them() -> None:
    expected: list[Json] = [{"id": "e", "matchArtifact": {"type": "embedded/base64", "name": "values"}}]

    outputs: Any = next(run(expectedArtifacts=expected).top_level()).outputs

    assert [one["name"] for one in outputs["artifacts"]] == ["values"]
    assert outputs["resolvedExpectedArtifacts"][0]["boundArtifact"]["name"] == "values"


def test_what_is_expected_and_missing_fails_the_stage() -> None:
    execution = run(expectedArtifacts=[{"id": "e", "matchArtifact": {"name": "nobody"}}])

    assert execution.head.status is Status.TERMINAL
    assert "could not be resolved" in problem_of(execution)
