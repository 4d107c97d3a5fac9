"""Whose word counts on whether instances are up: `interestingHealthProviderNames`, and load balancers' own."""

import pytest
from msgspec.structs import replace
from tests.fakes.rollouts import LOAD_BALANCER, NEW, SICK, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.interfaces.clouds import Health, HealthSource
from gennaker.model.codec import Json
from gennaker.model.statuses import Status

OLD_GROUP, NEW_GROUP = "shop-prod-v000", "shop-prod-v001"
UP_WITHIN = {"upTimeout": "PT5S"}


def given_up(place: FakePlace) -> FakePlace:
    """With an instance that its load balancer sends no requests to any more."""
    place.balancers[LOAD_BALANCER].given_up.add(place.share(OLD_GROUP).addresses[0])
    return place


def said(place: FakePlace, *sources: HealthSource) -> FakePlace:
    """With this said of the instances."""
    group = place.group(OLD_GROUP)
    told = tuple(replace(one, sources=sources) for one in group.instances)
    place.cloud.groups[OLD_GROUP] = replace(group, instances=told)
    return place


def test_what_a_load_balancer_has_given_up_is_not_up() -> None:
    place = given_up(FakePlace().deployed())

    execution = place.run(stage("enableServerGroup", serverGroupName=OLD_GROUP, **UP_WITHIN))

    assert execution.head.status is Status.TERMINAL
    assert "1 of 2 instances are up" in problem_of(execution)
    assert "is Down: shop-prod: given up by the load balancer" in problem_of(execution)


@pytest.mark.parametrize("names", [[], ["Probe"], ["Amazon"], ["Discovery", "fake"]])
def test_unless_its_word_does_not_count(names: list[Json]) -> None:
    place = given_up(FakePlace().deployed())

    execution = place.run(
        stage("enableServerGroup", serverGroupName=OLD_GROUP, interestingHealthProviderNames=names, **UP_WITHIN)
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def test_only_the_load_balancers_word_may_count() -> None:
    probe = HealthSource(type="Probe", state=Health.DOWN)
    place = said(FakePlace().deployed(), probe)
    keys: dict[str, Json] = {"serverGroupName": OLD_GROUP, "interestingHealthProviderNames": ["LoadBalancer"]}

    well = place.run(stage("enableServerGroup", **keys, **UP_WITHIN))
    ill = given_up(place).run(stage("enableServerGroup", **keys, **UP_WITHIN))

    assert (well.head.status, ill.head.status) == (Status.SUCCEEDED, Status.TERMINAL)
    assert "LoadBalancer says so: shop-prod: given up" in problem_of(ill)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (Health.UNKNOWN, Status.SUCCEEDED),
        (Health.UP, Status.SUCCEEDED),
        (Health.DOWN, Status.TERMINAL),
        (Health.FAILED, Status.TERMINAL),
    ],
)
def test_of_the_platform_it_is_enough_that_it_says_nothing_bad(state: Health, status: Status) -> None:
    platform = HealthSource(type="fake", state=state, is_platform=True)
    place = said(FakePlace().deployed(), platform, HealthSource(type="Probe", state=Health.STARTING))

    execution = place.run(
        stage("enableServerGroup", serverGroupName=OLD_GROUP, interestingHealthProviderNames=["fake"], **UP_WITHIN)
    )

    assert execution.head.status is status


def test_where_health_is_not_looked_at_traffic_still_waits_for_somebody_who_can_serve() -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(SICK, strategy="redblack", interestingHealthProviderNames=[]))

    assert execution.head.status is Status.TERMINAL
    waited = next(one for one in execution.stages.values() if one.type == "createServerGroup")
    assert [one.status for one in waited.tasks] == [Status.SUCCEEDED] * 3
    assert place.weights() == {OLD_GROUP: 1}


def test_new_instances_are_awaited_without_a_word_of_the_load_balancer() -> None:
    """Only then they get requests: until there are any it can't know them."""
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, strategy="redblack", interestingHealthProviderNames=["LoadBalancer"]))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.weights() == {NEW_GROUP: 1}


def test_who_does_not_answer_holds_up_nobody() -> None:
    place = FakePlace().deployed()
    place.faults.is_silent = True

    execution = place.run(stage("enableServerGroup", serverGroupName=OLD_GROUP, **UP_WITHIN))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
