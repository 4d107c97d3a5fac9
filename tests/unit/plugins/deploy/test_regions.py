"""Stages that name several regions: each of them, one after another."""

import pytest
from msgspec.structs import replace
from tests.fakes.rollouts import LOAD_BALANCER, NEW, OLD, PLACE, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import key, name_of
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import rollback_cluster, shares, taking_out, traffic_shares
from gennaker.plugins.deploy.server_groups import Location

REGIONS = ("local", "remote")
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


def test_what_was_found_by_the_monikers_application_is_rolled_back_whatever_its_name_says() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))
    for group in tuple(place.cloud.groups.values()):
        own = replace(group.moniker, app="cart", cluster="replicaSet web")
        place.cloud.groups[group.name] = replace(group, moniker=own)

    execution = place.run(stage("rollbackCluster", moniker={"app": "cart", "cluster": "replicaSet web"}))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert {name: one.is_disabled for name, one in place.cloud.groups.items()} == {
        "shop-prod-v000": False,
        "shop-prod-v001": True,
    }


def test_a_region_with_nothing_to_go_back_to_is_left_out() -> None:
    place = FakePlace().deployed().elsewhere("shop-prod-v007").elsewhere("shop-prod-v008", NEW)

    execution = place.run(stage("rollbackCluster", region="", regions=["local", "remote"]))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.name for one in execution.in_order() if one.parent_id is not None] == ["Rollback remote"]


def test_only_what_is_enabled_is_gone_back_to_where_that_is_asked_for() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))
    assert place.group("shop-prod-v000").is_disabled

    execution = place.run(
        stage("rollbackCluster", cluster="shop-prod", additionalRollbackContext={"onlyEnabledServerGroups": True})
    )

    assert "There is nothing to roll back in shop-prod" in problem_of(execution)
    assert place.weights() == {"shop-prod-v001": 1}


@pytest.mark.parametrize(("desired", "percentage"), [(1, 100), (9, 100), (10, 90), (19, 90), (20, 95), (500, 95)])
def test_of_many_instances_not_all_need_be_up_again(desired: int, percentage: int) -> None:
    assert rollback_cluster.healthy_percentage(desired) == percentage


def test_a_namesake_in_another_region_keeps_its_traffic() -> None:
    """Behind the same load balancer and behind another."""
    here, there = (Location(application="shop", account="local", region=one, cloud_provider="fake") for one in REGIONS)
    place, name = FakePlace().deployed(), "shop-prod-v000"

    async def work(services: Services) -> None:
        known = traffic_shares.with_members((name,), there)

        def joining(members: shares.Members) -> shares.Members:
            return shares.joined(known(members), key(there.place, name), 1, {})

        for load_balancer in (LOAD_BALANCER, "shop-remote"):
            await traffic_shares.change(services, load_balancer, joining)
        await traffic_shares.limit(services, here.place, name, 1)
        await taking_out.without_traffic(services, frozenset({key(here.place, name)}))
        theirs = await traffic_shares.of_group(services, there.place, name)
        assert {lb: (one.weight > 0, one.limit) for lb, one in theirs.items()} == dict.fromkeys(
            (LOAD_BALANCER, "shop-remote"), (True, None)
        )
        await traffic_shares.forget(services, here.place, name)
        assert await traffic_shares.of_group(services, here.place, name) == {}
        assert await traffic_shares.of_group(services, there.place, name) == theirs

    place.harness.do(work)


def test_shares_that_an_earlier_version_kept_are_read_on() -> None:
    place = FakePlace().deployed()

    async def work(services: Services) -> None:
        kept = services.documents("deploy.traffic")
        document = await kept.get(LOAD_BALANCER)
        assert document is not None
        members = foreign.mapping(document.body["members"])
        old: JsonObject = {name_of(one): member for one, member in members.items()}
        await kept.put(LOAD_BALANCER, {**document.body, "members": old}, if_version=document.version)

        found = await traffic_shares.of_group(services, PLACE, "shop-prod-v000")
        assert found[LOAD_BALANCER].weight > 0
        await traffic_shares.bring_about(services, LOAD_BALANCER)

    place.harness.do(work)
    assert place.weights() == {"shop-prod-v000": 1}
