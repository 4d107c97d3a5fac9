"""The release keeper: what is kept warm, for how long, and what happens then."""

from datetime import timedelta

import pytest
from tests.fakes.rollouts import LOAD_BALANCER, NEW, NEWER, SICK, FakePlace, deploy, stage
from tests.harness import TESTER, problem_of, reached

from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.event import CancelAsked, ManualJudgmentGiven
from gennaker.model.release import ReleaseState
from gennaker.model.statuses import Status

BLUE, GREEN = "shop-prod-v000", "shop-prod-v001"


async def nothing(services: Services) -> None:
    """A server that is started and stopped again."""
    await services.clock.sleep_until(services.clock.now() + timedelta(seconds=10))


def decommissions(place: FakePlace) -> list[str]:
    return [one.head.name for one in place.harness.executions() if one.head.name.startswith("Decommission")]


def test_what_was_replaced_is_kept_warm_for_a_week_over_restarts_and_then_decommissioned_once() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P7D"), afterwards=timedelta(minutes=10))
    assert place.group(BLUE).is_disabled

    place.harness.do(nothing)
    place.harness.time.pass_by(timedelta(days=6, hours=23).total_seconds())
    place.harness.do(nothing)
    assert BLUE in place.cloud.groups

    place.harness.time.pass_by(timedelta(hours=2).total_seconds())
    place.harness.do(nothing)
    place.harness.do(nothing)

    assert list(place.cloud.groups) == [GREEN]
    assert [one.state for one in place.releases()] == [ReleaseState.SUPERSEDED, ReleaseState.SETTLED]
    assert decommissions(place) == [f"Decommission {BLUE}"]


def test_a_newer_release_decommissions_what_the_older_one_kept_warm() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P7D"))

    place.run(deploy(NEWER, strategy="redblack", gracePeriod="P7D"))

    assert list(place.cloud.groups) == [GREEN, "shop-prod-v002"]
    assert [(one.server_group, one.state.value) for one in place.releases()] == [
        (BLUE, "superseded"),
        (GREEN, "superseded"),
        ("shop-prod-v002", "current"),
    ]


@pytest.mark.parametrize("strategy", ["redblack", "rollingredblack"])
def test_without_a_grace_period_what_was_replaced_stays_disabled_until_somebody_removes_it(strategy: str) -> None:
    place = FakePlace().deployed()

    for image in (NEW, NEWER):
        place.run(deploy(image, strategy=strategy, gracePeriod=None))
        place.harness.time.pass_by(timedelta(days=400).total_seconds())
        place.harness.do(nothing)

    assert {name: one.is_disabled for name, one in place.cloud.groups.items()} == {
        BLUE: True,
        GREEN: True,
        "shop-prod-v002": False,
    }
    assert [one.capacity.desired for one in place.cloud.groups.values()] == [2, 2, 2]
    assert [one.state.value for one in place.releases()] == ["superseded", "superseded", "current"]
    assert decommissions(place) == []


def test_what_is_kept_for_good_can_be_gone_back_to_much_later() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod=None))
    place.harness.time.pass_by(timedelta(days=40).total_seconds())
    place.harness.do(nothing)

    place.run(stage("rollbackRelease"), afterwards=timedelta(minutes=10))

    assert place.weights() == {BLUE: 1}
    assert list(place.cloud.groups) == [BLUE]


@pytest.mark.parametrize("strategy", ["rollingupdate", "highlander"])
def test_strategies_that_leave_nothing_leave_nothing(strategy: str) -> None:
    place = FakePlace().deployed()

    place.run(deploy(NEW, strategy=strategy, gracePeriod=None), afterwards=timedelta(minutes=10))

    assert list(place.cloud.groups) == [GREEN]


def test_a_failed_deploy_during_the_grace_period_touches_neither() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P7D"))
    before = place.seen()

    place.run(deploy(SICK, strategy="redblack", gracePeriod="P7D"))

    assert place.seen() == before


JUDGMENT: JsonObject = {"refId": "2", "requisiteStageRefIds": ["1"], "type": "manualJudgment", "name": "Still good?"}


def judged(judgment: str) -> object:
    async def judge(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "manualJudgment", task="waitForJudgment")
        found = await services.executions.get(execution_id)
        assert found is not None
        waiting = next(one for one in found.in_order() if one.type == "manualJudgment")
        event = ManualJudgmentGiven(at=services.clock.now(), stage_id=waiting.id, by="ann", judgment=judgment)
        await services.executions.tell(execution_id, event, TESTER)

    return judge


async def cancel(services: Services, execution_id: str) -> None:
    await reached(services, execution_id, "manualJudgment", task="waitForJudgment")
    await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ann"), TESTER)


@pytest.mark.parametrize("meanwhile", [judged("stop"), cancel], ids=["rejected", "cancelled"])
def test_a_run_that_is_rejected_or_cancelled_later_rolls_back_what_it_has_released(meanwhile: object) -> None:
    place = FakePlace().deployed()
    watched = deploy(NEW, strategy="redblack", rollback={"onPipelineFailure": True}, stages=(JUDGMENT,))

    place.run(watched, meanwhile=meanwhile)

    assert place.weights() == {BLUE: 1}
    assert list(place.cloud.groups) == [BLUE]
    assert not place.group(BLUE).is_disabled
    assert [(one.server_group, one.state.value) for one in place.releases()] == [
        (BLUE, "settled"),
        (GREEN, "rolled-back"),
    ]


def test_a_run_that_ends_well_keeps_its_release() -> None:
    place = FakePlace().deployed()
    watched = deploy(NEW, strategy="redblack", rollback={"onPipelineFailure": True}, stages=(JUDGMENT,))

    execution = place.run(watched, meanwhile=judged("continue"))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert list(place.cloud.groups) == [GREEN]


def test_without_the_flag_a_later_failure_changes_nothing() -> None:
    place = FakePlace().deployed()

    place.run(deploy(NEW, strategy="redblack", stages=(JUDGMENT,)), meanwhile=judged("stop"))

    assert place.weights() == {GREEN: 1}


def test_a_decommissioning_never_destroys_what_serves_again() -> None:
    """Somebody gives traffic back to what was replaced, by hand: it is left alone."""
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="PT5M"), afterwards=timedelta(minutes=1))
    place.run(stage("enableServerGroup", serverGroupName=BLUE), afterwards=timedelta(minutes=10))

    assert BLUE in place.cloud.groups
    assert place.weights(LOAD_BALANCER) == {BLUE: 1, GREEN: 1}
