"""Finishing: completing stages and executions: failure options, joins, late stages, what an end cuts off."""

import pytest
from tests.make import child, stage_json, task
from tests.playbook import Playbook

from gennaker.model.codec import JsonObject
from gennaker.model.event import Done, Failed
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status

BROKEN = Failed(problem=Problem(code="test.broken", message="It broke."))


@pytest.mark.parametrize(
    ("flags", "failed", "downstream", "other", "whole"),
    [
        ({}, "TERMINAL", "NOT_STARTED", "CANCELED", "TERMINAL"),
        ({"failPipeline": False}, "STOPPED", "NOT_STARTED", "SUCCEEDED", "SUCCEEDED"),
        (
            {"failPipeline": False, "completeOtherBranchesThenFail": True},
            "STOPPED",
            "NOT_STARTED",
            "SUCCEEDED",
            "TERMINAL",
        ),
        ({"continuePipeline": True, "failPipeline": False}, "FAILED_CONTINUE", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"),
    ],
)
def test_the_failure_options_give_orcas_outcomes(
    flags: JsonObject, failed: str, downstream: str, other: str, whole: str
) -> None:
    play = Playbook(stage_json("bad", **flags), stage_json("next", "bad"), stage_json("other"))
    play.prepared("bad", task())
    play.prepared("other", task())

    play.reported("bad", BROKEN)
    if not play.status.is_complete:
        play.reported("other", Done())
    if "prepare next" in play.open():
        play.prepared("next", task())
        play.reported("next", Done())

    assert play.statuses() == {"bad": failed, "next": downstream, "other": other}
    assert play.status.value == whole
    play.replayed()


def test_a_join_starts_once_after_its_last_branch() -> None:
    play = Playbook(stage_json("a"), stage_json("b"), stage_json("join", "a", "b"))
    play.prepared("a")
    play.wants("prepare b")

    play.prepared("b")

    play.wants("prepare join")


def test_a_join_behind_a_stopped_branch_never_runs_and_blocks_nothing() -> None:
    play = Playbook(stage_json("a", failPipeline=False), stage_json("b"), stage_json("join", "a", "b"))
    play.prepared("a", task())
    play.prepared("b", task())
    play.reported("a", BROKEN)
    assert play.status is Status.RUNNING

    play.reported("b", Done())

    assert play.statuses()["join"] == "NOT_STARTED"
    assert play.status is Status.SUCCEEDED


def test_a_stage_with_nothing_to_do_is_skipped() -> None:
    play = Playbook(stage_json("a"))

    play.prepared("a")

    assert play.statuses() == {"a": "SKIPPED"}
    assert play.status is Status.SUCCEEDED


def test_a_failed_child_counts_by_its_parents_flags() -> None:
    play = Playbook(stage_json("a", failPipeline=False))
    play.prepared("a", task("own"), before=[child("check")])
    play.prepared("check", task())

    play.reported("check", BROKEN)

    assert play.statuses() == {"check": "TERMINAL", "a": "STOPPED"}
    assert play.task("a").status is Status.NOT_STARTED


def test_a_child_that_fails_but_continues_ends_its_parent_without_its_siblings() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task("own"), before=[child("one", continuePipeline=True), child("two", 0)])
    play.prepared("one", task())

    play.reported("one", BROKEN)

    assert play.statuses() == {"one": "FAILED_CONTINUE", "two": "NOT_STARTED", "a": "FAILED_CONTINUE"}


def test_siblings_go_on_where_the_child_allows_it() -> None:
    play = Playbook(stage_json("a"))
    allowing = child("one", continuePipeline=True, allowSiblingStagesToContinueOnFailure=True)
    play.prepared("a", before=[allowing, child("two", 0)])
    play.prepared("one", task())

    play.reported("one", BROKEN)

    play.wants("prepare two")


def test_ignored_failures_run_the_after_stages_and_not_those_on_failure() -> None:
    play = Playbook(stage_json("a", type="both", continuePipeline=True))
    play.prepared("a", task())

    play.reported("a", BROKEN)

    play.wants("prepare after a")
    play.planned_late("a")
    assert play.statuses() == {"a": "FAILED_CONTINUE"}


def test_stages_on_failure_replace_those_that_have_not_started_and_run_one_by_one() -> None:
    play = Playbook(stage_json("a", type="rescue"))
    play.prepared("a", before=[child("one"), child("two", 0)])
    play.prepared("one", task())
    play.reported("one", BROKEN)

    play.planned_late("a", child("undo"), child("tell"))

    assert play.statuses() == {"one": "TERMINAL", "a": "RUNNING", "undo": "NOT_STARTED", "tell": "NOT_STARTED"}
    play.wants("prepare undo")
    play.prepared("undo", task())
    play.reported("undo", BROKEN)
    assert play.statuses()["tell"] == "NOT_STARTED"
    assert play.status is Status.TERMINAL


def test_a_stage_on_failure_takes_no_other_stages_place() -> None:
    """Neither that of the one that has failed nor that of the one that is no longer to run."""
    play = Playbook(stage_json("a", type="both"))
    play.prepared("a", task())
    play.reported("a", Done())
    play.planned_late("a", child("waits", 1), child("breaks"))
    play.prepared("breaks", task())
    before = {play.stage("waits").id, play.stage("breaks").id}
    play.reported("breaks", BROKEN)

    play.planned_late("a", child("undo"))

    assert play.statuses() == {"breaks": "TERMINAL", "a": "RUNNING", "undo": "NOT_STARTED"}
    assert play.stage("undo").id not in before


def test_late_stages_that_cannot_be_planned_fail_the_stage() -> None:
    play = Playbook(stage_json("a", type="after"))
    play.prepared("a", task())
    play.reported("a", Done())

    play.planned_late("a", problem=Problem(code="test.no_plan", message="No plan."))

    assert play.status is Status.TERMINAL
    assert play.stage("a").context["exception"]["details"]["errors"] == ["No plan."]  # type: ignore[index,call-overload]  # JSON


def test_failed_expressions_fail_the_stage_that_asks_for_it() -> None:
    summary: JsonObject = {"x.y": [{"level": "ERROR", "description": "Failed to evaluate", "timestamp": 0}]}
    play = Playbook(stage_json("a", failOnFailedExpressions=True, continuePipeline=True))
    play.prepared("a", task(), context={**play.stage("a").context, "expressionEvaluationSummary": summary})

    play.reported("a", Done())

    assert play.statuses() == {"a": "TERMINAL"}
    details: JsonObject = {"error": "Failed Expression Evaluation", "errors": ["Failed to evaluate (x.y)"]}
    assert play.stage("a").context["exception"] == {"details": details}


def test_the_end_of_an_execution_is_told_to_its_queue_its_parent_and_everyone() -> None:
    trigger = {"type": "pipeline", "parentExecution": {"id": "PARENT"}, "parentPipelineStageId": "STAGE"}
    play = Playbook(stage_json("a"), trigger=trigger, pipeline_config_id="config")

    play.prepared("a")

    play.wants("announce execution.ended", "deliver ChildEnded PARENT")
    assert play.queue.running == ()


def test_an_execution_whose_rest_can_never_start_ends() -> None:
    play = Playbook(stage_json("a"), stage_json("b", "nowhere"))

    play.prepared("a")

    assert play.status is Status.TERMINAL


def test_what_only_waits_for_a_part_that_can_never_start_holds_nothing_up() -> None:
    play = Playbook(stage_json("a", type="gathering"))
    play.prepared("a", before=[child("breaks"), child("behind it", 0), child("behind that", 1), child("goes on")])
    play.prepared("breaks", task())
    play.prepared("goes on", task())

    play.reported("breaks", BROKEN)
    assert play.statuses()["a"] == "RUNNING"
    play.reported("goes on", Done())

    assert play.statuses()["a"] == "TERMINAL"
    assert play.status is Status.TERMINAL
