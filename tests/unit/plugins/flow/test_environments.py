"""Environments: two of an application's side by side, over real deployments in memory; a precondition, a route."""

from datetime import timedelta
from typing import Any

import pytest
from tests.fakes.rollouts import NEW, OLD, FakePlace, deploy, stage
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import problem_of

from gennaker.model.codec import Json, JsonObject
from gennaker.model.comparison import ALL
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status

ALIKE = ["image", "configuration", "resources", "secrets"]
KEYS: JsonObject = {
    "environment": {"MODE": "fast", "PASSWORD": "encrypted:store!n:db"},
    "container": {"memory": "256m"},
}


def deployed(**staging: Json) -> FakePlace:
    """Production as `KEYS` say, staging with these differences."""
    place = FakePlace()
    for stack, keys in (("prod", {}), ("staging", staging)):
        given: dict[str, Any] = {"image": OLD, "loadBalancers": [f"shop-{stack}"], **KEYS, **keys, "stack": stack}
        execution = place.harness.run(deploy(given.pop("image"), **given), afterwards=timedelta(seconds=2))
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    return place


def check(place: FakePlace, *environments: str, aspects: list[str] = ALIKE) -> Execution:
    context: JsonObject = {"environments": list[Json](environments), "aspects": list[Json](aspects)}
    precondition: JsonObject = {"type": "environments", "context": context}
    return place.harness.run(stage("checkPreconditions", preconditions=[precondition]))


def compared(place: FakePlace, left: str, right: str, only: str = "") -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def work(site: Website) -> None:
        query = f"left={left}&right={right}&only={only}"
        answer = await site.get(f"/api/v1/applications/shop/comparison?{query}")
        found.append(answer.json)

    visit(work, harness=place.harness)
    return found[0]


def test_environments_that_are_alike_let_a_pipeline_go_on() -> None:
    assert check(deployed(), "staging", "prod").head.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("staging", "said"),
    [
        ({"image": NEW}, "image digest: sha256:new / sha256:old"),
        ({"environment": {"MODE": "slow"}}, "configuration MODE: slow / fast"),
        ({"environment": {"MODE": "fast"}}, "secrets PASSWORD: none / encrypted:store!n:db"),
        ({"container": {"memory": "1g"}}, "resources memory: 1g / 256m"),
    ],
)
def test_a_difference_stops_a_pipeline_and_is_named(staging: JsonObject, said: str) -> None:
    execution = check(deployed(**staging), "staging", "prod")

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)


def test_what_can_not_be_asked_says_what_can() -> None:
    place = deployed()

    assert "Accounts, stacks and clusters with some: local, prod, shop-prod" in problem_of(check(place, "moon", "prod"))
    assert "several clusters in 'local'" in problem_of(check(place, "local", "prod"))
    assert "1 environments are named" in problem_of(check(place, "prod"))
    assert "Use some of image" in problem_of(check(place, "staging", "prod", aspects=["colour"]))


def test_the_route_tells_all_facts_side_by_side() -> None:
    found = compared(deployed(), "staging", "shop-prod")

    lines = {(one["aspect"], one["name"]): (one["left"], one["right"], one["differs"]) for one in found["lines"]}
    assert not found["same"]
    assert found["left"]["serverGroup"] == "shop-staging-v000"
    assert {aspect for aspect, _ in lines} == set(ALL)
    assert lines["routes", "1.name"] == ("shop-staging", "shop-prod", True)
    assert lines["routes", "1.share"] == ("100 %", "100 %", False)
    assert lines["replicas", "desired"] == ("2", "2", False)
    assert lines["configuration", "MODE"] == ("fast", "fast", False)


def test_what_nobody_knows_is_no_match() -> None:
    place = deployed().elsewhere("shop-dr-v000")

    found = compared(place, "prod", "dr", "configuration")

    assert found["same"] is False
    assert found["lines"][-1]["right"] == "no: the execution that has made it is gone"
