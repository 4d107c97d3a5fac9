"""Tasks: polling, retrying, timing out, looping, holding."""

import pytest
from msgspec.structs import replace
from tests import make
from tests.make import child, seconds, stage_json, task
from tests.playbook import Playbook, stage_id, without_version

from gennaker.model.codec import JsonObject
from gennaker.model.event import (
    Again,
    CancelAsked,
    ChildEnded,
    Done,
    Failed,
    PauseAsked,
    ResumeAsked,
    StagePatched,
    TaskReported,
)
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForObject, ForOther, ForWindow, said

BROKEN = Failed(problem=Problem(code="test.broken", message="It broke."))
AWAY = Failed(problem=Problem(code="test.away", message="Nobody answers."), retryable=True)


def again(length: float = 30) -> Again:
    return Again(after=seconds(length), waiting_for=ForOther(reason="the build"), memory={"seen": 1})


def running(*tasks: object, **context: object) -> Playbook:
    play = Playbook(stage_json("a", **context))  # type: ignore[arg-type]  # JSON
    play.prepared("a", *(tasks or (task(),)))  # type: ignore[arg-type]  # planned tasks
    return play


def test_a_poll_remembers_and_says_what_it_waits_for() -> None:
    play = running()

    play.reported("a", again())

    found = play.task("a")
    assert (found.memory, said(found.waiting_for), found.poll) == ({"seen": 1}, "the build", 1)
    assert found.status is Status.RUNNING
    assert play.due("a") == seconds(30)


def test_a_stage_may_want_longer_pauses_between_polls() -> None:
    play = running(backoffPeriodMs=45_000)

    play.reported("a", again())

    assert play.due("a") == seconds(45)


def test_an_operator_s_pause_holds_for_retries_too() -> None:
    play = Playbook(stage_json("a", cloudProvider="aws"), rules=replace(make.RULES, back_off_seconds=45))
    play.prepared("a", task(retries=2))

    play.reported("a", AWAY)

    assert play.due("a") == seconds(45)


def test_a_task_that_the_operator_has_disabled_is_skipped_and_the_next_runs() -> None:
    play = Playbook(stage_json("a"), rules=replace(make.RULES, disabled_tasks=("refresh", "tell")))

    play.prepared("a", task("refresh"), task("work"), task("tell"))

    play.wants("run a.work")
    play.reported("a", Done())
    assert play.status is Status.SUCCEEDED
    assert [one.status.value for one in play.stage("a").tasks] == ["SKIPPED", "SUCCEEDED", "SKIPPED"]
    assert all(one.start_time == one.end_time for one in play.stage("a").tasks)
    play.replayed()


def test_a_stage_whose_tasks_are_all_disabled_succeeds() -> None:
    play = Playbook(stage_json("a"), rules=replace(make.RULES, disabled_tasks=("run",)))

    play.prepared("a", task())

    assert (play.status, play.stage("a").status) == (Status.SUCCEEDED, Status.SUCCEEDED)


def test_a_result_with_a_stale_key_is_ignored() -> None:
    play = running()
    play.reported("a", again())
    old = play.events[-1]
    before = play.execution

    step = play.send(old)

    assert step.ignored == "the task no longer waits for this result"
    assert without_version(step.execution) == without_version(before)


def test_context_stays_with_the_stage_and_outputs_go_on() -> None:
    play = running()

    play.reported("a", Done(context={"log": "…"}, outputs={"image": "shop:1", "stageTimeoutMs": 1}))

    assert play.stage("a").context["log"] == "…"
    assert play.stage("a").outputs == {"image": "shop:1"}


def test_retryable_failures_are_tried_again_after_doubled_pauses() -> None:
    play = running(task(retries=3))
    pauses = []

    for _ in range(3):
        play.reported("a", AWAY)
        pause = play.due("a")
        assert pause is not None
        pauses.append(pause)

    for pause, longest in zip(pauses, (1, 2, 4), strict=True):
        assert seconds(0.9 * longest) <= pause <= seconds(longest)
    play.reported("a", AWAY)
    assert play.statuses() == {"a": "TERMINAL"}


def test_pauses_before_retries_end_at_a_minute() -> None:
    play = running(task(retries=-1))

    for _ in range(40):
        play.reported("a", AWAY)

    pause = play.due("a")
    assert pause is not None
    assert pause <= seconds(60)
    assert said(play.task("a").waiting_for) == "another try, number 41, after: Nobody answers."


def test_another_result_forgives_earlier_failures() -> None:
    play = running(task(retries=1))
    play.reported("a", AWAY)
    play.reported("a", again())

    play.reported("a", AWAY)

    assert play.status is Status.RUNNING


def test_a_failure_stands_in_the_context_in_orcas_shape_and_ours() -> None:
    play = running()

    play.reported("a", BROKEN)

    context = play.stage("a").context
    assert context["exception"] == {
        "timestamp": 1795510800000,
        "exceptionType": "test.broken",
        "operation": "run",
        "details": {"error": "It broke.", "errors": ["It broke."]},
        "shouldRetry": False,
    }
    assert context["problems"] == [{"code": "test.broken", "message": "It broke."}]
    assert play.task("a").exception == {"exception": context["exception"]}


def test_a_task_that_fails_but_continues_is_followed_by_the_next() -> None:
    play = running(task("one"), task("two"), continuePipeline=True)

    play.reported("a", BROKEN)
    play.wants("run a.two")
    play.reported("a", Done())

    assert play.statuses() == {"a": "FAILED_CONTINUE"}


def test_a_cancelled_result_stops_what_was_begun() -> None:
    play = running()

    play.reported("a", Failed(problem=BROKEN.problem, status=Status.CANCELED))

    play.wants("stop a.run", "announce execution.ended")
    assert play.statuses() == {"a": "CANCELED"}
    assert play.status is Status.CANCELED


def test_a_task_that_waits_too_long_says_for_what() -> None:
    play = running(task(timeout=seconds(60), is_timeout_overridable=False))
    waits = ForObject(reason="web to be stable: 0/3 nodes.", kind="manifest", name="web")
    play.reported("a", Again(after=seconds(90), waiting_for=waits))
    play.later(seconds(60))

    play.rings("time limit of task run")

    said = play.stage("a").context["problems"][0]["message"]  # type: ignore[index,call-overload]  # JSON
    assert said == "run of stage a timed out after 1 minute. It waited for web to be stable: 0/3 nodes."


def test_a_hung_task_times_out_and_what_it_began_is_stopped() -> None:
    play = running(task(timeout=seconds(60), is_timeout_overridable=False), stageTimeoutMs=None)
    play.later(seconds(61))

    play.rings("time limit of task run")

    assert play.statuses() == {"a": "TERMINAL"}
    play.wants("stop a.run", "announce execution.ended")
    assert play.stage("a").context["problems"][0]["message"] == "run of stage a timed out after 1 minute 1 second."  # type: ignore[index,call-overload]  # JSON


def test_a_timer_that_rings_early_is_set_again() -> None:
    play = running(task(timeout=seconds(60)))
    play.later(seconds(59))

    play.rings("time limit of task run")

    assert play.status is Status.RUNNING
    play.wants("run a.run", "timer time limit of task run of stage a")


def test_a_stages_limit_replaces_that_of_its_tasks_and_ends_it() -> None:
    play = running(task(timeout=seconds(3600)), stageTimeoutMs=5_000)
    play.wants("run a.run", "timer time limit of task run of stage a", "timer time limit of stage a")
    play.later(seconds(5))

    play.rings("time limit of stage a")

    assert play.statuses() == {"a": "TERMINAL"}


@pytest.mark.parametrize("timer", ["time limit of task run", "time limit of stage a"])
@pytest.mark.parametrize(
    ("overridable", "said"),
    [(True, "stage.timed_out"), (False, "task.timed_out")],
    ids=["both at once", "the task's first"],
)
def test_the_limit_that_was_reached_first_is_told_whichever_timer_is_heard_first(
    timer: str, overridable: bool, said: str
) -> None:
    play = running(task(timeout=seconds(3), is_timeout_overridable=overridable), stageTimeoutMs=5_000)
    play.later(seconds(60))

    play.rings(timer)

    assert play.stage("a").context["problems"][0]["code"] == said  # type: ignore[index,call-overload]  # JSON


def test_a_stage_may_count_a_time_out_as_success() -> None:
    play = running(task(timeout=seconds(60)), markSuccessfulOnTimeout=True)
    play.later(seconds(60))

    play.rings("time limit of task run")

    assert play.statuses() == {"a": "SUCCEEDED"}


def test_paused_time_does_not_count_against_any_limit() -> None:
    play = running(task(timeout=seconds(60)))
    play.reported("a", again(10))
    play.later(seconds(5))
    play.send(PauseAsked(at=play.at, by="ada"))
    play.wants()
    play.later(seconds(1000))
    play.send(ResumeAsked(at=play.at, by="ada"))
    play.later(seconds(54))
    play.rings("time limit")
    assert play.status is Status.RUNNING

    play.later(seconds(1))
    play.rings("time limit")

    assert play.statuses() == {"a": "TERMINAL"}
    play.replayed()


def test_a_run_under_way_may_answer_while_the_execution_is_paused() -> None:
    play = running(task("one"), task("two"))
    play.send(PauseAsked(at=play.at, by="ada"))
    play.wants("run a.one")

    play.reported("a", Done())

    play.wants()
    assert play.task("a", 1).status is Status.PAUSED
    play.send(ResumeAsked(at=play.at, by="ada"))
    play.wants("run a.two")


def test_a_patch_lets_a_waiting_task_look_again_at_once() -> None:
    play = running()
    play.reported("a", again())

    play.send(StagePatched(at=play.at, stage_id=stage_id("a"), by="ada", patch={"skipRemainingWait": True}))

    assert play.due("a") == seconds(0)
    assert play.stage("a").context["lastModifiedBy"] == "ada"


def test_news_during_a_run_are_looked_at_right_after_it() -> None:
    play = running()
    play.send(ChildEnded(at=play.at, stage_id=stage_id("a"), child_id="c", status=Status.SUCCEEDED))

    play.reported("a", again())

    assert play.due("a") == seconds(0)


def test_a_redirect_runs_the_loop_again_under_new_keys() -> None:
    play = running(task("try", is_loop_start=True), task("look", is_loop_end=True), task("end"))
    play.reported("a", Done())

    play.reported("a", Done(status=Status.REDIRECT))

    play.wants("run a.try")
    assert play.task("a").attempt == 2
    play.reported("a", Done())
    play.reported("a", Done())
    play.wants("run a.end")


def test_a_redirect_without_a_loop_is_a_fault() -> None:
    play = running()

    play.reported("a", Done(status=Status.REDIRECT))

    assert play.statuses() == {"a": "TERMINAL"}


def test_the_context_is_evaluated_again_for_each_task_while_expressions_are_left() -> None:
    play = running(task("one"), task("two"), title="${ name }")
    play.wants("evaluate a.one")
    play.task_prepared("a", {"title": "shop"})
    play.wants("run a.one")

    play.reported("a", Done())

    assert play.stage("a").context == {"title": "shop"}
    play.wants("run a.two")


def test_an_expression_that_is_not_supported_fails_the_task() -> None:
    play = running(title="${ name }")

    play.task_prepared("a", {}, Problem(code="expression.unsupported", message="No."))

    assert play.statuses() == {"a": "TERMINAL"}


def test_a_result_for_a_task_that_is_not_there_is_ignored() -> None:
    play = running()

    step = play.send(TaskReported(at=play.at, key="x", stage_id="nowhere", task_id="1", result=Done()))

    assert step.ignored == "stage nowhere has no task 1"


def test_a_dry_run_plans_and_evaluates_but_runs_only_what_changes_nothing() -> None:
    play = Playbook(
        stage_json("act", said="${1 + 1}"), stage_json("look", "act", type="reading"), trigger={"dryRun": True}
    )

    play.prepared("act", task("first"), task("second"), before=[child("early")])
    play.prepared("early", task())
    play.task_prepared("act", {"said": "2"})
    play.prepared("look", task("see"))

    play.wants("run look.see")
    assert play.statuses() == {"early": "SUCCEEDED", "act": "SUCCEEDED", "look": "RUNNING"}
    assert [one.status for one in play.stage("act").tasks] == [Status.SUCCEEDED] * 2
    assert play.stage("act").context == {"said": "2"}
    play.reported("look", Done())
    assert play.status is Status.SUCCEEDED
    play.replayed()


def test_late_stages_that_a_dry_run_cannot_plan_are_named_and_left_out() -> None:
    play = Playbook(stage_json("a", type="after"), trigger={"dryRun": True})
    play.prepared("a", task())

    play.planned_late("a", problem=Problem(code="test.none", message="There is no server group."))

    assert play.status is Status.SUCCEEDED
    assert play.stage("a").context == {"dryRunNotPlanned": "There is no server group."}


def test_a_paused_dry_run_waits_and_then_goes_on() -> None:
    play = Playbook(stage_json("a", said="${1}"), trigger={"dryRun": True})
    play.prepared("a", task())
    play.send(PauseAsked(at=play.at, by="ada"))
    play.task_prepared("a", {"said": "1"})
    assert play.status is Status.PAUSED

    play.send(ResumeAsked(at=play.later(seconds(60)), by="ada"))

    assert play.status is Status.SUCCEEDED


def test_where_a_window_is_waited_for_the_stage_says_when_it_goes_on() -> None:
    play = running()
    opens = play.at + seconds(3600)

    play.reported("a", Again(after=seconds(600), waiting_for=ForWindow(reason="the window", opens_at=opens)))

    assert play.stage("a").scheduled_time == opens
    assert play.due("a") == seconds(600)


def notes(play: Playbook) -> list[tuple[str, bool]]:
    return [(one.group, one.is_closed) for one in play.execution.head.system_notifications]


def test_a_task_that_is_tried_again_is_shown_once_until_it_goes_on() -> None:
    play = running(task(retries=5))

    play.reported("a", AWAY)
    play.later(seconds(10))
    play.reported("a", AWAY)

    [shown] = play.execution.head.system_notifications
    assert shown.created_at == make.AT
    assert shown.message == "run of stage a is tried again after: Nobody answers."
    assert notes(play) == [("retry:a.1", False)]
    play.later(seconds(10))
    play.reported("a", again())
    assert notes(play) == [("retry:a.1", True)]
    play.later(seconds(30))
    play.reported("a", AWAY)
    play.later(seconds(10))
    play.reported("a", Done())
    assert notes(play) == [("retry:a.1", True), ("retry:a.1", True)]
    play.replayed()


def test_what_is_shown_of_a_retry_closes_however_the_task_ends() -> None:
    failed, timed_out, cancelled = (running(task(retries=1, timeout=seconds(60))) for _ in range(3))
    for play in (failed, timed_out, cancelled):
        play.reported("a", AWAY)
        play.later(seconds(10))

    failed.reported("a", AWAY)
    timed_out.later(seconds(60))
    timed_out.rings("time limit of task run")
    cancelled.send(CancelAsked(at=cancelled.at, by="ada"))

    assert [notes(play) for play in (failed, timed_out, cancelled)] == [[("retry:a.1", True)]] * 3


def test_only_the_latest_notes_are_kept() -> None:
    play = running(task(retries=1))

    for _ in range(60):
        play.reported("a", AWAY)
        play.later(seconds(10))
        play.reported("a", again())
        play.later(seconds(60))

    assert len(notes(play)) == 50


def test_a_loop_runs_all_of_its_tasks_again_and_none_outside_it() -> None:
    play = running(task("first"), task("try", is_loop_start=True), task("look", is_loop_end=True), task("end"))
    for _ in range(2):
        play.reported("a", Done())
        play.later(seconds(1))

    play.reported("a", Done(status=Status.REDIRECT))

    first, tried, looked, end = play.stage("a").tasks
    assert (first.status, first.attempt, tried.status, tried.attempt) == (Status.SUCCEEDED, 1, Status.RUNNING, 2)
    assert (tried.start_time, tried.end_time, tried.poll, tried.failures) == (play.at, None, 0, 0)
    assert (looked.status, looked.attempt, looked.start_time, looked.end_time) == (Status.NOT_STARTED, 1, None, None)
    assert (looked.due, looked.waiting_for, end.attempt) == (None, None, 0)


def test_a_failure_that_brings_its_own_exception_keeps_it() -> None:
    play = running()
    shape: JsonObject = {"details": {"errors": ["as the other side said it"]}}

    play.reported("a", Failed(problem=Problem(code="x", message="It broke."), context={"exception": shape}))

    assert play.stage("a").context["exception"] == shape
    assert play.task("a").exception == {"exception": shape}


def test_the_exception_says_whether_to_try_again() -> None:
    for retryable in (True, False):
        play = running(task("run", retries=0))

        play.reported("a", Failed(problem=Problem(code="x", message="It broke."), retryable=retryable))

        exception = play.stage("a").context["exception"]
        assert isinstance(exception, dict)
        assert exception["shouldRetry"] is retryable
