"""`gennaker validate`: findings with places, kinds of documents, exit statuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.make import stage_json

from gennaker.cli import simulating, validating
from gennaker.cli.terminal import Form
from gennaker.interfaces.stages import StageType

Check = Callable[..., tuple[int, list[tuple[object, ...]]]]
PIPELINE = {"application": "shop", "name": "Deliver", "stages": [stage_json("1", type="wait", waitTime=3)]}
TEMPLATE = {"schema": "v2", "id": "waits", "variables": [], "pipeline": {"stages": PIPELINE["stages"]}}
USE = {
    "application": "shop",
    "name": "Used",
    "type": "templatedPipeline",
    "schema": "v2",
    "template": {"reference": "spinnaker://waits"},
}


@pytest.fixture(scope="module")
def types() -> dict[str, StageType]:
    return simulating.known_stages()


@pytest.fixture
def check(types: dict[str, StageType], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    def checked(
        *contents: object, is_strict: bool = False, suffix: str = "json"
    ) -> tuple[int, list[tuple[object, ...]]]:
        files = []
        for number, content in enumerate(contents):
            files.append(tmp_path / f"{number}.{suffix}")
            files[-1].write_text(content if isinstance(content, str) else json.dumps(content))
        status = validating.validate(files, types, is_strict=is_strict, form=Form.JSON)
        listed = json.loads(capsys.readouterr().out)
        return status, [(one["severity"], one["line"], one["column"], one["code"]) for one in listed]

    return checked


def test_nothing_is_said_of_what_is_right(check: Check) -> None:
    assert check(PIPELINE, [PIPELINE, PIPELINE], TEMPLATE, USE) == (0, [])


def test_all_that_is_wrong_is_said_at_its_place(check: Check) -> None:
    text = """{"name": "Deliver",
 "stages": [
  {"refId": "1", "type": "waitt"},
  {"refId": "1", "type": "wait",
   "waitTime": "x", "comments": "${ #f( }"}
]}"""

    assert check(text) == (
        1,
        [
            ("error", 1, 1, "pipeline.no_application"),
            ("warning", 3, 26, "stage.unknown_type"),
            ("error", 4, 13, "stage.duplicate_ref_id"),
            ("error", 5, 16, "stage.field_wrong"),
            ("warning", 5, 33, "expression.parse"),
        ],
    )


def test_expressions_that_can_never_be_evaluated_are_named(check: Check) -> None:
    text = """{"application": "shop", "name": "Deliver",
 "stages": [
  {"refId": "1", "type": "wait", "waitTime": 1, "comments": "a ${#stag('x')}",
   "stageEnabled": {"type": "expression", "expression": "#nohelper(1)"}},
  {"refId": "2", "type": "checkPreconditions", "preconditions": [
   {"type": "expression", "context": {"expression": "${yes} or T(Foo)"}},
   {"type": "expression", "context": {"expression": "yes or T(Foo)"}}]}
]}"""

    assert check(text) == (
        0,
        [
            ("warning", 3, 61, "expression.function_missing"),
            ("warning", 4, 57, "expression.function_missing"),
            ("warning", 7, 53, "expression.type_not_found"),
        ],
    )


def test_unknown_types_are_refused_only_strictly(check: Check) -> None:
    unknown = {**PIPELINE, "stages": [stage_json("1", type="teleport")]}

    assert check(unknown)[0] == 0
    assert check(unknown, is_strict=True)[0] == 1


def test_yaml_has_places_too(check: Check) -> None:
    text = "application: shop\nname: x\nstages:\n  - refId: '1'\n    type: wait\n    waitTime: nope\n"

    assert check(text, suffix="yaml") == (1, [("error", 6, 15, "stage.field_wrong")])
    assert check("a: [1\nb: 2", suffix="yaml") == (1, [("error", 2, 2, "file.not_yaml")])


def test_what_a_template_makes_is_looked_at_where_it_is_given(check: Check) -> None:
    broken = {**TEMPLATE, "pipeline": {"stages": [stage_json("1", type="wait", waitTime="x")]}}
    column = json.dumps(USE).index('{"reference"') + 1

    assert check(USE) == (0, [("warning", 1, column + len('{"reference": '), "template.not_given")])
    assert check(USE, broken) == (1, [("error", 1, column, "stage.field_wrong")])


def test_a_canary_config_is_looked_at(check: Check) -> None:
    status, found = check({"metrics": []})

    assert status == 1
    assert ("error", 1, 13, "canary.lint.metrics") in found


@pytest.mark.parametrize("content", ["3", "{}", "[]", '["x"]', '{"a": 1'])
def test_what_is_no_document_is_an_error_unless_the_list_is_empty(check: Check, content: str) -> None:
    assert check(content)[0] == (0 if content == "[]" else 1)


def test_a_file_that_is_not_there_is_one_of_the_findings(
    types: dict[str, StageType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone.json"
    there = tmp_path / "there.json"
    there.write_text(json.dumps(PIPELINE))

    status = validating.validate([gone, there], types, is_strict=False, form=Form.TABLE)

    assert (status, capsys.readouterr().out.splitlines()) == (
        1,
        [
            f"{gone}:1:1: error: {gone} can't be read: No such file or directory. Name a readable file. [file.unreadable]",
            "2 files: 1 error, 0 warnings.",
        ],
    )


def test_findings_can_be_had_as_yaml(
    types: dict[str, StageType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.json").write_text("{")

    assert validating.validate([tmp_path / "x.json"], types, is_strict=False, form=Form.YAML) == 1
    assert yaml.safe_load(capsys.readouterr().out)[0]["code"] == "file.not_json"
