"""Cluster-wide stages: what the stages before one have deployed in the same run stays, as in Orca."""

import pytest
from tests.fakes.rollouts import NEW, NEWER, OLD, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.model.codec import Json, JsonObject
from gennaker.model.statuses import Status

ALL: JsonObject = {"type": "shrinkCluster", "shrinkToSize": 0, "allowDeleteActive": True}


def after(kind: JsonObject, *, requires: tuple[str, ...] = ("1",), **keys: Json) -> JsonObject:
    place: JsonObject = {"credentials": "local", "region": "local", "cloudProvider": "fake", "cluster": "shop-prod"}
    return {"refId": "9", "requisiteStageRefIds": [*requires], "name": "clean up", **place, **kind, **keys}


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        (ALL, {"shop-prod-v001": [2, False]}),
        (
            {"type": "disableCluster", "remainingEnabledServerGroups": 0},
            {"shop-prod-v000": [2, True], "shop-prod-v001": [2, False]},
        ),
        (
            {"type": "scaleDownCluster", "remainingFullSizeServerGroups": 0, "allowScaleDownActive": True},
            {"shop-prod-v000": [0, True], "shop-prod-v001": [2, False]},
        ),
    ],
    ids=["shrink", "disable", "scale down"],
)
def test_what_a_deploy_before_it_has_made_stays_even_where_nothing_is_to_remain(
    kind: JsonObject, left: JsonObject
) -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, strategy="none", stages=(after(kind),)))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    found = {name: [one.capacity.desired, one.is_disabled] for name, one in place.cloud.groups.items()}
    assert found == left


def test_what_a_branch_that_is_not_before_it_has_deployed_is_like_any_other() -> None:
    place = FakePlace().deployed(OLD)
    waiting: JsonObject = {"refId": "2", "requisiteStageRefIds": [], "type": "wait", "waitTime": 600}

    execution = place.run(deploy(NEW, strategy="none", stages=(waiting, after(ALL, requires=("2",)))))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.cloud.groups == {}


def test_what_was_deployed_in_another_region_protects_nothing_here() -> None:
    place = FakePlace().deployed()
    place.elsewhere("shop-prod-v007", NEWER)

    execution = place.run(deploy(NEW, strategy="none", stages=(after(ALL, region="remote"),)))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert sorted(place.cloud.groups) == ["shop-prod-v000", "shop-prod-v001"]


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        ({"shrinkToSize": 1}, Status.TERMINAL),
        ({"shrinkToSize": 0}, Status.SUCCEEDED),
        ({"continueIfClusterNotFound": True}, Status.SUCCEEDED),
        ({"type": "disableCluster", "remainingEnabledServerGroups": 0}, Status.TERMINAL),
    ],
    ids=["shrink", "shrink to nothing", "tolerated", "disable"],
)
def test_a_cluster_that_does_not_exist_is_an_error_unless_it_is_to_be_gone(keys: JsonObject, status: Status) -> None:
    execution = FakePlace().run(stage("shrinkCluster", **keys))

    assert execution.head.status is status
    if status is Status.TERMINAL:
        assert "The cluster shop-prod has no server groups." in problem_of(execution)


def test_a_region_in_which_the_cluster_has_nothing_is_no_error() -> None:
    place = FakePlace().deployed()

    execution = place.run(stage("shrinkCluster", region="remote", shrinkToSize=1))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert sorted(place.cloud.groups) == ["shop-prod-v000"]
