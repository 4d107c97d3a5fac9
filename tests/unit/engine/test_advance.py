"""Advance: one event moves one execution on."""

from tests.make import child, seconds, stage_json, task
from tests.playbook import Playbook

from gennaker.model.event import Again, Done, Failed
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther

BROKEN = Failed(problem=Problem(code="test.broken", message="It broke."))


def test_a_chain_runs_from_its_first_stage_to_its_last() -> None:
    play = Playbook(stage_json("a"), stage_json("b", "a"))

    play.wants("prepare a")
    play.prepared("a", task("build"), task("test"))
    play.wants("run a.build")
    play.reported("a", Done(outputs={"image": "shop:1"}))
    play.wants("run a.test")
    play.reported("a", Done())
    play.wants("prepare b")
    play.prepared("b", task("deploy"))
    play.reported("b", Again(after=seconds(10), waiting_for=ForOther(reason="the instances")))
    assert play.due("b") == seconds(10)
    play.later(seconds(10))
    play.reported("b", Done())

    play.wants("announce execution.ended")
    assert play.status is Status.SUCCEEDED
    play.replayed()


def test_before_stages_tasks_and_after_stages_run_in_this_order() -> None:
    play = Playbook(stage_json("a", type="after"))

    play.prepared("a", task("own"), before=[child("first"), child("second", 0)])
    play.wants("prepare first")
    play.prepared("first", task())
    play.reported("first", Done())
    play.wants("prepare second")
    play.prepared("second")
    play.wants("run a.own")
    play.reported("a", Done())
    play.wants("prepare after a")
    play.planned_late("a", child("last"))
    play.wants("prepare last")
    play.prepared("last", task())
    play.reported("last", Done())

    assert play.status is Status.SUCCEEDED
    assert play.statuses() == {"first": "SUCCEEDED", "second": "SKIPPED", "a": "SUCCEEDED", "last": "SUCCEEDED"}
    play.replayed()


def test_a_failure_runs_the_stages_on_failure_and_ends_the_execution() -> None:
    play = Playbook(stage_json("a", type="rescue"), stage_json("b"))

    play.prepared("a", task())
    play.prepared("b", task())
    play.reported("a", BROKEN)
    play.wants("prepare on-failure a", "run b.run")
    play.planned_late("a", child("undo"), child("tell"))
    play.prepared("undo", task())
    play.reported("undo", Done())
    play.prepared("tell", task())
    play.reported("tell", Done())

    assert play.status is Status.TERMINAL
    assert play.statuses() == {"a": "TERMINAL", "undo": "SUCCEEDED", "tell": "SUCCEEDED", "b": "CANCELED"}
    play.wants("announce execution.ended", "stop b.run")
    play.replayed()
