"""Strategies of one's own: pipelines that deploy what they are the strategy of."""

from typing import Any

import pytest
from tests import make
from tests.fakes.rollouts import NEW, FakePlace, deploy
from tests.harness import problem_of

from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status

BLUE, GREEN = "shop-prod-v000", "shop-prod-v001"


def with_strategy(**keys: Any) -> FakePlace:
    """A place with the shop deployed, and a pipeline that deploys as a strategy."""
    place = FakePlace().deployed()
    stages: list[Json] = [make.stage_json("a", type="deploy", name="Roll out", **keys)]
    body: JsonObject = {"application": "shop", "name": "Mine", "id": "mine", "type": "strategy", "stages": stages}

    async def save(services: Services) -> None:
        await services.definitions.save("pipeline", "mine", body, author="ada")

    place.harness.do(save)
    return place


def run(place: FakePlace, **keys: Json) -> Execution:
    return place.run(deploy(NEW, strategy="custom", strategyApplication="shop", strategyPipeline="mine", **keys))


def test_a_deploy_in_a_strategy_deploys_the_cluster_that_it_is_the_strategy_of() -> None:
    place = with_strategy()

    execution = run(place)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.weights() == {BLUE: 1, GREEN: 1}, "with the strategy none"
    assert place.group(GREEN).image == NEW
    child = next(one for one in place.harness.executions() if one.head.pipeline_config_id == "mine")
    assert next(child.in_order()).name == "Deploy in local"


@pytest.mark.parametrize("options", ["inherit", "enable"])
def test_other_traffic_options_change_nothing(options: str) -> None:
    place = with_strategy(trafficOptions=options)

    execution = run(place)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.weights() == {BLUE: 1, GREEN: 1}


def test_a_server_group_without_traffic_is_refused_before_anything_is_done() -> None:
    place = with_strategy(trafficOptions="disable")
    before = place.seen()

    execution = run(place)

    assert "without traffic" in problem_of(execution)
    assert place.seen() == before


def test_a_strategy_that_no_deploy_has_started_says_so() -> None:
    place = with_strategy()
    trigger: JsonObject = {"type": "pipeline", "strategy": True, "parentExecution": {"id": "nobody"}}
    stages: list[Json] = [make.stage_json("a", type="deploy")]

    execution = place.harness.run({"application": "shop", "name": "Mine", "stages": stages}, trigger)

    assert "can't be found" in problem_of(execution)
