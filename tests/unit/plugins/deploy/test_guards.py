"""Traffic guards: what would leave a guarded cluster without traffic is refused before anything is done."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.fakes.rollouts import NEW, NEWER, OLD, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.interfaces.clouds import Health, ServerGroup
from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.statuses import Status
from gennaker.settings import Settings
from gennaker.traffic_settings import TrafficGuardSettings

RULE: JsonObject = {"account": "local", "location": "*", "stack": "prod", "detail": "*", "enabled": True}


def guarded(*rules: JsonObject, settings: Settings | None = None) -> FakePlace:
    place = FakePlace(settings=settings).deployed()

    async def save(services: Services) -> None:
        listed: list[Json] = [*rules]
        await services.definitions.save("application", "shop", {"name": "shop", "trafficGuards": listed}, author="ada")

    place.harness.do(save)
    return place


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("disableServerGroup", {"serverGroupName": "shop-prod-v000"}),
        ("destroyServerGroup", {"target": "current_asg_dynamic"}),
        ("resizeServerGroup", {"target": "current_asg_dynamic", "capacity": {"min": 0, "max": 0, "desired": 0}}),
        ("disableCluster", {"remainingEnabledServerGroups": 0}),
        ("shrinkCluster", {"shrinkToSize": 0, "allowDeleteActive": True}),
        ("scaleDownCluster", {"remainingFullSizeServerGroups": 0, "allowScaleDownActive": True}),
        (
            "rollbackServerGroup",
            {"rollbackContext": {"rollbackServerGroupName": "shop-prod-v000", "disableOnly": True}},
        ),
    ],
)
def test_the_last_that_takes_traffic_stays(kind: str, keys: JsonObject) -> None:
    place = guarded(RULE)
    before = place.seen()

    execution = place.run(stage(kind, **keys))

    assert execution.head.status is Status.TERMINAL
    assert "shop-prod in local/local has a traffic guard: without shop-prod-v000" in problem_of(execution)
    assert place.seen() == before


@pytest.mark.parametrize(
    "rule",
    [
        {**RULE, "enabled": False},
        {**RULE, "account": "other"},
        {**RULE, "location": "remote"},
        {**RULE, "stack": None},
        {**RULE, "detail": "canary"},
    ],
    ids=["off", "account", "location", "stack", "detail"],
)
def test_a_rule_for_something_else_guards_nothing(rule: JsonObject) -> None:
    place = guarded(rule)

    execution = place.run(stage("destroyServerGroup", serverGroupName="shop-prod-v000"))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert not place.cloud.groups


def test_a_rule_is_about_the_stack_of_the_server_groups_moniker() -> None:
    place = guarded({**RULE, "stack": "eu"})
    group = place.group("shop-prod-v000")
    place.cloud.groups[group.name] = replace(group, moniker=replace(group.moniker, stack="eu"))

    execution = place.run(stage("destroyServerGroup", serverGroupName="shop-prod-v000"))

    assert "shop-prod in local/local has a traffic guard" in problem_of(execution)


def test_what_takes_no_traffic_may_go_and_so_may_one_of_two() -> None:
    place = guarded(RULE)
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))

    execution = place.run(stage("destroyServerGroup", serverGroupName="shop-prod-v000"))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.image for one in place.cloud.groups.values()] == [NEW]


def test_while_nobody_can_say_who_takes_traffic_what_would_be_left_is_waited_for() -> None:
    place = guarded(RULE)
    place.run(deploy(NEW, strategy="none"))
    known = dict(place.cloud.groups)
    place.cloud.groups.update({name: _unknown(group) for name, group in known.items()})

    async def comes_back(services: Services, _: str) -> None:
        await services.clock.sleep_until(services.clock.now() + timedelta(seconds=30))
        assert place.cloud.groups.keys() == known.keys()
        place.cloud.groups.update(known)

    execution = place.run(stage("destroyServerGroup", serverGroupName="shop-prod-v000"), meanwhile=comes_back)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.image for one in place.cloud.groups.values()] == [NEW]


def _unknown(group: ServerGroup) -> ServerGroup:
    """Of an account that doesn't answer now."""
    return replace(group, instances=tuple(replace(one, health=Health.UNKNOWN) for one in group.instances))


def test_a_part_of_the_instances_may_be_disabled() -> None:
    place = guarded(RULE)

    execution = place.run(stage("disableServerGroup", serverGroupName="shop-prod-v000", desiredPercentage=50))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (place.group("shop-prod-v000").is_disabled, place.group("shop-prod-v000").image) == (False, OLD)
    assert len(place.share("shop-prod-v000").addresses) == 1


def test_enabling_gives_all_instances_their_traffic_again() -> None:
    place = guarded(RULE)
    place.run(stage("disableServerGroup", serverGroupName="shop-prod-v000", desiredPercentage=50))

    execution = place.run(stage("enableServerGroup", serverGroupName="shop-prod-v000"))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert len(place.share("shop-prod-v000").addresses) == 2


@pytest.mark.parametrize(("ratio", "is_refused"), [(0.0, False), (0.3, False), (0.4, True)])
def test_more_than_one_instance_may_have_to_stay(ratio: float, *, is_refused: bool) -> None:
    """Of three in traffic two would go."""
    settings = Settings(traffic_guards=TrafficGuardSettings(min_capacity_ratio=ratio))
    place = guarded(RULE, settings=settings)
    capacity: JsonObject = {"min": 1, "max": 1, "desired": 1}
    place.run(deploy(NEW, strategy="none", capacity=capacity))

    execution = place.run(stage("disableServerGroup", serverGroupName="shop-prod-v000"))

    assert (execution.head.status is Status.TERMINAL) is is_refused
    if is_refused:
        assert "without shop-prod-v000 only 1 of its 3 instances in traffic would stay." in problem_of(execution)


def test_several_of_one_pinned_size_may_go_where_something_stays() -> None:
    settings = Settings(traffic_guards=TrafficGuardSettings(min_capacity_ratio=0.4))
    place = guarded(RULE, settings=settings)
    for image in (NEW, NEWER):
        place.run(deploy(image, strategy="none"))

    execution = place.run(stage("disableCluster", remainingEnabledServerGroups=1))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.image for one in place.cloud.groups.values() if not one.is_disabled] == [NEWER]
