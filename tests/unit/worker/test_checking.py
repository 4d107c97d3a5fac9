"""Checking: what is wrong with a definition, its template's part included."""

import asyncio
from typing import Any

import pytest
from tests.fakes.definitions import MemoryDefinitions
from tests.fakes.virtual_time import VirtualTime
from tests.make import config, stage_json

from gennaker.interfaces.pipelines import Checked
from gennaker.model.codec import JsonObject
from gennaker.plugins.flow import wait
from gennaker.worker.checking import LocalChecks

TEMPLATE: JsonObject = {
    "schema": "v2",
    "id": "t",
    "variables": [{"name": "who", "type": "string"}],
    "pipeline": {"stages": [stage_json("w", type="wait", waitTime=[])]},
}
USE: JsonObject = {"schema": "v2", "application": "shop", "name": "n", "template": {"reference": "spinnaker://t"}}


def checks(*stored: JsonObject) -> LocalChecks:
    time = VirtualTime()
    definitions = MemoryDefinitions(time)
    for one in stored:
        asyncio.run(definitions.save("template", str(one["id"]), one, author="ada"))
    return LocalChecks(definitions=definitions, stage_types={"wait": wait.stage}, clock=time)


def found(checked: Checked) -> tuple[list[str], list[str]]:
    return [one.code for one in checked.problems], [one.code for one in checked.warnings]


@pytest.mark.parametrize(
    ("given", "problems", "warnings"),
    [
        (config(stage_json("w", type="wait")), [], []),
        (config(stage_json("w", type="wait", waitTime={})), ["stage.field_wrong"], []),
        (config(stage_json("m", type="moon")), [], ["stage.unknown_type"]),
        ({"stages": []}, ["pipeline.no_application", "pipeline.no_name"], []),
        ({"stages": [], "application": "shop", "name": 5}, ["pipeline.no_name"], []),
        (USE, ["template.variable_missing"], []),
        ({**USE, "variables": {"who": "ada"}}, ["stage.field_wrong"], []),
        ({**USE, "template": {"reference": "spinnaker://u"}}, ["template.unknown"], []),
        ({**USE, "template": {"reference": "spinnaker://${trigger.parameters.t}"}}, [], []),
    ],
)
def test_all_that_is_wrong_is_said_and_what_will_go_wrong_warned_of(
    given: JsonObject, problems: list[str], warnings: list[str]
) -> None:
    assert found(asyncio.run(checks(TEMPLATE).pipeline(given))) == (problems, warnings)


def test_a_template_that_is_not_stored_yet_can_stand_in() -> None:
    better: JsonObject = {**TEMPLATE, "pipeline": {"stages": []}, "variables": []}

    assert found(asyncio.run(checks(TEMPLATE).pipeline(USE, instead={"t": better}))) == ([], [])


def test_a_definition_is_shown_with_what_it_inherits() -> None:
    given: JsonObject = {**USE, "variables": {"who": "ada"}}

    shown: Any = asyncio.run(checks(TEMPLATE).expanded(given))

    assert (shown["templateVariables"], len(shown["stages"])) == ({"who": "ada"}, 1)
    assert asyncio.run(checks().expanded(given)) == given


def test_templates_are_checked_by_themselves() -> None:
    assert checks().template(TEMPLATE) == ()
    assert [one.pointer for one in checks().template({})] == ["/schema", "/id", "/pipeline"]


def test_a_name_that_is_no_text_is_not_called_missing() -> None:
    (problem,) = asyncio.run(checks().pipeline({"stages": [], "application": "shop", "name": 5})).problems

    assert (problem.message, problem.pointer) == ("The pipeline's `name` must be text, not the number 5.", "/name")
