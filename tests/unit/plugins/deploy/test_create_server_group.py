"""Creating server groups: plans, names, canaries' exact parts, reasons, draining."""

import asyncio
import re
from datetime import timedelta

import pytest
from tests import make
from tests.fakes.rollouts import CRASHING, LOAD_BALANCER, NEW, NEWER, OLD, SICK, FakePlace, deploy, deploy_stage, stage
from tests.harness import problem_of, reached

from gennaker.interfaces.clouds import NewServerGroup
from gennaker.interfaces.routes import Routes, Routing
from gennaker.interfaces.services import Services
from gennaker.model import waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mappings
from gennaker.model.statuses import Status
from gennaker.settings import ConditionSettings, Settings

CANARY: dict[str, Json] = {
    "strategy": "none",
    "freeFormDetails": "canary",
    "trafficPercent": 10,
    "capacity": {"min": 1, "max": 1, "desired": 1},
}


def test_the_rollback_plan_is_there_before_anything_is_created() -> None:
    place = FakePlace().deployed()
    place.faults.refuse("create")

    execution = place.run(deploy(NEW, strategy="redblack"))

    creating = next(one for one in execution.in_order() if one.type == "createServerGroup")
    assert creating.context["rollbackPlan"] == {
        "restores": "shop-prod-v000",
        "restoresVersion": "old",
        "removes": "shop-prod-v001",
        "serves": [
            {
                "serverGroup": "shop-prod-v000",
                "image": OLD,
                "version": "old",
                "capacity": {"min": 2, "max": 2, "desired": 2},
                "enabled": True,
                "weights": {LOAD_BALANCER: 1},
            }
        ],
    }


@pytest.mark.parametrize("limit", [1, 20_000])
def test_a_deploy_whose_time_is_up_goes_back_all_the_same(limit: int) -> None:
    place = FakePlace().deployed()
    before = place.seen()
    pipeline = deploy(SICK, strategy="redblack", upTimeout="PT1H")
    (stage,) = mappings(pipeline["stages"])

    execution = place.run({**pipeline, "stages": [{**stage, "stageTimeoutMs": limit}]})

    undone = [one.status for one in execution.in_order() if one.type == "undoRollout"]
    assert execution.head.status is Status.TERMINAL
    assert "timed out" in problem_of(execution)
    assert set(undone) <= {Status.SUCCEEDED, Status.SKIPPED}
    assert place.seen() == before


def test_a_version_that_cannot_come_up_is_told_with_the_end_of_its_log() -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(CRASHING, strategy="redblack"))

    said = problem_of(execution)
    assert "shop-prod-v001 can't come up" in said
    assert re.search(r"Last lines of the log of shop-prod-v001-\S+: listening", said), said
    assert said.count("no module named shop") == 1, "what both instances have in common is said once"
    assert re.search(r"So is shop-prod-v001-\S+\.", said), said


def test_what_fails_before_the_time_for_coming_up_is_over_says_when() -> None:
    place = FakePlace().deployed()
    place.faults.fails_after = timedelta(minutes=1)
    said: list[waiting.Waiting | None] = []

    async def later(services: Services, execution_id: str) -> None:
        began = services.clock.now()
        await reached(services, execution_id, "createServerGroup", task="waitForUpInstances")
        await asyncio.sleep(20)
        found = await services.executions.get(execution_id)
        assert found is not None
        creating = next(one for one in found.in_order() if one.type == "createServerGroup")
        wait = next(one for one in creating.tasks if one.status is Status.RUNNING).waiting_for
        assert isinstance(wait, waiting.ForObject)
        assert wait.gives_up_at is not None
        assert timedelta(minutes=1) <= wait.gives_up_at - began < timedelta(minutes=2)
        said.append(wait)

    execution = place.run(deploy(SICK, strategy="redblack", upTimeout="PT10M"), meanwhile=later)

    assert len(said) == 1
    assert "shop-prod-v001 can't come up" in problem_of(execution)


def test_a_condition_of_the_settings_holds_a_deploy_back_before_anything_is_done() -> None:
    freeze = ConditionSettings(clusters=("shop-prod",))
    place = FakePlace(settings=Settings(conditions={"freeze": freeze}))

    execution = place.run(deploy(NEW, strategy="redblack"))

    assert execution.head.status is Status.TERMINAL
    assert "timed out after 2 hours" in problem_of(execution)
    assert (place.cloud.groups, place.faults.calls) == ({}, [])
    waiting = next(one for one in execution.in_order() if one.type == "waitForCondition")
    assert (waiting.context["cluster"], waiting.context["account"]) == ("shop-prod", "local")


def test_conditions_for_other_clusters_hold_nothing_back() -> None:
    freeze = ConditionSettings(clusters=("cart-*",))
    place = FakePlace(settings=Settings(conditions={"freeze": freeze}))

    assert place.run(deploy(NEW, strategy="redblack")).head.status is Status.SUCCEEDED


def test_numbers_follow_and_one_that_was_given_back_is_used_again() -> None:
    place = FakePlace().deployed()
    place.run(deploy(CRASHING, strategy="redblack"))

    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))
    place.run(deploy(NEWER, strategy="redblack"))

    assert list(place.cloud.groups) == ["shop-prod-v002"]


@pytest.mark.parametrize(
    ("said", "balancers", "desired"),
    [
        ({}, (LOAD_BALANCER,), 2),
        ({"loadBalancers": [], "capacity": {"min": 1, "max": 1, "desired": 1}}, (), 1),
    ],
)
def test_a_clone_has_what_its_stage_does_not_say_from_the_original(
    said: JsonObject, balancers: tuple[str, ...], desired: int
) -> None:
    place = FakePlace().deployed()
    place.run(stage("resizeServerGroup", serverGroupName="shop-prod-v000", capacity={"min": 2, "max": 2, "desired": 2}))
    original = place.group("shop-prod-v000")
    source: JsonObject = {"serverGroupName": original.name, "account": "local", "region": "local"}

    place.run(stage("cloneServerGroup", stack="prod", region="local", source=source, **said))

    made = place.group("shop-prod-v001")
    assert (made.image, made.load_balancers, made.capacity.desired) == (original.image, balancers, desired)


def test_outputs_name_what_was_deployed_and_where_it_is_reached() -> None:
    place = FakePlace()

    execution = place.run(deploy(NEW, strategy="redblack"))

    outputs = next(one for one in execution.top_level()).outputs
    assert outputs["deploy.server.groups"] == {"local": ["shop-prod-v000"]}
    assert outputs["serverGroup"] == "shop-prod-v000"
    assert outputs["address"] == f"http://{place.balancers[LOAD_BALANCER].address}"


def test_without_a_load_balancer_the_address_is_the_first_instance_s() -> None:
    place = FakePlace()

    execution = place.run(deploy(NEW, strategy="redblack", loadBalancers=[]))

    instance = place.group("shop-prod-v000").instances[0]
    assert next(one for one in execution.top_level()).outputs["address"] == f"http://{instance.address}"


def test_baseline_and_canary_get_exactly_their_percentage_and_give_it_back() -> None:
    place = FakePlace().deployed()
    baseline: JsonObject = {**CANARY, "freeFormDetails": "baseline", "strategy": "none"}

    place.run(deploy(OLD, **baseline))
    place.run(deploy(NEW, **CANARY))
    during = place.weights()
    place.run(stage("disableServerGroup", serverGroupName="shop-prod-canary-v000"))
    place.run(stage("destroyServerGroup", serverGroupName="shop-prod-baseline-v000"))

    assert during == {"shop-prod-v000": 8, "shop-prod-baseline-v000": 1, "shop-prod-canary-v000": 1}
    assert place.weights() == {"shop-prod-v000": 1}
    assert [one.server_group for one in place.releases()] == ["shop-prod-v000"]


def test_a_deploy_to_production_leaves_a_canary_its_part() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, **CANARY))

    place.run(deploy(NEW, strategy="redblack"))

    assert place.weights() == {"shop-prod-v001": 9, "shop-prod-canary-v000": 1}


ROUTES: JsonObject = {"headers": {"X-Canary": "yes"}, "cookies": {"tester": "1"}, "mirrorPercent": 25}
ROUTED: dict[str, Json] = {"strategy": "none", "freeFormDetails": "canary", "routes": ROUTES}


def test_a_server_group_gets_what_is_routed_to_it_and_no_part_of_the_rest() -> None:
    place = FakePlace().deployed()

    place.run(deploy(NEW, **ROUTED))

    balancer = place.balancers[LOAD_BALANCER]
    old, new = (place.share(name).addresses for name in ("shop-prod-v000", "shop-prod-canary-v000"))
    assert place.weights() == {"shop-prod-v000": 1}
    assert {balancer.choose({"x-canary": "yes"}), balancer.choose({}, {"tester": "1"})} <= set(new)
    assert {balancer.choose() for _ in range(8)} <= set(old)
    assert sum(balancer.copied[one] for one in new) == 2
    assert [one.server_group for one in place.releases()] == ["shop-prod-v000"]


def test_routes_go_beside_a_part_of_the_traffic_and_end_with_it() -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, **ROUTED, trafficPercent=20))
    during = place.weights(), place.share("shop-prod-canary-v000").routes.has_matches
    place.run(stage("disableServerGroup", serverGroupName="shop-prod-canary-v000"))

    assert during == ({"shop-prod-v000": 4, "shop-prod-canary-v000": 1}, True)
    assert place.share("shop-prod-canary-v000").routes == Routes()
    told = next(one.name for one in execution.in_order() if one.type == "shiftTraffic")
    assert told == (
        "Give 20% of the traffic and X-Canary: yes, the cookie tester=1, copies of 25 % to shop-prod-canary-v000"
    )


def test_what_is_routed_to_one_server_group_is_refused_to_another() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, **ROUTED))
    before = place.seen()

    execution = place.run(deploy(NEWER, **{**ROUTED, "freeFormDetails": "other"}))

    assert execution.head.status is Status.TERMINAL
    said = "At the load balancer shop-prod requests with the cookie tester=1 go to shop-prod-canary-v000 already."
    assert said in problem_of(execution)
    assert place.seen() == before


def test_a_routed_server_group_is_replaced_in_one_switch_and_stays_where_its_deploy_fails() -> None:
    place = FakePlace().deployed()
    highlander: dict[str, Json] = {**ROUTED, "strategy": "highlander"}
    place.run(deploy(NEW, **highlander))

    place.run(deploy(NEWER, **highlander))
    place.faults.refuse("destroy")
    place.run(deploy(CRASHING, **highlander))

    (address,) = place.share("shop-prod-canary-v001").addresses[:1]
    assert place.balancers[LOAD_BALANCER].choose({"x-canary": "yes"}) == address
    assert place.weights() == {"shop-prod-v000": 1}
    assert [one.server_group for one in place.releases()] == ["shop-prod-v000"]


def test_routes_that_the_load_balancer_cannot_do_are_refused_before_anything_is_made() -> None:
    place = FakePlace().deployed()
    place.routing = frozenset({Routing.HEADER})
    place.faults.calls.clear()

    execution = place.run(deploy(NEW, **ROUTED))

    said = "The load balancer shop-prod is served by fake, which can't route by cookie or copy requests."
    assert said in problem_of(execution)
    assert [call for call in place.faults.calls if "create" in str(call)] == []


def test_two_clusters_are_deployed_side_by_side_and_one_failure_takes_both_back() -> None:
    place = FakePlace().deployed()
    place.faults.up_after = timedelta(seconds=5)
    cluster: JsonObject = deploy_stage(NEW, strategy="redblack")["clusters"][0]  # type: ignore[index, call-overload, assignment]  # as made there
    other: JsonObject = {**cluster, "stack": "other", "image": CRASHING, "loadBalancers": ["shop-other"]}
    pipeline = deploy(NEW)
    pipeline["stages"][0]["clusters"] = [cluster, other]  # type: ignore[index, call-overload]  # as made there

    execution = place.run(pipeline)

    assert execution.head.status is Status.TERMINAL
    assert list(place.cloud.groups) == ["shop-prod-v000"]
    assert place.weights() == {"shop-prod-v000": 1}
    assert place.open_rollouts() == 0


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"strategy": "yolo"}, "There is no strategy 'yolo'"),
        ({"trafficPercent": 120}, "no percentage"),
        ({"trafficPercent": 5, "strategy": "redblack"}, "doesn't go with the strategy"),
        ({"routes": ROUTES, "strategy": "redblack"}, "routes go with none and highlander"),
        ({"routes": ROUTES, "loadBalancers": []}, "there is no load balancer that could route"),
        ({"routes": {"headers": {"X Canary": "yes"}}}, "'X Canary' is no name of a header"),
        ({"routes": {"headers": {"Host": "shop"}}}, "the header host belongs to the connection"),
        ({"routes": {"cookies": {"a": "b`; c"}}}, "the cookie a has a value that can't be routed by"),
        ({"routes": {"mirrorPercent": 101}}, "no whole percentage"),
        ({"routes": {"mirrorPercent": "much"}}, "mirrorPercent"),
        ({"gracePeriod": "a week"}, "must be a duration"),
        ({"capacity": {"desired": "many"}}, "capacity"),
        ({"capacity": {"desired": -2}}, "capacity.desired` of stage Deploy must be a whole number from 0"),
        ({"account": ""}, "account missing"),
        ({"account": "local/eu"}, "local/eu"),
        ({"region": "eu/west"}, "eu/west"),
        ({"application": "shop/x"}, "'shop/x' can't be the application of a cluster"),
        ({"application": "my-shop"}, "'my-shop' can't be the application of a cluster"),
        ({"stack": "../../x"}, "'../../x' can't be the stack of a cluster"),
        ({"stack": "eu-west"}, "'eu-west' can't be the stack of a cluster"),
        ({"freeFormDetails": "a/b"}, "'a/b' can't be the detail of a cluster"),
        ({"cloudProvider": "mars"}, "no cloud provider 'mars'"),
        ({"verify": {"a": 1, "b": 2}}, "each check"),
        ({"rollback": {"onPipelineFailure": True}, "strategy": "none"}, "nothing to roll back to"),
    ],
)
def test_what_is_wrong_with_a_cluster_is_said_before_anything_is_done(keys: dict[str, Json], said: str) -> None:
    place = FakePlace()

    execution = place.run(deploy(NEW, **keys))

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)
    assert place.faults.calls == []


def test_blue_is_drained_before_it_is_disabled() -> None:
    place = FakePlace().deployed()
    balancer = place.balancers[LOAD_BALANCER]
    address = place.share("shop-prod-v000").addresses[1]
    balancer.in_flight[address] = 1
    waited: list[bool] = []

    async def finish_late(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "shiftTraffic", task="drainReplaced")
        await services.clock.sleep_until(services.clock.now() + timedelta(seconds=20))
        waited.append(place.group("shop-prod-v000").is_disabled)
        balancer.in_flight[address] = 0

    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"), meanwhile=finish_late)

    assert waited == [False]
    assert place.group("shop-prod-v000").is_disabled


def test_a_request_that_never_ends_holds_nothing_up_longer_than_the_drain_time() -> None:
    place = FakePlace().deployed()
    balancer = place.balancers[LOAD_BALANCER]
    balancer.in_flight[place.share("shop-prod-v000").addresses[0]] = 1

    execution = place.harness.run(deploy(NEW, strategy="redblack", drainTimeout="PT10S"))

    assert execution.head.status is Status.SUCCEEDED
    assert execution.head.end_time is not None
    assert timedelta(seconds=10) <= execution.head.end_time - execution.head.build_time < timedelta(seconds=12)
    told = [one.context["requestsLeft"] for one in execution.in_order() if "requestsLeft" in one.context]
    assert told == [{"shop-prod-v000": 1}]


def test_where_the_load_balancer_cannot_tell_the_whole_drain_time_is_waited_and_that_is_said() -> None:
    place = FakePlace().deployed()
    place.balancers[LOAD_BALANCER].is_counting = False

    execution = place.harness.run(deploy(NEW, strategy="redblack", drainTimeout="PT10S"))

    assert execution.head.status is Status.SUCCEEDED
    assert execution.head.end_time is not None
    assert timedelta(seconds=10) <= execution.head.end_time - execution.head.build_time < timedelta(seconds=12)
    told = [one.context["requestsLeft"] for one in execution.in_order() if "requestsLeft" in one.context]
    assert told == [{"shop-prod-v000": None}]


@pytest.mark.parametrize("kind", ["disableServerGroup", "destroyServerGroup"])
@pytest.mark.parametrize("drain_timeout", ["PT10S", "PT0S"])
def test_what_had_not_ended_in_the_drain_time_is_told(kind: str, drain_timeout: str) -> None:
    place = FakePlace().deployed()
    place.balancers[LOAD_BALANCER].in_flight[place.share("shop-prod-v000").addresses[0]] = 3

    execution = place.run(stage(kind, serverGroupName="shop-prod-v000", drainTimeout=drain_timeout))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    told = [one.context["requestsLeft"] for one in execution.in_order() if "requestsLeft" in one.context]
    assert told == [{"shop-prod-v000": 3}]


def test_a_failed_deploy_tells_what_its_new_version_had_under_way_when_it_was_removed() -> None:
    place = FakePlace().deployed()
    verify: JsonObject = {"httpCheck": {"paths": ["/never"]}}

    async def keep_busy(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "httpCheck")
        address = place.group("shop-prod-v001").instances[0].address
        assert address is not None
        place.balancers[LOAD_BALANCER].in_flight[address] = 2

    config = deploy(NEW, strategy="redblack", drainTimeout="PT5S", verify=verify)
    execution = place.run(config, meanwhile=keep_busy)

    assert execution.head.status is Status.TERMINAL
    undone = next(one for one in execution.in_order() if one.type == "undoRollout")
    assert undone.context["requestsLeft"] == {"shop-prod-v001": 2}


def test_a_strategy_of_one_s_own_is_a_pipeline_that_does_it_all() -> None:
    place = FakePlace().deployed()
    before = place.seen()
    body: JsonObject = {
        "application": "shop",
        "name": "Mine",
        "id": "mine",
        "type": "strategy",
        "parameterConfig": [{"name": "cluster"}, {"name": "clone"}],
        "stages": [make.stage_json("a", type="wait", waitTime=1)],
    }

    async def save(services: Services) -> None:
        await services.definitions.save("pipeline", "mine", body, author="ada")

    place.harness.do(save)
    own: dict[str, Json] = {
        "strategyApplication": "shop",
        "strategyPipeline": "mine",
        "pipelineParameters": {"colour": "red"},
    }

    execution = place.run(deploy(NEW, strategy="custom", **own))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.seen() == before
    creating = next(one for one in execution.in_order() if one.type == "createServerGroup")
    child = next(one for one in place.harness.executions() if one.head.pipeline_config_id == "mine")
    assert child.head.trigger["strategy"] is True
    assert child.head.trigger["parameters"] == {
        "application": "shop",
        "credentials": "local",
        "cluster": "shop-prod",
        "moniker": {"app": "shop", "cluster": "shop-prod"},
        "region": "local",
        "cloudProvider": "fake",
        "strategy": True,
        "clone": False,
        "parentPipelineId": execution.head.id,
        "parentStageId": creating.id,
        "colour": "red",
    }


def test_a_strategy_of_one_s_own_without_its_pipeline_is_refused() -> None:
    execution = FakePlace().run(deploy(NEW, strategy="custom"))

    assert "needs the id of a pipeline" in problem_of(execution)


def test_references_to_secrets_go_to_the_provider_as_the_pipeline_has_written_them() -> None:
    place = FakePlace()

    execution = place.run(deploy(NEW, environment={"TOKEN": "secret://store?n=hub"}))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    (new,) = [about for operation, about in place.faults.calls if operation == "create"]
    assert isinstance(new, NewServerGroup)
    assert (new.environment, new.application) == ({"TOKEN": "secret://store?n=hub"}, "shop")


def test_references_to_secrets_that_an_expression_has_put_together_are_refused() -> None:
    place = FakePlace()
    pipeline = deploy(NEW, environment={"TOKEN": "${trigger.payload.token}"})

    execution = place.harness.run(pipeline, {"type": "webhook", "payload": {"token": "secret://store?n=hub"}})

    assert execution.head.status is Status.TERMINAL
    assert "secret://store?n=hub doesn't stand in the pipeline" in problem_of(execution)
    assert [about for operation, about in place.faults.calls if operation == "create"] == []
