"""Strategies: rolling updates by the names and steps that Orca's strategies give them, and what follows the switch."""

import pytest
from tests import make
from tests.fakes.rollouts import NEW, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.interfaces.clouds import Capacity
from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import clusters, strategies


def grown(execution: Execution) -> list[str]:
    names = [one.name for one in execution.in_order() if one.name.startswith("Grow to")]
    return [name.removeprefix("Grow to ").removesuffix(" of Desired Size") for name in names]


@pytest.mark.parametrize(
    ("keys", "steps"),
    [
        ({"strategy": "rollingredblack"}, ["50%", "100%"]),
        ({"strategy": "Monitored", "deploySteps": [10, 60]}, ["10%", "60%", "100%"]),
        ({"strategy": "monitored", "targetPercentages": [30]}, ["30%", "100%"]),
        ({"strategy": "rollingpush", "termination": {"concurrentRelaunches": 3}}, ["75%", "100%"]),
        ({"strategy": "rolling_push", "termination": {"relaunchAllInstances": True}}, ["50%", "100%"]),
        (
            {"strategy": "rollingredblack", "deploySteps": [10], "deploymentMonitor": {"deploymentMonitorId": "m"}},
            ["50%", "100%"],
        ),
    ],
)
def test_a_rolling_update_has_the_steps_of_the_strategy_that_was_named(keys: dict[str, Json], steps: list[str]) -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, capacity={"min": 4, "max": 4, "desired": 4}, **keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert grown(execution) == steps
    assert place.weights() == {"shop-prod-v001": 1}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"strategy": "monitored", "deploymentMonitor": {"deploymentMonitorId": "m"}},
            "`deploymentMonitor` names no `id`",
        ),
        ({"strategy": "monitored", "deploySteps": [0, 50]}, "`deploySteps` is wrong"),
        ({"strategy": "cfrollingredblack"}, "There is no strategy 'cfrollingredblack'"),
    ],
)
def test_what_a_strategy_cannot_do_here_is_said_before_anything_is_done(keys: dict[str, Json], said: str) -> None:
    place = FakePlace()

    execution = place.run(deploy(NEW, **keys))

    assert said in problem_of(execution)
    assert place.faults.calls == []


@pytest.mark.parametrize("strategy", ["redblack", "rollingredblack"])
def test_what_was_replaced_is_scaled_down_where_that_is_wanted(strategy: str) -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, strategy=strategy, gracePeriod="P1D", scaleDown=True, delayBeforeScaleDownSec=5))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.type for one in execution.in_order()][-3:] == ["wait", "scaleDownCluster", "deploy"]
    assert place.group("shop-prod-v000").capacity.desired == 0


FOUR: Json = {"min": 4, "max": 4, "desired": 4}


@pytest.mark.parametrize(
    ("keys", "desired"),
    [
        ({"strategy": "rollingredblack"}, 2),
        ({"strategy": "rolling-red-black", "useSourceCapacity": False}, 2),
        ({"strategy": "monitored"}, 2),
        ({"strategy": "rollingupdate"}, 4),
        ({"strategy": "redblack"}, 4),
        ({"strategy": "redblack", "useSourceCapacity": True}, 2),
        ({"strategy": "redblack", "source": {"useSourceCapacity": True}}, 2),
        ({"strategy": "redblack", "useSourceCapacity": True, "source": {"useSourceCapacity": "false"}}, 4),
    ],
)
def test_the_new_version_is_as_large_as_orca_would_make_it(keys: dict[str, Json], desired: int) -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, capacity=FOUR, **keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.group("shop-prod-v001").capacity.desired == desired


def test_of_several_that_serve_the_largest_says_how_many() -> None:
    place = FakePlace().deployed(capacity=FOUR)
    place.run(deploy(NEW, strategy="none"))

    execution = place.run(deploy(NEW, strategy="redblack", useSourceCapacity=True))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.group("shop-prod-v002").capacity.desired == 4


ONE: Json = {"min": 1, "max": 1, "desired": 1}
NOTHING: Json = {"min": 0, "max": 0, "desired": 0}


@pytest.mark.parametrize(
    ("beside", "keys", "capacity"),
    [
        ({"trafficPercent": 5, "capacity": ONE}, {"strategy": "rollingredblack"}, FOUR),
        ({"trafficPercent": 5, "capacity": ONE}, {"strategy": "monitored"}, FOUR),
        (
            {"capacity": {"min": 1, "max": 9, "desired": 4}},
            {"strategy": "rollingredblack"},
            {"min": 1, "max": 9, "desired": 4},
        ),
        (
            {"capacity": {"min": 1, "max": 9, "desired": 4}},
            {"strategy": "redblack", "useSourceCapacity": True},
            {"min": 1, "max": 9, "desired": 4},
        ),
    ],
    ids=["canary", "canary of a monitored one", "as large", "as large, useSourceCapacity"],
)
def test_a_canary_beside_does_not_say_how_large_production_is(
    beside: dict[str, Json], keys: dict[str, Json], capacity: Json
) -> None:
    place = FakePlace().deployed(capacity=FOUR)
    place.run(deploy(NEW, strategy="none", **beside))

    execution = place.run(deploy(NEW, capacity=ONE, **keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert clusters.capacity_json(place.group("shop-prod-v002").capacity) == capacity


@pytest.mark.parametrize(
    ("keys", "desired"),
    [
        ({"strategy": "rollingredblack"}, 4),
        ({"strategy": "monitored"}, 4),
        ({"strategy": "redblack", "useSourceCapacity": True}, 0),
    ],
)
def test_a_rolling_update_of_what_was_scaled_to_nothing_has_the_size_of_its_cluster(
    keys: dict[str, Json], desired: int
) -> None:
    place = FakePlace().deployed()
    place.run(stage("resizeServerGroup", serverGroupName="shop-prod-v000", capacity=NOTHING))

    execution = place.run(deploy(NEW, capacity=FOUR, **keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.group("shop-prod-v001").capacity.desired == desired


@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_is_waited_for_where_there_is_nothing_to_take_out(*, is_first: bool) -> None:
    place = FakePlace() if is_first else FakePlace().deployed()

    execution = place.run(deploy(NEW, strategy="redblack", delayBeforeCleanup=30))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.type for one in execution.in_order()].count("wait") == (not is_first)


def test_a_monitored_deploy_leaves_as_many_server_groups_as_it_says() -> None:
    place = FakePlace().deployed()
    for _ in range(2):
        execution = place.run(deploy(NEW, strategy="monitored", maxRemainingAsgs=2, gracePeriod="P1D"))
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)

    assert sorted(place.cloud.groups) == ["shop-prod-v001", "shop-prod-v002"]


MANY: dict[str, Json] = {"maxRemainingAsgs": 1, "scaleDown": True, "gracePeriod": "P1D"}


@pytest.mark.parametrize("operation", ["resize", "destroy"])
def test_a_monitored_deploy_does_not_fail_for_what_it_can_not_clean_up(operation: str) -> None:
    place = FakePlace().deployed()
    place.faults.refuse(operation, lambda about: "shop-prod-v000" in str(about))

    execution = place.run(deploy(NEW, strategy="monitored", **MANY, allowDeleteActive=True, allowScaleDownActive=True))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    cleanup = [one for one in execution.in_order() if one.type in ("scaleDownCluster", "shrinkCluster")]
    assert Status.FAILED_CONTINUE in {one.status for one in cleanup}
    assert [one.context["allowScaleDownActive"] for one in cleanup[:1]] == [False]
    assert [one.context["allowDeleteActive"] for one in cleanup[1:]] == [False]
    assert place.weights() == {"shop-prod-v001": 1}


def validated(*stages: JsonObject) -> FakePlace:
    """A place with the shop deployed, and a pipeline of these stages that validates steps."""
    place = FakePlace().deployed()
    parameters: list[Json] = [{"name": "percentageComplete"}, {"name": "deployedServerGroup"}, {"name": "strict"}]
    body: JsonObject = {
        "application": "shop",
        "name": "Validate",
        "id": "v",
        "parameterConfig": parameters,
        "stages": [*stages],
    }

    async def save(services: Services) -> None:
        await services.definitions.save("pipeline", "v", body, author="ada")

    place.harness.do(save)
    return place


ROLLING: dict[str, Json] = {
    "strategy": "rollingredblack",
    "targetPercentages": [10, 50],
    "pipelineBeforeCleanup": {"application": "shop", "pipelineId": "v", "pipelineParameters": {"strict": "yes"}},
}


def test_a_validation_pipeline_runs_at_each_step_before_the_old_version_gives_way() -> None:
    place = validated(make.stage_json("a", type="wait", waitTime=1))

    execution = place.run(deploy(NEW, **ROLLING))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    where = {"account": "local", "region": "local", "cloudProvider": "fake"}
    told = [one.head.trigger["parameters"] for one in place.harness.executions() if one.head.pipeline_config_id == "v"]
    assert told == [
        {
            "strict": "yes",
            "deployedServerGroup": {**where, "serverGroupName": "shop-prod-v001"},
            "sourceServerGroup": {**where, "serverGroupName": "shop-prod-v000"},
            "percentageComplete": percent,
        }
        for percent in (10, 50, 100)
    ]
    names = [one.name for one in execution.in_order()]
    assert names.index("Run Validation Pipeline at 10%") < names.index("Give 10% of the traffic to shop-prod-v001")
    assert names.index("Run Validation Pipeline at 100%") < names.index("Switch all traffic to shop-prod-v001")


def test_a_validation_pipeline_that_fails_at_a_step_brings_the_old_version_back() -> None:
    condition: JsonObject = {"expression": "${parameters.percentageComplete < 50}"}
    checks: list[Json] = [{"type": "expression", "context": condition, "failPipeline": True}]
    place = validated(make.stage_json("a", type="checkPreconditions", preconditions=checks))
    before = place.seen()

    execution = place.run(deploy(NEW, **ROLLING))

    assert execution.head.status is Status.TERMINAL
    stopped = next(one for one in execution.in_order() if one.status is Status.TERMINAL and one.type == "pipeline")
    assert stopped.name == "Run Validation Pipeline at 50%"
    assert place.seen() == before


@pytest.mark.parametrize(
    ("keys", "most"),
    [
        ({"strategy": "redblack"}, 4),
        ({"strategy": "rollingredblack"}, 4),
        ({"strategy": "rollingredblack", "gracePeriod": 0}, 2),
        ({"strategy": "rollingredblack", "gracePeriod": 0, "targetPercentages": [25, 100]}, 3),
        ({"strategy": "rollingupdate"}, 2),
        ({"strategy": "rollingupdate", "capacity": {"desired": 6}}, 4),
        ({"strategy": "rollingpush", "termination": {"concurrentRelaunches": 1}}, 1),
    ],
)
def test_room_is_asked_for_as_much_as_a_deploy_has_at_its_largest(keys: JsonObject, most: int) -> None:
    own: JsonObject = {"account": "local", "region": "local", "cloudProvider": "fake", "capacity": {"desired": 4}}
    cluster = clusters.of_json({**own, **keys}, FakePlace().harness.built().services, application="shop")

    old = Capacity(min=4, max=4, desired=4)
    assert strategies.most_at_once(cluster, cluster.capacity, [old]) == most
