"""Expanding: finding the template, planning, and running what comes of it."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import scripted
from tests.fakes.definitions import MemoryDefinitions
from tests.fakes.scripted import Target
from tests.fakes.virtual_time import VirtualTime
from tests.harness import Harness, problem_of
from tests.make import AT, stage_json
from tests.unit.engine.test_templates import TEMPLATE, use

from gennaker.engine import expanding
from gennaker.engine.templates import Expanded
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow


def stored(*keys: str) -> MemoryDefinitions:
    """A store where each template waits as long as its key is."""
    definitions = MemoryDefinitions(VirtualTime())
    for key in keys:
        variables: list[Any] = [{"name": "seconds", "type": "int", "defaultValue": len(key)}]
        body: JsonObject = {**TEMPLATE, "variables": variables}
        asyncio.run(definitions.save("template", key, body, author="ada"))
    return definitions


def expand(reference: str, *keys: str, trigger: JsonObject | None = None, instead: Any = None) -> Expanded:
    config = use(template={"reference": reference})
    return asyncio.run(expanding.expanded(config, trigger or {}, stored(*keys), at=AT, instead=instead))


def seconds(found: Expanded) -> Any:
    variables: Any = found.config["templateVariables"]
    return variables["seconds"]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("spinnaker://deliver", "deliver"),
        ("spinnaker://deliver:stable", "deliver:stable"),
        ("spinnaker://deliver@sha256:ab", "deliver@sha256:ab"),
        ("spinnaker://build", "build:latest"),
        ("spinnaker://deliver:${ trigger.parameters.tag }", "deliver:stable"),
    ],
)
def test_a_reference_finds_what_is_stored_under_its_key(reference: str, found: str) -> None:
    keys = ("deliver", "deliver:stable", "deliver@sha256:ab", "build:latest")

    assert seconds(expand(reference, *keys, trigger={"parameters": {"tag": "stable"}})) == len(found)


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("spinnaker://nobody", "template.unknown"),
        ("spinnaker://deliver:stable", "template.unknown"),
        ("https://example.org/t.json", "template.reference"),
        ("spinnaker://", "template.reference"),
    ],
)
def test_a_reference_to_nothing_is_said_with_what_there_is(reference: str, code: str) -> None:
    (problem,) = expand(reference, "deliver", "deliver:latest").problems

    assert problem.code == code
    assert code != "template.unknown" or problem.remedy == "Templates are deliver."


def with_default(
    default: Any, trigger: JsonObject, variables: JsonObject | None = None, *, kind: str = "int", beside: Any = None
) -> Expanded:
    """A use whose variable `seconds` has the default, beside one called `half`, or what else is beside it."""
    declared: list[Any] = [
        beside or {"name": "half", "type": "int", "defaultValue": 3},
        {"name": "seconds", "type": kind, "defaultValue": default},
    ]
    template: JsonObject = {**TEMPLATE, "variables": declared}
    config = use(template={"reference": "spinnaker://deliver"}, variables=variables or {})
    return asyncio.run(expanding.expanded(config, trigger, stored(), at=AT, instead={"deliver": template}))


@pytest.mark.parametrize(
    ("default", "variables", "expected"),
    [
        ("${ trigger.payload.n }", {}, 5),
        ("${ half + half }", {}, 6),
        ("${ half + half }", {"half": 4}, 8),
        ("${ application.length() }", {}, 4),
    ],
)
def test_a_default_is_evaluated_before_its_type_is_looked_at(
    default: str, variables: JsonObject, expected: int
) -> None:
    found = with_default(default, {"payload": {"n": 5}}, variables)

    assert (found.problems, seconds(found)) == ((), expected)


@pytest.mark.parametrize("default", ["${ 5L }", "${ trigger.payload.n.longValue() }"])
def test_a_small_long_that_an_expression_gives_is_one(default: str) -> None:
    found = with_default(default, {"payload": {"n": 5}}, kind="long")

    assert (found.problems, seconds(found)) == ((), 5)


def test_what_declares_no_variable_is_told_beside_defaults_with_expressions_too() -> None:
    (problem,) = with_default("${ 1 + 1 }", {}, beside="nonsense").problems

    assert (problem.pointer, problem.message) == ("/variables/0", "Each variable has a name.")


def test_a_default_that_the_trigger_does_not_fill_is_of_the_wrong_type() -> None:
    (problem,) = with_default("${ trigger.payload.n }", {"payload": {}}).problems

    assert problem.code == "template.variable_type"


def test_a_default_that_waits_for_a_trigger_is_no_problem_before_there_is_one() -> None:
    found = with_default("${ trigger.payload.n }", {})

    assert (found.problems, seconds(found)) == ((), "${ trigger.payload.n }")


def test_a_template_that_is_not_stored_yet_can_stand_in() -> None:
    changed = {**TEMPLATE, "variables": [{"name": "seconds", "type": "int", "defaultValue": 99}]}

    assert seconds(expand("spinnaker://deliver", "deliver", instead={"deliver": changed})) == 99


def test_a_pipeline_of_its_own_stays_as_it_is() -> None:
    config: JsonObject = {"stages": [], "name": "x"}

    assert asyncio.run(expanding.expanded(config, {}, stored(), at=AT)) == Expanded(config=config)


def test_a_plan_shows_the_values_where_they_are_used_and_leaves_the_rest() -> None:
    more = stage_json("x", "w", type="wait", waitTime="${ later }", comments="for ${ templateVariables.seconds } s")
    config = use(variables={"seconds": 7}, stages=[more])

    planned: Any = asyncio.run(expanding.plan(config, stored("deliver"), at=AT)).config

    assert [one["waitTime"] for one in planned["stages"]] == [7, "${ later }"]
    assert planned["stages"][1]["comments"] == "for 7 s"
    assert planned["templateVariables"] == {"seconds": 7}


def test_a_plan_that_can_not_be_made_says_why() -> None:
    found = asyncio.run(expanding.plan(use(variables={"seconds": None}), stored("deliver"), at=AT))

    assert [problem.code for problem in found.problems] == ["template.variable_null"]


def run(evaluator: str, **fields: Any) -> Execution:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    asyncio.run(harness.definitions.save("template", "deliver:latest", TEMPLATE, author="ada"))
    return harness.run(use(spelEvaluator=evaluator, **fields))


@pytest.mark.parametrize("evaluator", ["v3", "v4"])
def test_what_is_made_from_a_template_runs_with_its_values(evaluator: str) -> None:
    execution = run(evaluator, variables={"seconds": 50})

    head = execution.head
    assert head.status is Status.SUCCEEDED
    assert head.start_time is not None
    assert head.end_time is not None
    assert 50 <= (head.end_time - head.start_time).total_seconds() < 51
    assert head.template_variables == {"seconds": 50}
    assert head.source == {"type": "templatedPipeline", "version": "v2"}
    assert head.trigger["parameters"] == {"env": "test"}, "parameters are inherited"
    assert head.limit_concurrent


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"template": {"reference": "spinnaker://nobody"}}, "There is no pipeline template 'nobody'"),
        ({"variables": {"seconds": "soon"}}, "expected type 'int' found type 'string'"),
        ({"schema": "1"}, "only 'v2' is supported"),
    ],
)
def test_one_that_can_not_be_expanded_ends_before_it_begins(fields: JsonObject, said: str) -> None:
    execution = run("v4", **fields)

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)


def test_the_guides_example_runs() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "templates.md").read_text()
    template, config = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", guide, re.DOTALL))
    harness = Harness(flow.plugin)
    asyncio.run(harness.definitions.save("template", template["id"], template, author="ada"))

    execution = harness.run(config)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [stage.name for stage in execution.top_level()] == ["Wait", "Check"]
    assert next(execution.top_level()).context["comments"] == "Before shop is delivered"
