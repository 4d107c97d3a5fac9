"""Coverage: which branches of a pipeline the runs have reached."""

import pytest
from tests.make import stage_json

from gennaker.model.codec import JsonObject
from gennaker.testing.coverage import Branch, Coverage
from gennaker.testing.lab import Lab

ENABLED: JsonObject = {"type": "expression", "expression": "${ trigger.go == true }"}
PIPELINE: JsonObject = {
    "application": "shop",
    "name": "p",
    "stages": [
        stage_json("soak", type="wait", waitTime=5),
        stage_json("ask", "soak", type="manualJudgment"),
        stage_json("ship", "ask", type="deploy", stageEnabled=ENABLED),
    ],
}


def missed(*runs: JsonObject) -> set[str]:
    lab = Lab(coverage=Coverage())
    for declared in runs:
        lab.run(PIPELINE, **declared)
    assert len(lab.coverage.branches) == 6
    return {f"{one.stage} {one.outcome}" for one in lab.coverage.missed}


def test_a_good_run_reaches_the_good_branches() -> None:
    good: JsonObject = {"judgments": {"ask": {}}, "trigger": {"go": True}}

    assert missed(good) == {"ask stop", "ship fails", "ship skipped"}


def test_runs_add_up() -> None:
    good: JsonObject = {"judgments": {"ask": {}}, "trigger": {"go": True}}
    bad: JsonObject = {**good, "stages": {"ship": {"status": "TERMINAL"}}}
    skipped: JsonObject = {"judgments": {"ask": {}}}
    stopped: JsonObject = {"judgments": {"ask": {"judgment": "stop"}}}

    assert missed(good, bad, skipped, stopped) == set()


def test_the_report_names_what_was_never_reached() -> None:
    lab = Lab(coverage=Coverage())
    lab.run(PIPELINE, judgments={"ask": {"judgment": "stop"}})

    assert lab.coverage.report()[:2] == ["p: 2 of 6 branches", "  never: ask continue"]
    assert lab.coverage.percent == pytest.approx(100 / 3)


def test_nothing_run_is_nothing_missed() -> None:
    assert (Coverage().percent, Coverage().missed) == (100.0, ())


def test_branches_are_told_apart_by_pipeline() -> None:
    first = Branch(pipeline="a", stage="s", outcome="fails")

    assert first != Branch(pipeline="b", stage="s", outcome="fails")
