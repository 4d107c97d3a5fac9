"""Stages that name several regions: each of them, one after another."""

import pytest
from tests.fakes.rollouts import NEW, OLD, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.model.codec import JsonObject
from gennaker.model.statuses import Status

BOTH: JsonObject = {"region": "", "regions": ["local", "remote"]}


def both() -> FakePlace:
    return FakePlace().deployed().elsewhere("shop-prod-v007")


def test_a_dynamic_target_is_looked_for_in_each_region() -> None:
    place = both()

    execution = place.run(stage("disableServerGroup", target="current_asg_dynamic", **BOTH))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert {name: one.is_disabled for name, one in place.cloud.groups.items()} == {
        "shop-prod-v000": True,
        "shop-prod-v007": True,
    }
    children = [one for one in execution.in_order() if one.parent_id is not None]
    assert [one.name for one in children] == ["disableServerGroup in local", "disableServerGroup in remote"]
    assert children[1].requisite_ref_ids == (children[0].ref_id,)


def test_a_region_in_which_it_fails_ends_the_stage_before_the_next() -> None:
    place = both()

    execution = place.run(stage("destroyServerGroup", target="ancestor_asg_dynamic", **BOTH))

    assert execution.head.status is Status.TERMINAL
    assert "has no ancestor server group" in problem_of(execution)
    assert len(place.cloud.groups) == 2


def test_the_newest_of_each_region_is_named_as_a_reference() -> None:
    place = both()

    execution = place.run(stage("determineTargetServerGroup", target="current_asg_dynamic", **BOTH))

    references = next(execution.in_order()).outputs["targetReferences"]
    assert [(one["region"], one["serverGroupName"]) for one in references] == [  # type: ignore[union-attr, index, call-overload]  # a list of maps
        ("local", "shop-prod-v000"),
        ("remote", "shop-prod-v007"),
    ]


def test_the_image_of_each_region_is_found() -> None:
    place = FakePlace().deployed().elsewhere("shop-prod-v007", NEW)

    execution = place.run(stage("findImage", **BOTH))

    outputs = next(execution.in_order()).outputs
    assert outputs["inferredRegions"] == ["local", "remote"]
    details = outputs["deploymentDetails"]
    assert [(one["region"], one["imageId"]) for one in details] == [("local", OLD), ("remote", NEW)]  # type: ignore[union-attr, index, call-overload]  # a list of maps


@pytest.mark.parametrize(("resolves", "status"), [(True, Status.SUCCEEDED), (False, Status.TERMINAL)])
def test_a_region_without_server_group_gets_the_others_image_only_if_asked(resolves: bool, status: Status) -> None:
    place = FakePlace().deployed()

    execution = place.run(stage("findImage", resolveMissingLocations=resolves, **BOTH))

    assert execution.head.status is status
    if resolves:
        details = next(execution.in_order()).outputs["deploymentDetails"]
        assert [(one["region"], one["imageId"]) for one in details] == [("local", OLD), ("remote", OLD)]  # type: ignore[union-attr, index, call-overload]  # a list of maps


PLACES: JsonObject = {"region": "", "loadBalancers": [], "strategy": "none"}


@pytest.mark.parametrize(
    "named", [{"regions": ["local", "remote"]}, {"availabilityZones": {"local": ["a"], "remote": ["b", "c"]}}]
)
def test_a_cluster_of_several_regions_is_deployed_in_each(named: JsonObject) -> None:
    place = FakePlace().elsewhere("shop-prod-v004")

    execution = place.run(deploy(NEW, **PLACES, **named))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    made = next(iter(execution.top_level())).outputs["deploy.server.groups"]
    assert isinstance(made, dict)
    assert sorted(made) == ["local", "remote"]
    names = [one.name for one in execution.in_order() if one.type == "createServerGroup"]
    assert names == ["Deploy in local", "Deploy in remote"]


def test_a_single_server_group_is_made_in_one_region_only() -> None:
    execution = FakePlace().run(stage("createServerGroup", stack="prod", image=NEW, **BOTH))

    assert "the cluster names local, remote" in problem_of(execution)


@pytest.mark.parametrize(
    ("pattern", "found"), [(r"registry/\p{Lower}++@sha256:.*", True), ("shop", False), ("(", False)]
)
def test_an_image_s_name_must_match_the_pattern_as_a_whole(pattern: str, found: bool) -> None:
    execution = FakePlace().deployed().run(stage("findImage", imageNamePattern=pattern))

    assert execution.head.status is (Status.SUCCEEDED if found else Status.TERMINAL)


def test_regions_are_rolled_back_one_after_another_with_a_wait_between() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))
    place.elsewhere("shop-prod-v007").elsewhere("shop-prod-v008", NEW)

    execution = place.run(stage("rollbackCluster", waitTimeBetweenRegions=5, region="", regions=["remote", "local"]))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    after = [one.name for one in execution.in_order() if one.parent_id is not None]
    assert after == ["Rollback remote", "Wait after remote", "Rollback local"]
    assert {name: one.is_disabled for name, one in place.cloud.groups.items() if not one.is_disabled} == {
        "shop-prod-v000": False,
        "shop-prod-v007": False,
    }
    assert place.weights() == {"shop-prod-v000": 1}


def test_a_region_with_nothing_to_go_back_to_is_left_out() -> None:
    place = FakePlace().deployed().elsewhere("shop-prod-v007").elsewhere("shop-prod-v008", NEW)

    execution = place.run(stage("rollbackCluster", region="", regions=["local", "remote"]))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.name for one in execution.in_order() if one.parent_id is not None] == ["Rollback remote"]
