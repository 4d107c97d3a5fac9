"""Timing: limits, pauses between polls and retries, lengths in words."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.make import AT, RULES, child, execution, seconds, stage_json, task
from tests.playbook import Playbook, stage_id

from gennaker.engine import timing
from gennaker.engine.draft import Draft
from gennaker.engine.rules import BackOff, Rules
from gennaker.engine.synthetics import tasks_of
from gennaker.model import lengths
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, PauseAsked, ResumeAsked, StagePatched
from gennaker.model.execution import Stage
from gennaker.model.problems import Problem


def started(**context: Json) -> tuple[Draft, Stage]:
    found = execution(stage_json("a", **context))
    stage = replace(next(found.in_order()), start_time=AT, tasks=tasks_of([task(timeout=seconds(60))]))
    draft = Draft(found, at=AT, rules=RULES)
    return draft, draft.put(stage)


def test_a_stages_limit_replaces_a_tasks_unless_that_stands() -> None:
    draft, stage = started(stageTimeoutMs=5_000)
    begun = replace(stage.tasks[0], start_time=AT)

    assert timing.task_deadline(draft, stage, begun) == AT + seconds(5)
    assert timing.task_deadline(draft, stage, replace(begun, is_timeout_overridable=False)) == AT + seconds(60)
    assert timing.task_deadline(draft, stage, replace(begun, paused_for=seconds(7))) == AT + seconds(12)
    assert timing.task_deadline(draft, stage, stage.tasks[0]) is None


def test_a_child_falls_under_the_limit_of_the_nearest_stage_above() -> None:
    play = Playbook(stage_json("a", stageTimeoutMs=5_000))
    play.prepared("a", before=[child("first")])
    play.prepared("first", task())
    play.later(seconds(5))

    play.rings("time limit of stage a")

    assert play.statuses() == {"first": "TERMINAL", "a": "TERMINAL"}


def test_waiting_for_an_execution_window_counts_against_no_limit() -> None:
    play = Playbook(stage_json("a", stageTimeoutMs=5_000))
    play.prepared("a", task(), before=[child("window", type=timing.WINDOW_TYPE)])
    play.prepared("window", task(timeout=seconds(1)))
    play.later(seconds(1000))

    play.rings("time limit of stage a")

    assert play.statuses() == {"window": "RUNNING", "a": "RUNNING"}


@pytest.mark.parametrize(
    ("length", "said"),
    [(0, "0 seconds"), (1, "1 second"), (61, "1 minute 1 second"), (7200, "2 hours"), (90061, "1 day 1 hour")],
)
def test_lengths_are_said_in_two_units(length: float, said: str) -> None:
    assert timing.in_words(seconds(length)) == said


@pytest.mark.parametrize("number", [1e30, 3e14, 10**400])
def test_numbers_beyond_the_calendar_are_bounded(number: float) -> None:
    stage = Stage(id="s", ref_id="s", type="t", name="t", context={"backoffPeriodMs": number})

    assert timing.poll_pause(Rules(), stage, timedelta.max) == lengths.LONGEST
    assert timing.poll_pause(Rules(), stage, timedelta()) == lengths.LONGEST


OPERATOR = Rules(
    back_off_seconds=20,
    longest_back_off_seconds=30.001,
    back_off_of_providers={"aws": BackOff(seconds=5, by_account={"prod": 25}), "gce": BackOff(seconds=40)},
)
"""What an operator may want of all tasks, of providers and of accounts."""


@pytest.mark.parametrize(
    ("asked", "context", "rests"),
    [
        (2, {}, 20),
        (25, {}, 25),
        (2, {"cloudProvider": "aws"}, 20),
        (2, {"cloudProvider": "aws", "credentials": "prod"}, 25),
        (2, {"cloudProvider": "aws", "account": "prod"}, 25),
        (2, {"cloudProvider": "aws", "account.name": "prod", "credentials": "test"}, 25),
        (2, {"cloudProvider": "aws", "account": "test", "credentials": "prod"}, 20),
        (2, {"credentials": "prod"}, 20),
        (2, {"cloudProvider": "gce"}, 30.001),
        (2, {"cloudProvider": "aws", "credentials": "prod", "backoffPeriodMs": 30_002}, 30.001),
        (60, {}, 30.001),
    ],
)
def test_the_longest_of_all_wishes_counts_up_to_what_the_operator_allows(
    asked: float, context: JsonObject, rests: float
) -> None:
    stage = Stage(id="s", ref_id="s", type="t", name="t", context=context)

    assert timing.poll_pause(OPERATOR, stage, seconds(asked)) == seconds(rests)


def test_without_wishes_a_task_rests_as_long_as_it_asked() -> None:
    stage = Stage(id="s", ref_id="s", type="t", name="t", context={"cloudProvider": "aws"})

    assert timing.poll_pause(Rules(), stage, seconds(2)) == seconds(2)


def test_a_limit_that_is_patched_in_counts_from_the_stages_start() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task())
    play.later(seconds(4))

    play.send(StagePatched(at=play.at, stage_id=stage_id("a"), by="ada", patch={"stageTimeoutMs": 5_000}))
    play.later(seconds(1))
    play.rings("time limit of stage a")

    assert play.statuses() == {"a": "TERMINAL"}


def test_a_limit_that_was_an_expression_counts_once_it_is_evaluated() -> None:
    play = Playbook(stage_json("a", type="after"))
    play.prepared("a")
    play.planned_late("a", child("last", stageTimeoutMs="${ 5000 }"))
    play.prepared("last", task())
    play.task_prepared("last", {"stageTimeoutMs": 5_000})
    play.later(seconds(5))

    play.rings("time limit of stage last")

    assert play.statuses() == {"a": "TERMINAL", "last": "TERMINAL"}


def test_the_limit_of_a_stage_that_could_not_be_planned_counts_for_what_follows_its_failure() -> None:
    play = Playbook(stage_json("a", type="rescue", stageTimeoutMs=5_000))
    play.prepared("a", problem=Problem(code="test.no_plan", message="No plan."))
    play.planned_late("a", child("undo"))
    play.prepared("undo", task())
    play.later(seconds(5))

    play.rings("time limit of stage a")

    assert play.statuses() == {"a": "TERMINAL", "undo": "TERMINAL"}


def test_a_limit_is_longer_by_the_time_in_the_execution_window_without_its_pauses() -> None:
    play = Playbook(stage_json("a", stageTimeoutMs=60_000))
    play.prepared("a", task(), before=[child("window", type=timing.WINDOW_TYPE)])
    play.prepared("window", task())
    play.later(seconds(100))
    play.send(PauseAsked(at=play.at, by="ada"))
    play.later(seconds(1000))
    play.send(ResumeAsked(at=play.at, by="ada"))
    play.later(seconds(100))
    play.reported("window", Done())

    timers = {one.rings_at for one in play.timers()}

    begun = play.stage("a").start_time
    assert begun is not None
    # 60 of its own, 1000 of the pause, 200 in the window beside the pause.
    assert begun + seconds(60 + 1000 + 200) in timers
