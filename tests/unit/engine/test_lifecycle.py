"""The life of an execution: accepted, admitted, cancelled, paused, resumed."""

import pytest
from tests.make import AT, child, config, seconds, stage_json, task
from tests.playbook import Playbook

from gennaker.engine import keys
from gennaker.model.codec import Json, JsonObject, milliseconds
from gennaker.model.effect import StartTimer, StopTask
from gennaker.model.event import (
    Again,
    CancelAsked,
    Done,
    Left,
    PauseAsked,
    Promoted,
    Queued,
    RestartAsked,
    ResumeAsked,
    Started,
    TaskStopped,
)
from gennaker.model.problems import Problem
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther, said


def again(length: float = 30) -> Again:
    return Again(after=seconds(length), waiting_for=ForOther(reason="the build"))


def test_a_submission_that_cannot_run_ends_with_all_its_problems() -> None:
    play = Playbook(is_prepared=False)
    problems = (Problem(code="a", message="One."), Problem(code="b", message="Two."))

    play.submission_prepared(config(stage_json("a")), problems=problems)

    head = play.execution.head
    assert play.status is Status.TERMINAL
    assert (head.is_canceled, head.canceled_by) == (True, "system")
    assert head.cancellation_reason == "Failed on startup: One.; Two."
    play.wants("announce execution.ended")


def test_one_that_is_buffered_is_prepared_once_when_there_is_room() -> None:
    play = Playbook(is_prepared=False, status=Status.BUFFERED)
    play.wants()

    play.send(Promoted(at=play.later(seconds(60))))

    assert (play.status, said(play.execution.head.waiting_for)) == (
        Status.NOT_STARTED,
        "the submission to be prepared",
    )
    again_promoted = play.send(Promoted(at=play.at))
    assert again_promoted.ignored == "the execution isn't buffered; it is NOT_STARTED"
    play.submission_prepared(config(stage_json("a")))
    play.prepared("a", task())
    play.reported("a", Done())
    assert play.status is Status.SUCCEEDED
    play.replayed()


def test_one_that_is_buffered_can_be_cancelled_and_is_never_prepared() -> None:
    play = Playbook(is_prepared=False, status=Status.BUFFERED)

    assert play.send(PauseAsked(at=play.at, by="ada")).ignored.startswith("only a running execution can be paused")
    play.send(CancelAsked(at=play.at, by="ada"))

    assert play.status is Status.CANCELED
    assert play.send(Promoted(at=play.at)).ignored == "the execution isn't buffered; it is CANCELED"
    play.replayed()


def test_the_definition_completes_the_head() -> None:
    play = Playbook(is_prepared=False)

    play.submission_prepared(
        config(
            stage_json("a"),
            limitConcurrent=True,
            keepWaitingPipelines=True,
            maxConcurrentExecutions=3,
            spelEvaluator="v4",
        ),
        trigger={"type": "git"},
    )

    head = play.execution.head
    assert (head.limit_concurrent, head.keep_waiting_pipelines, head.max_concurrent_executions) == (True, True, 3)
    assert (head.spel_evaluator, head.trigger) == ("v4", {"type": "git"})


@pytest.mark.parametrize("expiry", ["1764028800000", 1764028800000])
def test_one_whose_start_has_expired_is_cancelled_before_anything_begins(expiry: Json) -> None:
    play = Playbook(is_prepared=False)

    play.submission_prepared(config(stage_json("a"), startTimeExpiry=expiry))

    head = play.execution.head
    assert (play.status, head.canceled_by) == (Status.CANCELED, "spinnaker")
    assert head.cancellation_reason == "Could not begin execution before start time expiry"
    assert play.statuses() == {"a": "NOT_STARTED"}


def test_a_start_that_expires_later_holds_nothing_up() -> None:
    play = Playbook(is_prepared=False)

    play.submission_prepared(config(stage_json("a"), startTimeExpiry=str(milliseconds(AT + seconds(1)))))

    play.wants("prepare a")


def test_an_execution_whose_parent_was_found_belongs_to_the_same_family() -> None:
    play = Playbook(is_prepared=False)
    parent: JsonObject = {"id": "parent", "rootId": "first"}

    play.submission_prepared(config(stage_json("a")), trigger={"type": "manual", "parentExecution": parent})

    assert play.execution.head.root_id == "first"


def test_a_pipeline_without_a_first_stage_fails() -> None:
    play = Playbook()

    assert play.status is Status.TERMINAL


def test_a_pipeline_of_a_definition_waits_for_its_turn() -> None:
    play = Playbook(is_prepared=False, pipeline_config_id="config")
    play.queue = Queue(key="pipeline:config", running=("other",))

    play.submission_prepared(config(stage_json("a"), limitConcurrent=True))

    assert play.status is Status.NOT_STARTED
    assert said(play.execution.head.waiting_for) == "the running execution of this pipeline to end: other"
    play.send(Queued(at=AT, waiting_for=ForOther(reason="another")))
    assert said(play.execution.head.waiting_for) == "another"
    play.send(Started(at=AT))
    play.wants("prepare a")


def test_a_waiting_execution_can_be_cancelled_and_leaves_its_queue() -> None:
    play = Playbook(is_prepared=False, pipeline_config_id="config")
    play.queue = Queue(key="pipeline:config", running=("other",))
    play.submission_prepared(config(stage_json("a"), limitConcurrent=True))

    play.send(CancelAsked(at=AT, by="ada", reason="no longer wanted"))

    assert play.status is Status.CANCELED
    assert play.execution.head.end_time is None
    assert play.queue.waiting == ()
    assert play.statuses() == {"a": "NOT_STARTED"}


def test_an_execution_whose_time_has_passed_is_cancelled_at_its_start() -> None:
    play = Playbook(stage_json("a"), start_time_expiry=AT - seconds(1))

    assert play.status is Status.CANCELED
    assert play.execution.head.cancellation_reason == "Could not begin execution before start time expiry"


def test_a_stage_whose_time_has_passed_is_skipped() -> None:
    play = Playbook(stage_json("a", startTimeExpiry="1"), stage_json("b", "a"))

    assert play.statuses()["a"] == "SKIPPED"
    play.wants("prepare b")


def test_cancelling_ends_everything_at_once_and_stops_what_runs() -> None:
    play = Playbook(stage_json("a"), stage_json("b"), stage_json("c", "a", "b"))
    play.prepared("a", task("own"), before=[child("first")])
    play.prepared("first", task(timeout=seconds(60)))
    play.prepared("b", task())
    play.reported("b", again())

    play.send(CancelAsked(at=AT, by="ada", reason="wrong branch"))

    assert play.statuses() == {"first": "CANCELED", "a": "CANCELED", "b": "CANCELED", "c": "NOT_STARTED"}
    assert play.status is Status.CANCELED
    assert play.execution.head.cancellation_reason == "wrong branch"
    play.wants("stop first.run", "stop b.run", "announce execution.ended")
    play.replayed()


def test_a_stopped_task_leaves_word_of_what_had_become_of_its_work() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task())
    play.send(CancelAsked(at=AT, by="ada"))
    stopped = _stopped(play)

    assert not play.send(stopped).ignored

    assert play.stage("a").context["done"] == "half"
    assert play.status is Status.CANCELED
    play.replayed()


def test_a_stage_that_was_begun_anew_hears_nothing_of_it() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task())
    play.send(CancelAsked(at=AT, by="ada"))
    stopped = _stopped(play)
    play.send(RestartAsked(at=AT, stage_id=play.stage("a").id, by="ada"))

    play.send(stopped)

    assert "done" not in play.stage("a").context


def test_a_task_that_was_begun_anew_hears_nothing_of_it() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task("first"), task("second"))
    play.send(CancelAsked(at=AT, by="ada"))
    stopped = _stopped(play)
    play.send(RestartAsked(at=AT, stage_id=play.stage("a").id, by="ada"))
    play.prepared("a", task("first"), task("second"))

    step = play.send(stopped)

    assert step.ignored == "a was begun anew"
    assert "done" not in play.stage("a").context


def test_the_second_task_leaves_word_too() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task("first"), task("second"))
    play.reported("a", Done())
    play.send(CancelAsked(at=AT, by="ada"))
    stage = play.stage("a")
    second = stage.tasks[1]
    key = keys.stop(play.execution.head.id, stage, second)

    step = play.send(TaskStopped(at=AT, key=key, stage_id=stage.id, task_id=second.id, context={"done": "half"}))

    assert not step.ignored
    assert play.stage("a").context["done"] == "half"


def _stopped(play: Playbook) -> TaskStopped:
    stage = play.stage("a")
    key = keys.stop(play.execution.head.id, stage, stage.tasks[0])
    return TaskStopped(at=AT, key=key, stage_id=stage.id, task_id=stage.tasks[0].id, context={"done": "half"})


def test_results_that_come_after_the_end_are_ignored() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task())
    play.reported("a", Done())

    assert play.send(play.events[-1]).ignored
    assert play.send(CancelAsked(at=AT, by="ada")).ignored == "the execution has ended SUCCEEDED"


def test_nothing_new_begins_while_an_execution_is_paused() -> None:
    play = Playbook(stage_json("a"), stage_json("b", "a"), pipeline_config_id="config")
    play.prepared("a", task(timeout=seconds(60)))
    play.send(PauseAsked(at=AT, by="ada"))
    assert (play.status, play.statuses()["a"], play.task("a").status) == (Status.PAUSED, "PAUSED", Status.PAUSED)
    assert play.queue.held == (play.execution.head.id,)

    play.reported("a", Done())

    play.wants()
    assert play.statuses() == {"a": "SUCCEEDED", "b": "PAUSED"}
    play.later(seconds(5))
    play.send(ResumeAsked(at=play.at, by="bob"))
    play.wants("prepare b")
    paused = play.execution.head.paused
    assert paused is not None
    assert (paused.paused_by, paused.resumed_by, paused.resume_time) == ("ada", "bob", play.at)
    assert play.queue.held == ()
    play.replayed()


def test_a_second_pause_keeps_the_length_of_the_first() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task())
    for _ in range(2):
        play.send(PauseAsked(at=play.at, by="ada"))
        play.later(seconds(10))
        play.send(ResumeAsked(at=play.at, by="ada"))

    paused = play.execution.head.paused
    assert paused is not None
    assert paused.total_before == seconds(10)
    assert play.task("a").paused_for == seconds(20)


def test_pauses_add_up() -> None:
    play = Playbook(stage_json("a"))
    play.prepared("a", task())
    for length in (10, 20, 40):
        play.send(PauseAsked(at=play.at, by="ada"))
        play.later(seconds(length))
        play.send(ResumeAsked(at=play.at, by="ada"))

    paused = play.execution.head.paused
    assert paused is not None
    assert paused.total_before == seconds(30)
    assert play.task("a").paused_for == seconds(70)


def test_what_was_about_to_start_in_a_pause_has_not_begun_where_the_execution_is_cancelled() -> None:
    play = Playbook(stage_json("a"), stage_json("b", "a"), stage_json("c"))
    play.prepared("a", task())
    play.prepared("c", task("first"), task("second"))
    play.send(PauseAsked(at=play.at, by="ada"))
    play.reported("a", Done())
    play.reported("c", Done())
    assert play.statuses() == {"a": "SUCCEEDED", "b": "PAUSED", "c": "PAUSED"}
    assert play.task("c", 1).status is Status.PAUSED

    play.send(CancelAsked(at=play.at, by="ada"))

    assert play.statuses() == {"a": "SUCCEEDED", "b": "NOT_STARTED", "c": "CANCELED"}
    assert play.stage("b").waiting_for is None
    second = play.task("c", 1)
    assert (second.status, second.waiting_for, second.end_time) == (Status.NOT_STARTED, None, None)


def test_a_cancelled_execution_no_longer_wants_to_be_prepared() -> None:
    play = Playbook(is_prepared=False)
    play.wants("prepare submission")

    play.send(CancelAsked(at=play.at, by="ada"))

    play.wants("announce execution.ended")
    assert play.execution.head.waiting_for is None


def test_how_many_may_run_at_once_is_asked_of_the_queue() -> None:
    others = Queue(key="pipeline:config", running=("x", "y"))
    play = Playbook(is_prepared=False, pipeline_config_id="config", queue=others)

    play.submission_prepared(config(stage_json("a"), limitConcurrent=False, maxConcurrentExecutions=2))

    assert play.status is Status.NOT_STARTED
    (waiting,) = play.queue.waiting
    assert (waiting.limit_concurrent, waiting.max_concurrent) == (False, 2)


def test_only_what_runs_can_be_paused_and_only_what_is_paused_resumed() -> None:
    play = Playbook(stage_json("a"))

    assert (
        play.send(ResumeAsked(at=AT, by="ada")).ignored == "only a paused execution can be resumed; this one is RUNNING"
    )
    play.send(PauseAsked(at=AT, by="ada"))
    assert play.send(PauseAsked(at=AT, by="ada")).ignored


def test_cancelling_and_resuming_take_the_stages_in_the_order_of_the_execution() -> None:
    """Their map's own order differs from process to process."""
    refs = [str(place) for place in range(12)]
    play = Playbook(*(stage_json(ref, stageTimeoutMs=60_000) for ref in refs))
    for ref in refs:
        play.prepared(ref, task())

    play.send(PauseAsked(at=play.at, by="ada"))
    resumed = play.send(ResumeAsked(at=play.at, by="ada"))
    cancelled = play.send(CancelAsked(at=play.at, by="ada"))

    timers = [one.effect.key for one in resumed.effects if isinstance(one.effect, StartTimer)]
    timers = [key for key in timers if key.endswith("/deadline/0")]
    stops = [one.effect.stage_id for one in cancelled.effects if isinstance(one.effect, StopTask)]
    assert timers == [f"{play.execution.head.id}/{ref}/deadline/0" for ref in refs]
    assert stops == list(play.execution.head.stage_order)


def test_a_paused_execution_can_be_cancelled() -> None:
    play = Playbook(stage_json("a"), stage_json("b", "a"))
    play.prepared("a", task())
    play.reported("a", again())
    play.send(PauseAsked(at=AT, by="ada"))

    play.send(CancelAsked(at=AT, by="ada"))

    assert play.statuses() == {"a": "CANCELED", "b": "NOT_STARTED"}


def test_leaving_says_whether_others_keep_waiting() -> None:
    play = Playbook(is_prepared=False, pipeline_config_id="config")
    play.submission_prepared(config(stage_json("a"), keepWaitingPipelines=True))
    play.queue = Queue(key="pipeline:config")

    step = play.prepared("a")

    told = [one.effect.event for one in step.effects if hasattr(one.effect, "queue")]
    assert told == [Left(at=AT, execution_id=play.execution.head.id, keep_waiting=True)]
