"""Templates: what a use of a template means."""

from typing import Any

import pytest
from tests.make import stage_json

from gennaker.engine import templates
from gennaker.model.codec import Json, JsonObject

STAGE = stage_json("w", type="wait", waitTime="${ templateVariables.seconds }")
PIPELINE: JsonObject = {
    "stages": [STAGE],
    "triggers": [{"type": "git", "enabled": True}],
    "parameterConfig": [{"name": "env", "default": "test"}],
    "notifications": [{"type": "email", "address": "team"}],
    "limitConcurrent": True,
}
TEMPLATE: JsonObject = {
    "schema": "v2",
    "id": "deliver",
    "protect": False,
    "metadata": {"name": "Deliver", "scopes": ["global"]},
    "variables": [{"name": "seconds", "type": "int", "defaultValue": 5}],
    "pipeline": PIPELINE,
}


def use(**fields: Any) -> JsonObject:
    return {
        "schema": "v2",
        "type": "templatedPipeline",
        "id": "p1",
        "application": "shop",
        "name": "Deliver shop",
        "template": {"reference": "spinnaker://deliver"},
        **fields,
    }


def template(**fields: Any) -> JsonObject:
    return {**TEMPLATE, **fields}


def expanded(**fields: Any) -> JsonObject:
    found = templates.expand(use(**fields), TEMPLATE)
    assert found.problems == ()
    return found.config


def codes(config: JsonObject, used: JsonObject) -> list[str]:
    found = templates.expand(config, used)
    assert not found.problems or found.config is config
    return [problem.code for problem in found.problems]


def test_the_pipeline_is_the_templates_with_the_configurations_name_and_values() -> None:
    assert expanded(variables={"seconds": 7, "other": 1}) == {
        "id": "p1",
        "application": "shop",
        "name": "Deliver shop",
        "stages": [STAGE],
        "triggers": [{"type": "git", "enabled": True, "inherited": True}],
        "parameterConfig": [{"name": "env", "default": "test", "inherited": True}],
        "notifications": [{"type": "email", "address": "team", "inherited": True}],
        "limitConcurrent": True,
        "templateVariables": {"seconds": 7},
        "source": {"type": "templatedPipeline", "version": "v2"},
    }


def test_own_triggers_parameters_and_notifications_stand_beside_the_inherited_ones() -> None:
    own: list[Json] = [{"type": "docker"}]
    found = expanded(triggers=own, parameters=[{"name": "size"}], notifications=own)

    def second(key: str) -> Json:
        listed = found[key]
        assert isinstance(listed, list)
        assert len(listed) == 2
        return listed[1]

    assert [second(key) for key in ("triggers", "parameterConfig", "notifications")] == [
        own[0],
        {"name": "size"},
        own[0],
    ]


def test_what_is_excluded_is_not_inherited() -> None:
    own: list[Json] = [{"type": "docker"}]

    found = expanded(exclude=["triggers", "parameters", "notifications"], triggers=own)

    assert (found["triggers"], found["parameterConfig"], found["notifications"]) == (own, [], [])


@pytest.mark.parametrize(
    ("key", "own", "expected"),
    [
        ("limitConcurrent", False, True),
        ("keepWaitingPipelines", True, True),
        ("maxConcurrentExecutions", 3, 3),
        ("spelEvaluator", "v4", "v4"),
        ("disabled", True, True),
        ("description", "mine", "mine"),
    ],
)
def test_the_template_decides_the_concurrency_where_it_says_something(key: str, own: Json, expected: Json) -> None:
    assert expanded(**{key: own})[key] == expected


def test_expected_artifacts_of_both_are_expected() -> None:
    one, two = {"id": "1"}, {"id": "2"}
    used = template(pipeline={**PIPELINE, "expectedArtifacts": [one]})

    assert templates.expand(use(expectedArtifacts=[one, two]), used).config["expectedArtifacts"] == [one, two]


def test_the_configuration_may_have_stages_unless_the_template_is_protected() -> None:
    more = stage_json("x", "w", type="wait")

    assert expanded(stages=[more])["stages"] == [STAGE, more]
    assert codes(use(stages=[more]), template(protect=True)) == ["template.protected"]
    assert codes(use(stages=[more]), template(protect="true")) == ["template.protected"]
    assert codes(use(), template(protect=True)) == []


def test_all_that_is_wrong_with_a_use_is_said_at_once() -> None:
    wrong = use(variables={"seconds": "soon"}, stages=[{"refId": "x", "type": "wait"}])

    assert codes(wrong, TEMPLATE) == ["template.variable_type", "template.stage_nowhere"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"schema": "1"}, "/schema"),
        ({"id": ""}, "/id"),
        ({"pipeline": None}, "/pipeline"),
        ({"variables": {}}, "/variables"),
        ({"variables": [{"name": "a"}, {"name": "a"}]}, "/variables/1"),
        ({"variables": [7]}, "/variables/0"),
        ({"pipeline": {"template": {"reference": "spinnaker://deliver"}}}, "/pipeline/template"),
    ],
)
def test_a_template_that_is_none_is_refused_where_it_is_wrong(fields: JsonObject, pointer: str) -> None:
    assert [problem.pointer for problem in templates.check(template(**fields))] == [pointer]
    assert codes(use(), template(**fields))


def test_uses_of_templates_are_told_from_pipelines() -> None:
    assert templates.is_templated(use())
    assert templates.is_templated({"schema": "v2", "template": {"reference": "spinnaker://x"}})
    assert not templates.is_templated({"stages": [], "template": "x"})


@pytest.mark.parametrize(
    ("config", "pointer"),
    [(use(schema="1"), "/schema"), (use(template={}), "/template/reference"), (use(template=7), "/template/reference")],
)
def test_a_use_that_names_no_template_is_refused(config: JsonObject, pointer: str) -> None:
    found = templates.reference(config)

    assert not isinstance(found, str)
    assert found.pointer == pointer
