"""Simulating: any pipeline on virtual time, ending as it is declared."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
from tests.make import stage_json

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType
from gennaker.model.codec import JsonObject
from gennaker.model.event import PlannedStage
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.testing import lab, outcomes, simulating
from gennaker.testing.simulating import Run

CANARY = lab.load(Path(__file__).parent / "canary.json")
"""As Spinnaker has it: bake, deploy a canary, analyse it for two hours, ask, deploy; or roll back."""
LENGTHS: JsonObject = {
    "Bake": {"duration": "5m"},
    "Deploy canary": {"duration": "3m"},
    "Canary": {"duration": "2h"},
    "Deploy": {"duration": "10m"},
}


def run(pipeline: JsonObject, **declared: object) -> Run:
    return simulating.simulate(pipeline, outcomes.read(declared))  # type: ignore[arg-type]  # JSON


def pipeline(*stages: JsonObject, **keys: object) -> JsonObject:
    return {"application": "shop", "name": "p", "stages": list(stages), **keys}  # type: ignore[dict-item]  # JSON


def test_three_hours_with_an_approval_pass_in_less_than_a_second() -> None:
    begins = time.process_time()

    found = run(CANARY, stages=LENGTHS, judgments={"Approve": {"after": "42m", "by": "ada"}})

    assert time.process_time() - begins < 1
    assert found.took == timedelta(hours=3)
    assert found.statuses()["Deploy"] == "SUCCEEDED"
    assert found.statuses()["Roll back"] == "SKIPPED"


def test_a_judgment_with_which_a_pipeline_begins_is_answered_in_time() -> None:
    ask = stage_json("ask", type="manualJudgment")

    assert run(pipeline(ask), judgments={"ask": {"after": "1m"}}).took == timedelta(minutes=1)


def test_a_stage_that_fails_by_its_expressions_says_which() -> None:
    found = run(pipeline(stage_json("a", comments="${1 +}", failOnFailedExpressions=True)))

    assert "Expected a value, found the end of the expression." in found.timeline[-1].note


def test_a_child_sees_its_parent_and_its_parent_s_parent_whole() -> None:
    call = {"type": "pipeline", "application": "shop"}
    told = {
        "of": "${ trigger.parentExecution.stages.?[name == 'work'][0].outputs.version }",
        "said": "${ trigger.parentExecution.trigger.parentExecution.trigger.parameters.env }",
        "id": "${ trigger.parentExecution.trigger.parentExecution.id == execution.rootId }",
    }
    variables = [{"key": key, "value": value} for key, value in told.items()]
    is_so = {"expression": "trigger.parentExecution.stages[0].status == 'SUCCEEDED'"}
    grandchild = pipeline(
        stage_json("ask", type="checkPreconditions", preconditions=[{"type": "expression", "context": is_so}]),
        stage_json("see", "ask", type="evaluateVariables", variables=variables),
        id="grandchild",
        spelEvaluator="v4",
    )
    child = pipeline(stage_json("work"), stage_json("call", "work", pipeline="grandchild", **call), id="child")

    found = run(
        pipeline(stage_json("call", pipeline="child", **call)),
        pipelines=[child, grandchild],
        stages={"work": {"outputs": {"version": "7"}}},
        trigger={"parameters": {"env": "prod"}},
    )

    outputs = found.stage("call").outputs
    assert (outputs["of"], outputs["said"], outputs["id"]) == ("7", "prod", True), found.timeline


def test_a_bad_canary_is_rolled_back_and_nobody_is_asked() -> None:
    bad = {**LENGTHS, "Canary": {"status": "TERMINAL", "duration": "1h", "message": "The score is 40."}}

    found = run(CANARY, stages=bad)

    assert found.statuses() == {
        "Bake": "SUCCEEDED",
        "Deploy canary": "SUCCEEDED",
        "Canary": "FAILED_CONTINUE",
        "Approve": "SKIPPED",
        "Deploy": "SKIPPED",
        "Roll back": "SUCCEEDED",
    }
    assert [one.note for one in found.timeline if one.stage == "Canary"] == ["", "The score is 40."]


def test_the_timeline_says_when_what_started_and_ended() -> None:
    found = run(pipeline(stage_json("a", type="deploy"), stage_json("b", "a", type="wait", waitTime=60)))

    assert [(one.at, one.stage, one.what) for one in found.timeline] == [
        (0.0, "a", "SUCCEEDED"),
        (0.0, "b", "starts"),
        (60.0, "b", "SUCCEEDED"),
    ]


def test_outputs_that_are_declared_are_seen_downstream() -> None:
    found = run(
        pipeline(
            stage_json("a", type="bake"), stage_json("b", "a", type="deploy", image="${ #stage('a').outputs.ami }")
        ),
        stages={"a": {"outputs": {"ami": "ami-1"}}},
    )

    assert found.stage("b").context["image"] == "ami-1"


def test_a_stage_that_never_ends_meets_its_time_limit() -> None:
    found = run(pipeline(stage_json("a", type="deploy", stageTimeoutMs=3_600_000)), stages={"a": {"status": "RUNNING"}})

    assert (found.execution.head.status, found.took) == (Status.TERMINAL, timedelta(hours=1))


def test_a_judgment_that_nobody_answers_times_out_after_three_days() -> None:
    found = run(pipeline(stage_json("a", type="manualJudgment")))

    assert (found.execution.head.status, found.took) == (Status.TERMINAL, timedelta(days=3))


def test_someone_cancels_pauses_and_resumes() -> None:
    wait = pipeline(stage_json("a", type="wait", waitTime=600))
    held = [{"at": 60, "do": "pause"}, {"at": 120, "do": "resume"}, {"at": "5m", "do": "cancel", "reason": "enough"}]

    found = run(wait, commands=held)

    assert (found.execution.head.status, found.took) == (Status.CANCELED, timedelta(minutes=5))
    assert found.execution.head.cancellation_reason == "enough"


def test_a_restarted_stage_ends_as_its_second_attempt_is_declared() -> None:
    found = run(
        pipeline(stage_json("a", type="deploy"), stage_json("b", "a", type="deploy")),
        stages={"a": [{"status": "TERMINAL"}, {"duration": "1m"}]},
        commands=[{"at": "10m", "do": "restart", "stage": "a"}],
    )

    assert found.statuses() == {"a": "SUCCEEDED", "b": "SUCCEEDED"}
    assert found.took == timedelta(minutes=11)


def test_a_child_that_is_given_runs_for_real_and_is_judged_too() -> None:
    child = {"id": "c1", "application": "shop", "name": "child", "stages": [stage_json("x", type="manualJudgment")]}
    call = stage_json("a", type="pipeline", pipeline="c1", application="shop")

    found = run(pipeline(call), pipelines=[child], judgments={"x": {"judgment": "stop", "after": "1h"}})

    assert (found.execution.head.status, found.took) == (Status.TERMINAL, timedelta(hours=1))


def test_a_child_that_is_not_given_ends_as_its_stage_is_declared() -> None:
    call = stage_json("a", type="pipeline", pipeline="elsewhere", application="shop")

    found = run(pipeline(call, stage_json("b", "a")), stages={"a": {"duration": "1h", "outputs": {"v": 1}}})

    assert (found.took, found.stage("a").outputs) == (timedelta(hours=1), {"v": 1})


def test_a_command_that_the_engine_does_not_take_is_said() -> None:
    found = run(
        pipeline(stage_json("a", type="wait", waitTime=60)), commands=[{"at": 1, "do": "restart", "stage": "a"}]
    )

    assert found.refused == ("restart a: stage a is RUNNING: only a stage that has ended can be restarted",)


@pytest.mark.parametrize(
    "declared",
    [
        {"stages": {"a": {"status": "FINE"}}},
        {"stage": {}},
        {"commands": [{"at": 1, "do": "explode"}]},
        {"commands": [{"at": "soon", "do": "cancel"}]},
    ],
)
def test_what_cannot_be_declared_is_refused(declared: dict[str, object]) -> None:
    with pytest.raises(Refused):
        run(pipeline(stage_json("a")), **declared)


@pytest.mark.parametrize("declared", [{"stages": {"Canry": {}}}, {"judgments": {"Canry": {}}}])
def test_a_name_that_is_misspelled_is_refused(declared: dict[str, object]) -> None:
    pipeline: JsonObject = {"application": "shop", "name": "p", "stages": [{"type": "kayentaCanary", "name": "Canary"}]}

    with pytest.raises(Refused, match=r"'Canry', and nothing in this run is called so\. Did you mean 'Canary'\?"):
        simulating.simulate(pipeline, outcomes.read(declared))


def test_a_name_that_nothing_has_is_told() -> None:
    pipeline: JsonObject = {"application": "shop", "name": "p", "stages": [{"type": "wait", "name": "Canary"}]}

    run = simulating.simulate(pipeline, outcomes.read({"stages": {"Undo": {}, "Canary": {}}}))

    assert run.refused == ("nothing in this run is called 'Undo'",)


def test_a_type_whose_parts_plan_themselves_again_fails_instead_of_going_on_for_ever() -> None:
    async def again(_: StageSpec, context: StageContext) -> Plan:
        return Plan(before=(PlannedStage(type="doll", name=f"{context.stage.name}."),))

    doll = StageType(name="doll", label="Doll", about="-", spec=StageSpec, plan=again)

    found = simulating.simulate(pipeline(stage_json("d", type="doll")), plugins=(Plugin(name="dolls", stages=(doll,)),))

    assert found.execution.head.status is Status.TERMINAL
    assert len(list(found.execution.in_order())) == 31
    assert any("30 times over" in one.note for one in found.timeline)
