"""`gennaker simulate`: the timeline as it is printed, flags over a file, and exit statuses."""

import json
from pathlib import Path

import pytest
from tests.make import stage_json

from gennaker.cli import simulating
from gennaker.cli.simulating import Flags
from gennaker.cli.terminal import Form
from gennaker.model.problems import Refused

NOTHING = Flags(stages=[], judgments=[], trigger=[])
PIPELINE = {
    "application": "shop",
    "stages": [
        stage_json("a", type="deploy"),
        stage_json("j", "a", type="manualJudgment"),
        stage_json("b", "j", type="wait", waitTime=30),
    ],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(PIPELINE))
    return path


def test_the_timeline_is_printed(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declared = tmp_path / "outcomes.yaml"
    declared.write_text("{stages: {a: {duration: 2h}}, judgments: {j: {after: 1d, by: ada}}}")

    assert simulating.simulate(file, declared, NOTHING, form=Form.TABLE) == 0

    printed = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in printed if "info" not in line] == [
        "00:00:00 starts a",
        "02:00:00 SUCCEEDED a",
        "02:00:00 starts j",
        "1d 02:00:00 SUCCEEDED j continue, by ada",
        "1d 02:00:00 starts b",
        "1d 02:00:30 SUCCEEDED b",
        "1d 02:00:30 SUCCEEDED",
    ]


def test_expressions_that_failed_are_told_although_the_stage_succeeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "p.json"
    file.write_text(
        json.dumps({"application": "shop", "stages": [stage_json("a", type="deploy", image="${nowhere.x}")]})
    )

    assert simulating.simulate(file, None, NOTHING, form=Form.TABLE) == 0
    assert "in a, ${nowhere.x} stays as text: " in capsys.readouterr().out

    assert simulating.simulate(file, None, NOTHING, form=Form.JSON) == 0
    (left,) = json.loads(capsys.readouterr().out)["expressions"]
    assert (left["stage"], left["text"]) == ("a", "${nowhere.x}")


def test_flags_stand_over_the_file(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declared = tmp_path / "outcomes.yaml"
    declared.write_text("{stages: {a: {duration: 2h}}}")
    flags = Flags(stages=["a=TERMINAL:5m"], judgments=["j=stop:1m"], trigger=["tag=1"])

    assert simulating.simulate(file, declared, flags, form=Form.JSON) == 1

    found = json.loads("{" + capsys.readouterr().out.partition("{")[2])
    assert (found["status"], found["seconds"]) == ("TERMINAL", 300.0)
    assert [one["what"] for one in found["timeline"]] == ["starts", "TERMINAL"]


@pytest.mark.parametrize("flag", ["a", "=x"])
def test_a_flag_that_says_nothing_is_refused(file: Path, flag: str) -> None:
    with pytest.raises(Refused, match="NAME=VALUE"):
        simulating.simulate(file, None, Flags(stages=[flag], judgments=[], trigger=[]), form=Form.TABLE)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (Flags(stages=[], judgments=["j=nope"], trigger=[]), "a judgment is continue or stop"),
        (Flags(stages=["a=FOO"], judgments=[], trigger=[]), "one of NOT_STARTED, RUNNING"),
    ],
)
def test_what_no_stage_ends_with_is_refused_with_what_it_could_be(file: Path, flags: Flags, said: str) -> None:
    with pytest.raises(Refused, match=said):
        simulating.simulate(file, None, flags, form=Form.TABLE)


def test_outcomes_that_are_none_are_refused(file: Path, tmp_path: Path) -> None:
    declared = tmp_path / "outcomes.yaml"
    declared.write_text("[]")

    with pytest.raises(Refused, match="no declared outcomes"):
        simulating.simulate(file, declared, NOTHING, form=Form.TABLE)


def test_what_is_wrong_with_a_pipeline_stands_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"stages": [stage_json("a", "b", type="wait"), stage_json("a", type="wait")]}))

    assert simulating.simulate(wrong, None, NOTHING, form=Form.TABLE) == 1

    printed = [line for line in capsys.readouterr().out.splitlines() if "info" not in line]
    assert [line.split(" (at ")[0].strip() for line in printed] == [
        "There are two stages with the refId 'a'.",
        "Stage a requires 'b', which is no stage's refId.",
        "00:00:00  TERMINAL  The pipeline can't be run: see above.",
    ]
