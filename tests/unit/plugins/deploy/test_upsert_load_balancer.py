"""Load balancers that a stage makes: before anything is deployed behind them, and once."""

import pytest
from tests.fakes.rollouts import LOAD_BALANCER, FakePlace, stage
from tests.harness import problem_of

from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status


def targets(execution: Execution) -> list[tuple[Json, Json]]:
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    (first,) = execution.top_level()
    found = first.outputs["targets"]
    assert isinstance(found, list)
    return [(one["name"], one["address"]) for one in found if isinstance(one, dict)]


def test_it_is_made_once_and_stays_at_its_address() -> None:
    place = FakePlace()

    first = targets(place.run(stage("upsertLoadBalancer", loadBalancerName="shop-new")))
    again = targets(place.run(stage("upsertLoadBalancer", loadBalancerName="shop-new")))

    assert first == again
    assert [*place.balancers] == ["shop-new"]


def test_several_are_made_each_at_the_port_that_it_names() -> None:
    place = FakePlace()
    wanted: list[Json] = [
        {"name": "shop-a", "listeners": [{"externalPort": 8101, "internalPort": 8080}]},
        {"name": "shop-b", "address": "127.0.0.1:8102"},
    ]

    made = targets(place.run(stage("upsertLoadBalancers", loadBalancers=wanted)))

    assert made == [("shop-a", "127.0.0.1:8101"), ("shop-b", "127.0.0.1:8102")]


def test_one_that_serves_elsewhere_stays_there_and_the_stage_says_so() -> None:
    place = FakePlace().deployed()
    before = place.seen()

    execution = place.run(stage("upsertLoadBalancer", loadBalancerName=LOAD_BALANCER, address="127.0.0.1:8103"))

    assert "listens on" in problem_of(execution)
    assert place.seen() == before


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "which load balancer"),
        ({"loadBalancerName": "shop-a", "address": "0.0.0.0:80"}, "loopback"),
        ({"loadBalancerName": "shop-a", "address": "127.0.0.1:70000"}, "loopback"),
        ({"loadBalancerName": "shop-a", "listeners": [{"internalPort": 80}]}, "loopback"),
    ],
)
def test_what_can_t_be_made_is_refused(keys: JsonObject, said: str) -> None:
    place = FakePlace()

    assert said in problem_of(place.run(stage("upsertLoadBalancer", **keys)))
    assert place.balancers == {}
