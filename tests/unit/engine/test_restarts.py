"""Restarts: running a stage again with all that follows it; ignoring a failure."""

from msgspec.structs import replace
from tests import make
from tests.make import AT, child, config, seconds, stage_json, task
from tests.playbook import Playbook, stage_id

from gennaker.engine import admit
from gennaker.engine.rules import StageRule
from gennaker.model.codec import JsonObject
from gennaker.model.effect import Deliver
from gennaker.model.event import Done, EnterAsked, Failed, IgnoreFailureAsked, Left, PauseAsked, RestartAsked
from gennaker.model.problems import Problem
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status

LATER = "4102444800000"
BROKEN = Failed(problem=Problem(code="test.broken", message="It broke."))
_NAMING = replace(make.RULES, stages={"naming": StageRule(restart_clears=("result", "executionName"))})


def failed() -> Playbook:
    play = Playbook(stage_json("a", type="clearing"), stage_json("b", "a"), stage_json("c", "b"))
    play.prepared("a", task(), before=[child("first")])
    play.prepared("first")
    play.reported("a", Done(outputs={"result": 1, "kept": 2}))
    play.prepared("b", task())
    play.reported("b", BROKEN)
    play.clear()
    return play


def restart(play: Playbook, ref: str, **fields: object) -> str:
    return play.send(RestartAsked(at=play.at, stage_id=play.stage(ref).id, by="ada", **fields)).ignored  # type: ignore[arg-type]  # a builder's keywords


def test_a_restart_resets_the_stage_and_all_that_follows() -> None:
    play = failed()
    play.later(seconds(60))

    restart(play, "a")

    assert play.statuses() == {"a": "NOT_STARTED", "b": "NOT_STARTED", "c": "NOT_STARTED"}
    play.wants("prepare a")
    assert play.status is Status.RUNNING
    assert play.execution.head.start_time == play.at
    assert play.stage("a").outputs == {"kept": 2}
    assert "exception" not in play.stage("b").context
    assert play.stage("a").context["restartDetails"] == {"restartedBy": "ada", "restartTime": 1795510860000}
    play.prepared("a", task())
    play.reported("a", Done())
    play.prepared("b", task())
    play.reported("b", Done())
    play.prepared("c")
    assert play.status is Status.SUCCEEDED
    play.replayed()


def test_the_details_keep_what_went_wrong_before() -> None:
    play = failed()

    restart(play, "b")

    details = play.stage("b").context["restartDetails"]
    assert isinstance(details, dict)
    assert details["previousException"]["details"]["errors"] == ["It broke."]  # type: ignore[index,call-overload]  # JSON
    play.wants("prepare b")
    assert play.statuses()["a"] == "SUCCEEDED"


def test_the_details_keep_what_the_type_wants_remembered_of_every_stage_that_is_reset() -> None:
    rules = replace(
        make.RULES, stages={"work": StageRule(restart_clears=("buildInfo",), restart_remembers=("buildInfo",))}
    )
    play = Playbook(stage_json("a"), stage_json("b", "a"), rules=rules)
    for name in ("a", "b"):
        play.prepared(name, task())
        play.reported(name, Done(context={"buildInfo": {"number": name}}))

    restart(play, "a")

    assert play.stage("a").context == {
        "restartDetails": {
            "restartedBy": "ada",
            "restartTime": 1795510800000,
            "previousBuildInfo": {"number": "a"},
        }
    }
    assert play.stage("b").context == {"restartDetails": {"previousBuildInfo": {"number": "b"}}}


def test_a_part_of_a_stage_restarts_the_whole() -> None:
    play = failed()

    restart(play, "first")

    play.wants("prepare a")


def test_a_stage_that_runs_or_whose_requisites_failed_is_not_restarted() -> None:
    play = failed()

    assert restart(play, "c") == "stage c requires stages that haven't ended well: restart one of those"
    restart(play, "b")
    play.prepared("b", task())
    assert restart(play, "b") == "stage b is RUNNING: only a stage that has ended can be restarted"


def test_a_restarted_execution_waits_for_its_turn_again() -> None:
    play = Playbook(stage_json("a"), pipeline_config_id="config")
    play.prepared("a")
    play.clear()
    play.queue = Queue(key="pipeline:config")

    restart(play, "a")

    play.wants("prepare a")
    assert play.queue.running == (play.execution.head.id,)


def test_siblings_that_were_cancelled_stay_so() -> None:
    play = Playbook(stage_json("a"), stage_json("b"))
    play.prepared("a", task())
    play.prepared("b", task())
    play.reported("a", BROKEN)

    restart(play, "a")
    assert play.status is Status.RUNNING
    play.prepared("a", task())
    play.reported("a", Done())

    assert play.statuses() == {"a": "SUCCEEDED", "b": "CANCELED"}
    assert play.status is Status.CANCELED


def test_the_stage_that_started_this_execution_is_restarted_with_it() -> None:
    trigger = {"type": "pipeline", "parentExecution": {"id": "PARENT"}, "parentPipelineStageId": "STAGE"}
    play = Playbook(stage_json("a"), trigger=trigger)
    play.prepared("a")
    play.clear()

    restart(play, "a")

    play.wants("prepare a", "deliver RestartAsked PARENT")


def test_a_stage_that_follows_its_child_keeps_it() -> None:
    play = Playbook(stage_json("a", type="clearing", executionId="CHILD"))
    play.prepared("a")

    restart(play, "a", keeps_child=True)
    assert play.stage("a").context["executionId"] == "CHILD"
    play.prepared("a")
    restart(play, "a")
    assert "executionId" not in play.stage("a").context


def test_an_ignored_failure_lets_the_rest_run() -> None:
    play = failed()

    play.send(IgnoreFailureAsked(at=AT, stage_id=stage_id("b"), by="ada", reason="flaky"))

    assert play.statuses()["b"] == "FAILED_CONTINUE"
    play.wants("prepare c")
    play.prepared("c")
    assert play.status is Status.SUCCEEDED


def test_only_failures_are_ignored_and_nothing_while_paused() -> None:
    play = failed()
    assert play.send(IgnoreFailureAsked(at=AT, stage_id=stage_id("a"), by="ada")).ignored == (
        "stage a hasn't failed; it is SUCCEEDED"
    )
    restart(play, "b")
    play.send(PauseAsked(at=AT, by="ada"))

    assert restart(play, "a") == "the execution is paused: resume it first"


def test_a_judgment_to_stop_is_not_ignored() -> None:
    plain = Playbook(stage_json("a", type="manualJudgment"), stage_json("b", "a"))
    plain.prepared("a", task())
    plain.reported("a", BROKEN)
    within = Playbook(stage_json("a", type="outer"), stage_json("b", "a"))
    within.prepared("a", before=[child("judge", type="manualJudgment")])
    within.prepared("judge", task())
    within.reported("judge", BROKEN)

    for play in (plain, within):
        step = play.send(IgnoreFailureAsked(at=AT, stage_id=stage_id("a"), by="ada"))

        assert "isn't ignored: restart it" in step.ignored
        assert play.statuses()["a"] == "TERMINAL"


def test_a_restart_takes_what_its_type_says_from_the_pipeline_as_it_is_saved_now() -> None:
    play = Playbook(
        stage_json("a", type="taking", size=1, other=1),
        stage_json("b", "a", size=1),
        stage_json("c", "b", type="taking"),
    )
    play.prepared("a", task())
    play.reported("a", BROKEN)
    play.clear()
    saved = tuple(
        stage_json(ref, type=kind, size=2, other=2) for ref, kind in (("a", "taking"), ("b", "work"), ("c", "x"))
    )

    restart(play, "a", stages=saved)

    contexts = [play.stage(ref).context for ref in "abc"]
    assert [(one.get("size"), one.get("other")) for one in contexts] == [(2, 1), (1, None), (None, None)]
    play.replayed()


def test_a_restart_that_is_superseded_in_its_queue_cancels_the_execution_with_the_reason() -> None:
    play = Playbook(is_prepared=False, pipeline_config_id="config")
    play.submission_prepared(config(stage_json("a"), limitConcurrent=True))
    play.prepared("a", task())
    play.reported("a", Done())
    play.queue = Queue(key="pipeline:config", running=("other",))
    play.send(RestartAsked(at=play.at, stage_id=play.stage("a").id, by="ada"))
    assert play.status is Status.NOT_STARTED
    newest = EnterAsked(at=play.at, execution_id="newest", limit_concurrent=True, max_concurrent=0)

    entered = admit.admit(play.queue, newest).queue
    told = admit.admit(entered, Left(at=play.at, execution_id="other", keep_waiting=False))

    for one in told.effects:
        assert isinstance(one.effect, Deliver)
        if one.effect.execution_id == play.execution.head.id:
            play.send(one.effect.event)
    assert (play.status, play.execution.head.canceled_by) == (Status.CANCELED, "spinnaker")
    assert str(play.execution.head.cancellation_reason).endswith("superceded it: newest")


def half_over() -> Playbook:
    """A stage that let go on while one of the parts before it was still running, with another branch."""
    play = Playbook(stage_json("a"), stage_json("b", "a"), stage_json("c"))
    play.prepared("c", task())
    play.prepared("a", before=[child("failed"), child("running")])
    play.prepared("failed", task())
    play.prepared("running", task())
    play.reported("failed", Done(status=Status.FAILED_CONTINUE))
    assert play.statuses()["a"] == "FAILED_CONTINUE"
    return play


def test_a_stage_is_not_restarted_while_a_part_of_it_is_at_work() -> None:
    play = half_over()

    assert restart(play, "a") == "running, a part of stage a, is still running: wait for its end"
    play.reported("running", Done())
    assert restart(play, "a") == ""


def test_a_stage_is_not_restarted_while_a_part_of_it_is_being_planned() -> None:
    play = Playbook(stage_json("a"), stage_json("c"))
    play.prepared("c", task())
    play.prepared("a", before=[child("failed"), child("planned")])
    play.prepared("failed", task())
    play.reported("failed", Done(status=Status.FAILED_CONTINUE))

    assert restart(play, "a") == "planned, a part of stage a, is still running: wait for its end"


def test_an_ignored_failure_lets_the_rest_of_a_running_execution_run() -> None:
    play = Playbook(stage_json("a", failPipeline=False), stage_json("b", "a"), stage_json("c"))
    play.prepared("c", task())
    play.prepared("a", task())
    play.reported("a", BROKEN)
    assert (play.statuses()["a"], play.status) == ("STOPPED", Status.RUNNING)

    play.send(IgnoreFailureAsked(at=AT, stage_id=stage_id("a"), by="ada"))

    play.wants("prepare b", "run c.run")


def test_no_failure_is_ignored_while_the_execution_is_paused() -> None:
    play = Playbook(stage_json("a", failPipeline=False), stage_json("c"))
    play.prepared("c", task())
    play.prepared("a", task())
    play.reported("a", BROKEN)
    play.send(PauseAsked(at=AT, by="ada"))

    step = play.send(IgnoreFailureAsked(at=AT, stage_id=stage_id("a"), by="ada"))

    assert step.ignored == "the execution is paused: resume it first"


def test_a_restart_forgets_how_the_stage_ended_and_keeps_what_it_is() -> None:
    ended: JsonObject = {
        "problems": [],
        "beforeStagePlanningFailed": True,
        "executionName": "child",
        "kept": 1,
    }
    play = Playbook(stage_json("a"), stage_json("b", "a", type="clearing", startTimeExpiry=LATER, **ended))
    play.prepared("a")
    play.prepared("b", task())
    play.reported("b", replace(BROKEN, context={"manualSkip": True}))
    assert play.stage("b").context["manualSkip"] is True
    before = play.stage("b")

    restart(play, "b")

    after = play.stage("b")
    assert set(after.context) == {"kept", "executionName", "restartDetails"}
    assert after.requisite_ref_ids == before.requisite_ref_ids == ("a",)
    assert after.start_time_expiry == before.start_time_expiry is not None


def test_variables_are_restored_and_their_values_forgotten() -> None:
    rules = replace(make.RULES, stages={"work": StageRule(evaluates_in_order="variables")})
    play = Playbook(stage_json("a", variables=[{"key": "x", "value": "${ 1 }"}]), stage_json("b", "a"), rules=rules)
    play.prepared("a", task())
    play.task_prepared("a", play.stage("a").context)
    play.reported("a", Done(outputs={"x": 1}))
    play.prepared("b", task())
    play.reported("b", Done(outputs={"y": 1}))

    restart(play, "a")

    assert (play.stage("a").outputs, play.stage("b").outputs) == ({}, {"y": 1})
    assert play.stage("a").context["variables"] == [{"key": "x", "value": "${ 1 }"}]


def test_a_restart_takes_nothing_from_a_stage_of_another_name_or_type() -> None:
    play = Playbook(stage_json("a", type="taking", size=1))
    play.prepared("a", task())
    play.reported("a", BROKEN)
    saved = (stage_json("b", type="taking", size=2), stage_json("a", type="work", size=3))

    restart(play, "a", stages=saved)

    assert play.stage("a").context["size"] == 1


def test_a_stage_that_follows_has_no_details_of_a_restart_that_was_not_its_own() -> None:
    play = failed()

    restart(play, "a")

    assert "restartDetails" in play.stage("a").context
    assert "restartDetails" not in play.stage("b").context


def test_a_stage_that_follows_its_child_keeps_its_name_too() -> None:
    play = Playbook(stage_json("a", type="naming", executionName="child", result=1), rules=_NAMING)
    play.prepared("a")

    restart(play, "a", keeps_child=True)

    assert play.stage("a").context["executionName"] == "child"
    assert "result" not in play.stage("a").context
