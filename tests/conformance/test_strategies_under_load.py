"""Strategies on real processes and containers behind a real load balancer, with users on it all the time: nobody notices."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests import waiting
from tests.conformance import subjects
from tests.fakes.web_client import Load
from tests.harness import TESTER, ended, problem_of
from tests.real_places import RealPlace

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.statuses import Status

USERS = 8
_SEEN_TIMES = 5
CLOUDS = ("local", "docker")
pytestmark = pytest.mark.xdist_group("containers")


def under_load(place: RealPlace, *pipelines: JsonObject) -> tuple[list[Execution], Load]:
    """Runs the pipelines one after another; users come once the first has ended."""
    executions: list[Execution] = []
    loads: list[Load] = []

    async def work(services: Services) -> None:
        async with asyncio.TaskGroup() as group:
            for config in pipelines:
                kind = ExecutionKind.ORCHESTRATION if "job" in config else ExecutionKind.PIPELINE
                whole = {**config, "stages": config["job"]} if "job" in config else config
                submission = Submission(kind=kind, config=whole)
                execution_id = await services.executions.submit(submission, TESTER)
                executions.append(await ended(services, execution_id))
                if not loads:
                    balancer = await services.traffic["caddy"].describe("shop-prod")
                    assert balancer is not None, problem_of(executions[0])
                    loads.append(Load(balancer.address, clients=USERS, pause_seconds=0.01))
                    group.create_task(loads[0].run())
                target = sum(loads[0].statuses.values()) + _SEEN_TIMES * USERS
                await waiting.until(partial(_has_answers, loads[0], target), "users to have seen what there is now")
            loads[0].stop()

    place.harness.do(work)
    return executions, loads[0]


@pytest.fixture(params=subjects.params(dict.fromkeys(CLOUDS), debian=("docker",), root=("docker",)))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RealPlace]:
    made = RealPlace(tmp_path, request.getfixturevalue("containers") if request.param == "docker" else None)
    yield made
    made.close()


def _has_answers(load: Load, count: int) -> bool:
    """As many good ones; the first that is none fails the test, which needs no more of them."""
    return sum(load.statuses.values()) >= count or bool(load.broken)


def served(load: Load) -> set[str]:
    """Versions that answered."""
    return {body.partition(":")[0] for body in load.bodies}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["redblack", "rollingredblack", "highlander"])
def test_a_new_version_comes_without_a_single_broken_request(place: RealPlace, strategy: str) -> None:
    executions, load = under_load(
        place, place.deploy("one", strategy="redblack"), place.deploy("two", strategy=strategy)
    )

    assert [one.head.status for one in executions] == [Status.SUCCEEDED] * 2, problem_of(executions[-1])
    assert (load.broken, set(load.statuses)) == ([], {200})
    assert served(load) == {"one", "two"}


@pytest.mark.slow
def test_a_rollback_is_back_at_once_and_breaks_nothing(place: RealPlace) -> None:
    verify: JsonObject = {"httpCheck": {"paths": ["/healthz", "/"], "expectedBody": ""}}
    job: JsonObject = {"refId": "1", "type": "rollbackRelease", "name": "Roll back", "cluster": "shop-prod"}

    executions, load = under_load(
        place,
        place.deploy("one", strategy="redblack"),
        place.deploy("two", strategy="redblack", gracePeriod="PT1H", verify=verify),
        {"application": "shop", "name": "Roll back", "job": [job]},
    )

    assert [one.head.status for one in executions] == [Status.SUCCEEDED] * 3, problem_of(executions[-1])
    tasks = next(executions[-1].in_order()).tasks
    (switch,) = [place for place, task in enumerate(tasks) if task.name == "switchTraffic"]
    assert {task.name: (task.poll, task.failures) for task in tasks[: switch + 1]} == {
        task.name: (0, 0) for task in tasks[: switch + 1]
    }, "it waits for nothing"
    assert (load.broken, set(load.statuses)) == ([], {200})


@pytest.mark.slow
def test_server_groups_are_resized_cloned_disabled_enabled_and_destroyed_unnoticed(place: RealPlace) -> None:
    cloud = "local" if place.engine is None else "docker"
    where: JsonObject = {"account": "local", "credentials": "local", "region": "local", "cloudProvider": cloud}
    first: JsonObject = {**where, "serverGroupName": "shop-prod-v000"}
    cloned: JsonObject = {**where, "environment": {"VERSION": "one"}}
    stages: list[JsonObject] = [
        {**first, "type": "resizeServerGroup", "capacity": {"min": 1, "max": 1, "desired": 1}},
        {**cloned, "type": "cloneServerGroup", "application": "shop", "stack": "prod", "source": first},
        {**first, "type": "disableServerGroup"},
        {**first, "type": "enableServerGroup"},
        {**where, "type": "disableServerGroup", "serverGroupName": "shop-prod-v001"},
        {**where, "type": "destroyServerGroup", "serverGroupName": "shop-prod-v001"},
    ]
    chained: list[Json] = [
        {**stage, "name": str(stage["type"]), "refId": str(at), "requisiteStageRefIds": [str(at - 1)] if at else []}
        for at, stage in enumerate(stages)
    ]

    executions, load = under_load(
        place, place.deploy("one", strategy="redblack"), {"application": "shop", "name": "All of them", "job": chained}
    )

    assert [one.head.status for one in executions] == [Status.SUCCEEDED] * 2, problem_of(executions[-1])
    assert (load.broken, set(load.statuses)) == ([], {200})
    assert served(load) == {"one"}
