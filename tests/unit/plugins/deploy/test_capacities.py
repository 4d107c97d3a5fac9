"""Sizes: pinned, remembered, given back, and taken from elsewhere."""

import pytest
from msgspec.structs import replace
from tests.fakes.rollouts import NEW, OLD, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.interfaces.clouds import Capacity, Health
from gennaker.model.codec import JsonObject
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import clusters

WIDE: JsonObject = {"min": 1, "max": 6, "desired": 3}
BLUE = "shop-prod-v000"
SOURCE: JsonObject = {"serverGroupName": BLUE, "account": "local", "region": "local"}


def size(place: FakePlace, name: str = BLUE) -> tuple[int, int, int]:
    found = place.group(name).capacity
    return found.min, found.desired, found.max


def test_a_pinned_minimum_is_the_desired_size_and_comes_back() -> None:
    place = FakePlace().deployed(capacity=WIDE)

    pinned = place.run(stage("pinServerGroup", serverGroupName=BLUE, pinMinimumCapacity=True))
    was = size(place)
    place.run(stage("pinServerGroup", serverGroupName=BLUE, unpinMinimumCapacity="true", savedCapacity=WIDE))

    assert pinned.head.status is Status.SUCCEEDED, problem_of(pinned)
    assert (was, size(place)) == ((3, 3, 6), (1, 3, 6))


@pytest.mark.parametrize(
    ("before", "other", "expected"),
    [
        ((1, 3, 6), (2, 2, 2), (1, 2, 2)),
        ((2, 3, 6), (1, 3, 6), (1, 3, 6)),  # a minimum only becomes smaller
    ],
)
def test_a_remembered_minimum_is_given_to_another_server_group(
    before: tuple[int, int, int], other: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    keys = ("min", "desired", "max")
    place = FakePlace().deployed(capacity=dict(zip(keys, before, strict=True)))
    place.run(deploy(NEW, strategy="none", capacity=dict(zip(keys, other, strict=True))))
    kinds: list[JsonObject] = [
        {"type": "captureSourceServerGroupCapacity", "source": SOURCE},
        {"type": "applySourceServerGroupCapacity", "target": {**SOURCE, "serverGroupName": "shop-prod-v001"}},
    ]
    stages = [
        {"refId": str(place), "requisiteStageRefIds": [str(place - 1)] if place else [], "cloudProvider": "fake", **one}
        for place, one in enumerate(kinds)
    ]

    execution = place.run({"application": "shop", "name": "sizes", "stages": stages})

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    first = next(execution.in_order())
    assert first.outputs["sourceServerGroupCapacitySnapshot"] == dict(zip(keys, before, strict=True))
    assert size(place, "shop-prod-v001") == expected


def test_without_anything_remembered_it_says_so() -> None:
    execution = FakePlace().deployed().run(stage("applySourceServerGroupCapacity", target=SOURCE))

    assert "No stage before has remembered a server group's capacity." in problem_of(execution)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"action": "scale_to_server_group", "source": SOURCE}, (1, 3, 6)),
        ({"action": "scale_to_server_group", "source": SOURCE, "scalePct": 50}, (1, 2, 6)),
        ({"action": "scale_to_server_group", "source": SOURCE, "pinCapacity": True}, (3, 3, 3)),
        ({"action": "scale_to_server_group", "source": SOURCE, "pinMinimumCapacity": True}, (3, 3, 6)),
        ({"action": "scale_to_server_group"}, (2, 2, 2)),
        ({"action": "scale_to_cluster"}, (2, 3, 6)),
        ({"action": "scale_to_cluster", "scaleNum": 2}, (2, 5, 6)),
        ({"action": "scale_to_cluster", "scalePct": 200}, (2, 6, 6)),
    ],
)
def test_the_size_of_another_server_group_or_of_the_cluster_is_taken(
    keys: JsonObject, expected: tuple[int, int, int]
) -> None:
    place = FakePlace().deployed(capacity=WIDE)
    place.run(deploy(NEW, strategy="none", capacity={"min": 2, "max": 2, "desired": 2}))

    execution = place.run(stage("resizeServerGroup", serverGroupName="shop-prod-v001", **keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert size(place, "shop-prod-v001") == expected


def test_a_rollback_of_a_named_server_group_can_leave_sizes_alone_and_wait() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D", capacity={"min": 4, "max": 4, "desired": 4}))
    wanted: JsonObject = {
        "rollbackServerGroupName": "shop-prod-v001",
        "restoreServerGroupName": BLUE,
        "enableAndDisableOnly": "true",
        "delayBeforeDisableSeconds": 30,
        "targetHealthyRollbackPercentage": None,  # as an editor leaves it: nothing was said
    }

    execution = place.run(stage("rollbackServerGroup", rollbackType="EXPLICIT", rollbackContext=wanted))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.weights() == {BLUE: 1}
    assert place.group(BLUE).capacity == Capacity(min=2, max=2, desired=2)
    own = next(execution.in_order())
    assert [one.name for one in own.tasks] == [
        "waitForUpInstances",
        "switchTraffic",
        "waitBeforeDisable",
        "waitForServerGroupDisabled",
    ]
    assert own.end_time is not None
    assert own.start_time is not None
    assert (own.end_time - own.start_time).total_seconds() >= 30


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"rollbackType": "TIME_TRAVEL"}, "aren't rolled back by the way 'TIME_TRAVEL'"),
        (
            {"rollbackType": "PREVIOUS_IMAGE", "rollbackContext": {"rollbackServerGroupName": BLUE}},
            "which image is the previous one",
        ),
        ({"rollbackContext": {}}, "`rollbackServerGroupName`"),
        ({"rollbackContext": {"rollbackServerGroupName": BLUE}}, "`restoreServerGroupName`"),
    ],
)
def test_a_rollback_that_says_too_little_does_nothing(keys: JsonObject, said: str) -> None:
    place = FakePlace().deployed()
    before = place.seen()

    execution = place.run(stage("rollbackServerGroup", **keys))

    assert said in problem_of(execution)
    assert place.seen() == before


def test_a_rollback_to_a_previous_image_clones_with_it() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))
    wanted: JsonObject = {"rollbackServerGroupName": "shop-prod-v001", "imageName": OLD, "environment": {"A": 1}}

    execution = place.run(stage("rollbackServerGroup", rollbackType="PREVIOUS_IMAGE", rollbackContext=wanted))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    made = place.group("shop-prod-v002")
    assert (made.image, place.weights()) == (OLD, {"shop-prod-v002": 1})
    assert made.capacity.desired == 2


@pytest.mark.parametrize(
    ("least", "most", "percentage", "expected"),
    [(10, 10, 90, 9), (10, 10, 0, 0), (10, 10, 100, 10), (3, 3, 50, 2), (1, 6, 50, 0), (5, 6, 75, 4), (4, 6, 100, 4)],
)
def test_a_desired_percentage_counts_against_the_largest_and_the_smallest_size(
    least: int, most: int, percentage: float, expected: int
) -> None:
    capacity = Capacity(min=least, max=most, desired=most)

    assert clusters.required_of_part(capacity, percentage) == expected


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({}, Status.TERMINAL),
        ({"desiredPercentage": 50}, Status.SUCCEEDED),
        ({"desiredPercentage": 100}, Status.TERMINAL),
        ({"desiredPercentage": 101}, Status.TERMINAL),
        ({"desiredPercentage": 50, "targetHealthyDeployPercentage": 100}, Status.TERMINAL),
    ],
)
def test_so_many_instances_have_to_be_up_where_a_stage_waits_for_them(keys: JsonObject, status: Status) -> None:
    place = FakePlace().deployed()
    group = place.group(BLUE)
    down = replace(group.instances[0], health=Health.DOWN)
    place.cloud.groups[BLUE] = replace(group, instances=(down, *group.instances[1:]))

    execution = place.run(stage("enableServerGroup", serverGroupName=BLUE, upTimeout="PT1S", **keys))

    assert execution.head.status is status, problem_of(execution)
