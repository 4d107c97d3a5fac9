"""`gennaker eval`: an expression against an execution from a file, a server or a folder, as it is printed."""

import json
from pathlib import Path

import pytest
from tests import recordings
from tests.fakes import api_server
from tests.make import stage_json

from gennaker.cli import evaluating
from gennaker.cli.evaluating import Wanted
from gennaker.cli.terminal import Form
from gennaker.engine import recording
from gennaker.model.codec import JsonObject, encode
from gennaker.model.problems import Refused
from gennaker.transport.folder import DataFolder

EXECUTION: JsonObject = {
    "id": "E1",
    "type": "PIPELINE",
    "trigger": {"type": "manual", "parameters": {"env": "prod"}},
    "stages": [
        {"id": "1", "refId": "1", "name": "Bake", "status": "SUCCEEDED", "outputs": {"ami": "x1"}},
        {
            "id": "2",
            "refId": "2",
            "name": "Deploy",
            "status": "TERMINAL",
            "requisiteStageRefIds": ["1"],
            "context": {"image": "${amy}", "list": ["a ${parameters.en} b"], "ok": "${ami}"},
        },
    ],
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "execution.json"
    path.write_text(json.dumps(EXECUTION))
    return str(path)


def test_an_expression_sees_what_its_stage_sees(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = Wanted(expression="ami + '-' + parameters.env", execution=file, stage="Deploy")

    assert evaluating.evaluate(tmp_path, wanted) == 0

    assert capsys.readouterr().out == '"x1-prod"\n'


def test_each_step_is_shown_with_its_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = tmp_path / "context.json"
    context.write_text('{"m": {"n": 2}}')

    assert evaluating.evaluate(tmp_path, Wanted(expression="${m.n * 3}", context=context, explains=True)) == 0

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["2", "m", '{"n":2}', "(LinkedHashMap)"],
        ["2", "m.n", "2", "(Integer)"],
        ["2", "m.n", "*", "3", "6", "(Integer)"],
        ["6"],
    ]


def test_a_failure_is_marked_and_what_was_meant_is_named(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = Wanted(expression="parameters.evn.length()", execution=file, stage="2")

    assert evaluating.evaluate(tmp_path, wanted) == 1

    assert capsys.readouterr().out.splitlines()[-3:] == [
        "${parameters.evn.length()}",
        "             ^^^",
        "ERROR: The method length can't be called: evn doesn't exist. Did you mean env? (expression.null_dereference)",
    ]


def test_strict_lists_all_that_would_stay_as_text(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluating.evaluate(tmp_path, Wanted(execution=file, is_strict=True, form=Form.JSON)) == 1

    found = json.loads(capsys.readouterr().out)
    assert [(one["stage"], one["pointer"], one["level"], one["nearest"]) for one in found] == [
        ("2", "/image", "INFO", "ami"),
        ("2", "/list/0", "INFO", "env"),
    ]


def test_an_execution_comes_from_the_running_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = DataFolder(tmp_path)
    with api_server.running(tmp_path) as api:
        api.will("GET /pipelines/E1", EXECUTION)

        assert evaluating.evaluate(tmp_path, Wanted(expression="execution.id", execution="E1", stage="1")) == 0

    folder.close()
    assert capsys.readouterr().out == '"E1"\n'


def test_an_exported_recording_is_an_execution_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported = tmp_path / "recorded.json"
    pipeline = {"application": "shop", "name": "p", "stages": [stage_json("a", type="make")]}
    exported.write_bytes(encode(recording.to_json(recordings.recorded(pipeline))))

    assert evaluating.evaluate(tmp_path, Wanted(expression="execution.name", execution=str(exported))) == 0

    assert capsys.readouterr().out == '"p"\n'


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (Wanted(), "eval.nothing"),
        (Wanted(expression="a", context=Path("/nowhere.json")), "file.unreadable"),
    ],
)
def test_a_question_without_sense_is_refused(wanted: Wanted, code: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        evaluating.evaluate(tmp_path, wanted)

    assert caught.value.problems[0].code == code


def test_a_stage_that_is_not_there_is_refused_with_those_that_are(file: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        evaluating.evaluate(tmp_path, Wanted(expression="a", execution=file, stage="9"))

    assert "1 (Bake), 2 (Deploy)" in str(caught.value.problems[0].remedy)
