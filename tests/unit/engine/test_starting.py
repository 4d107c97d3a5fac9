"""Starting: what is planned again, what stages are told to wait for, what is skipped."""

from collections.abc import Callable

import pytest
from tests.make import AT, child, config, seconds, stage_json, task
from tests.playbook import Playbook, stage_id

from gennaker.model.effect import PrepareAfterStages, PrepareStage
from gennaker.model.event import AfterStagesPrepared, Done, StagePrepared
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForRetry, ForWork

UNREACHABLE = Problem(code="x", message="Nobody answers.")
AT_MOST = 40


def planning() -> tuple[Playbook, Callable[[], None]]:
    """A stage whose planning fails for now, again and again."""
    play = Playbook(stage_json("a"))

    def again() -> None:
        effect = next(one.effect for one in play.outbox.values() if isinstance(one.effect, PrepareStage))
        play.send(
            StagePrepared(
                at=play.at, key=effect.key, stage_id=stage_id("a"), problem=UNREACHABLE, is_retryable=True, context={}
            )
        )

    return play, again


def planning_late() -> tuple[Playbook, Callable[[], None]]:
    """The same of the stages after it."""
    play = Playbook(stage_json("a", type="after"))
    play.prepared("a", task())
    play.reported("a", Done())

    def again() -> None:
        effect = next(one.effect for one in play.outbox.values() if isinstance(one.effect, PrepareAfterStages))
        play.send(
            AfterStagesPrepared(
                at=play.at, key=effect.key, stage_id=stage_id("a"), problem=UNREACHABLE, is_retryable=True
            )
        )

    return play, again


@pytest.mark.parametrize("begin", [planning, planning_late])
def test_what_can_not_be_planned_now_is_tried_every_quarter_of_a_minute_and_given_up_at_last(
    begin: Callable[[], tuple[Playbook, Callable[[], None]]],
) -> None:
    play, again = begin()

    for attempt in range(2, AT_MOST + 1):
        again()
        (pending,) = play.outbox.values()
        assert pending.due == play.at + seconds(15)
        waits = play.stage("a").waiting_for
        assert isinstance(waits, ForRetry)
        assert (waits.attempt, waits.at_most, waits.due, waits.since) == (attempt, AT_MOST, pending.due, AT)
        play.later(seconds(15))
    again()

    assert play.statuses() == {"a": "TERMINAL"}
    assert play.stage("a").waiting_for is None


@pytest.mark.parametrize("begin", [planning, planning_late])
def test_what_was_planned_in_the_end_has_all_its_tries_again(
    begin: Callable[[], tuple[Playbook, Callable[[], None]]],
) -> None:
    play, again = begin()
    again()
    assert play.stage("a").preparation == 1

    if begin is planning:
        play.prepared("a", task())
    else:
        play.planned_late("a", child("last"))

    assert play.stage("a").preparation == 0
    assert play.stage("a").status is Status.RUNNING


def test_a_stage_whose_late_stages_are_planned_says_so() -> None:
    play, _ = planning_late()

    assert play.stage("a").waiting_for == ForWork(reason="its after stages to be planned", what="plan", since=AT)


def test_a_skipped_stage_waits_for_nothing() -> None:
    play = Playbook(stage_json("a"))

    play.prepared("a", skip="it is disabled")

    stage = play.stage("a")
    assert (stage.status, stage.is_preparing, stage.waiting_for) == (Status.SKIPPED, False, None)


def test_the_definition_names_the_execution() -> None:
    play = Playbook(is_prepared=False)

    play.submission_prepared({**config(stage_json("a")), "name": "another"})

    assert play.execution.head.name == "another"
    assert play.execution.head.waiting_for is None


def test_a_submission_that_is_refused_has_no_stages_and_waits_for_nothing() -> None:
    play = Playbook(is_prepared=False)

    play.submission_prepared(config(stage_json("a")), problems=(UNREACHABLE,))

    head = play.execution.head
    assert (head.status, head.stage_order, head.waiting_for) == (Status.TERMINAL, (), None)
