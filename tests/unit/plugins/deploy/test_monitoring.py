"""Deployment monitors: a service that judges each step, asked over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.fakes.http_target import Answer, Asked, Target, running
from tests.fakes.rollouts import NEW, FakePlace, deploy
from tests.harness import problem_of

from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.settings import DeploymentMonitorSettings, Settings

OLD_GROUP, NEW_GROUP = "shop-prod-v000", "shop-prod-v001"
CONTINUE = Answer(body={"nextStep": {"directive": "continue"}})
Judge = Callable[[Asked, list[Asked]], Answer]


@contextmanager
def monitored(judge: Judge, **settings: Any) -> Iterator[tuple[FakePlace, Target]]:
    """A place with the shop deployed, and a monitor; `judge`: what it answers, and what it has been asked before."""
    asked: list[Asked] = []

    def respond(one: Asked) -> Answer:
        answer = judge(one, [*asked])
        asked.append(one)
        return answer

    with running(respond) as target:
        monitor = DeploymentMonitorSettings(base_url=f"{target.url}/spinnaker", **settings)
        yield FakePlace(settings=Settings(deployment_monitors={"log": monitor})).deployed(), target


def run(place: FakePlace, **more: Json) -> Execution:
    monitor: JsonObject = {"id": "log", "parameters": {"team": "a"}, **more}
    return place.run(deploy(NEW, strategy="monitored", deploySteps=[10, 50], deploymentMonitor=monitor))


def paths(target: Target) -> list[str]:
    return [one.path.removeprefix("/spinnaker/deployment/") for one in target.asked]


def progress(target: Target) -> list[float]:
    return [one.json["currentProgress"] for one in target.asked if one.path.endswith("evaluateHealth")]


def test_each_step_is_judged_and_the_end_is_told() -> None:
    with monitored(lambda *_: CONTINUE) as (place, target):
        execution = run(place)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert paths(target) == ["starting", *["evaluateHealth"] * 3, "completed"]
    assert progress(target) == [10, 50, 100]
    told = target.asked[1].json
    assert (told["application"], told["executionId"], told["account"]) == ("shop", execution.head.id, "local")
    assert (told["oldServerGroup"], told["newServerGroup"], told["parameters"]) == (OLD_GROUP, NEW_GROUP, {"team": "a"})
    assert {one.json["deploymentId"] for one in target.asked} == {told["deploymentId"]}
    assert (target.asked[-1].json["status"], target.asked[-1].json["rollback"]) == ("success", "not_performed")
    assert place.weights() == {NEW_GROUP: 1}


def test_a_monitor_that_stops_the_deploy_brings_the_old_version_back() -> None:
    reasons = [{"message": "errors doubled."}, {"message": "p99 is 3 s"}]

    def judge(one: Asked, _: list[Asked]) -> Answer:
        is_bad = one.path.endswith("evaluateHealth") and one.json["currentProgress"] == 50
        return Answer(body={"nextStep": {"directive": "abort"}, "statusReasons": reasons}) if is_bad else CONTINUE

    with monitored(judge) as (place, target):
        before = place.seen()
        execution = run(place)

    assert execution.head.status is Status.TERMINAL
    assert "stops the deploy at 50%: errors doubled; p99 is 3 s." in problem_of(execution)
    assert place.seen() == before
    assert (target.asked[-1].json["status"], target.asked[-1].json["rollback"]) == ("failure", "success")


def test_a_monitor_may_refuse_a_deploy_before_it_has_any_traffic() -> None:
    with monitored(lambda *_: Answer(body={"nextStep": {"directive": "abort"}})) as (place, target):
        before = place.seen()
        execution = run(place)

    assert "The deployment monitor stops the deploy." in problem_of(execution)
    assert paths(target) == ["starting", "completed"]
    assert place.seen() == before


def test_it_may_look_on_for_a_while_and_is_then_asked_no_more_once_it_is_sure() -> None:
    def judge(one: Asked, before: list[Asked]) -> Answer:
        directive = "continue" if one.path.endswith("starting") else "wait" if len(before) < 4 else "complete"
        return Answer(body={"nextStep": {"directive": directive}})

    with monitored(judge) as (place, target):
        execution = run(place)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert progress(target) == [10, 10, 10, 10]
    assert place.weights() == {NEW_GROUP: 1}


@pytest.mark.parametrize(
    ("answer", "calls"),
    [
        (Answer(body={"nextStep": {"directive": "wait"}}), 3),
        (Answer(status=500), 4),
        (Answer(is_dropped=True), 4),
        (Answer(body={"nextStep": {"directive": "dance"}}), 1),
        (Answer(body={}), 1),
    ],
    ids=["waits too long", "500", "dropped", "nonsense", "says nothing"],
)
@pytest.mark.parametrize("fails", [True, False])
def test_without_a_valid_answer_the_setting_says_whether_the_deploy_goes_on(
    answer: Answer, calls: int, *, fails: bool
) -> None:
    def judge(one: Asked, _: list[Asked]) -> Answer:
        is_silent = one.path.endswith("evaluateHealth") and one.json["currentProgress"] == 10
        return answer if is_silent else CONTINUE

    with monitored(judge, fail_on_error=not fails) as (place, target):
        before = place.seen()
        execution = run(place, failOnErrorOverride=fails, maxAnalysisMinutesOverride=1)

    assert progress(target).count(10) == calls
    if fails:
        assert "The deployment monitor can't be believed." in problem_of(execution)
        assert place.seen() == before
    else:
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_a_monitor_inside_the_network_may_be_at_the_usual_port() -> None:
    monitor = DeploymentMonitorSettings(base_url="http://127.0.0.1", fail_on_error=False)
    place = FakePlace(settings=Settings(deployment_monitors={"log": monitor})).deployed()

    execution = run(place)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    judged = [one for one in execution.in_order() if one.type == "evaluateDeploymentHealth"]
    told = [str(one.context["deploymentMonitorReasons"]) for one in judged]
    assert len(told) == 3
    assert not [one for one in told if "inside this machine or network" in one]


def test_a_monitor_that_leaves_the_settings_meanwhile_does_not_undo_a_deploy_that_is_over() -> None:
    def judge(one: Asked, _: list[Asked]) -> Answer:
        if one.path.endswith("evaluateHealth") and one.json["currentProgress"] == 100:
            settings.deployment_monitors.clear()
        return CONTINUE

    with running(lambda one: judge(one, [])) as target:
        monitor = DeploymentMonitorSettings(base_url=f"{target.url}/spinnaker")
        settings = Settings(deployment_monitors={"log": monitor})
        place = FakePlace(settings=settings).deployed()
        execution = run(place)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert paths(target)[-1] == "evaluateHealth"
    told = next(one for one in execution.in_order() if one.type == "notifyDeployCompleted")
    assert "It could not be told: There is no deployment monitor 'log'." in str(told.context)
    assert place.weights() == {NEW_GROUP: 1}


def test_a_monitor_that_the_settings_do_not_know_is_refused_before_anything_is_done() -> None:
    place = FakePlace()

    execution = place.run(deploy(NEW, strategy="monitored", deploymentMonitor={"id": "other"}))

    assert "There is no deployment monitor 'other'." in problem_of(execution)
    assert place.faults.calls == []
