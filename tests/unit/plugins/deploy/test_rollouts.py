"""Rollouts that meet others: one at a time in a cluster, and none goes on against a rollback."""

import pytest
from msgspec.structs import replace
from tests import waiting
from tests.fakes.rollouts import LOAD_BALANCER, NEW, NEWER, OLD, SICK, FakePlace, deploy
from tests.harness import TESTER, Meanwhile, ended, problem_of, reached

from gennaker.engine.sight import StageSight
from gennaker.interfaces.clouds import Capacity
from gennaker.interfaces.clusters import ClusterSpec
from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked
from gennaker.model.execution import ExecutionKind
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import create_server_group

BLUE, GREEN, THIRD = "shop-prod-v000", "shop-prod-v001", "shop-prod-v002"
LONG: JsonObject = {"verify": {"type": "wait", "waitTime": 30}}
ROLLBACK: JsonObject = {"refId": "1", "requisiteStageRefIds": [], "type": "rollbackRelease", "cluster": "shop-prod"}


async def submit(services: Services, pipeline: JsonObject) -> str:
    return await services.executions.submit(Submission(config=pipeline), TESTER)


async def roll_back(services: Services) -> None:
    config: JsonObject = {"application": "shop", "name": "Roll back", "stages": [ROLLBACK]}
    submission = Submission(kind=ExecutionKind.ORCHESTRATION, config=config)
    execution = await ended(services, await services.executions.submit(submission, TESTER))
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)


def rolled_back_during(kind: str, task: str = "") -> Meanwhile:
    async def act(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, kind, task=task)
        await roll_back(services)

    return act


def released() -> FakePlace:
    """The new version serves, the old one is warm."""
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))
    return place


@pytest.mark.parametrize("strategy", ["highlander", "redblack", "rollingredblack"])
def test_a_second_deploy_waits_until_the_first_is_over(strategy: str) -> None:
    place = FakePlace().deployed()
    later: list[str] = []

    async def another(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "wait")
        later.append(await submit(services, deploy(NEWER, strategy=strategy)))

    place.run(deploy(NEW, strategy=strategy, **LONG), meanwhile=another)

    [second] = [one for one in place.harness.executions() if one.head.id in later]
    assert second.head.status is Status.SUCCEEDED, problem_of(second)
    assert place.seen() == {
        "groups": {THIRD: [NEWER, 2, 2, False]},
        "traffic": {LOAD_BALANCER: {THIRD: [1, 2]}},
        "releases": [[BLUE, "superseded", None], [GREEN, "superseded", BLUE], [THIRD, "settled", GREEN]],
        "rollouts": 0,
    }


def test_a_deploy_that_is_cancelled_while_it_waits_for_its_turn_holds_nobody_up() -> None:
    place = FakePlace().deployed()

    async def three(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "wait")
        second = await submit(services, deploy(SICK, strategy="redblack"))
        await reached(services, second, "createServerGroup")
        third = await submit(services, deploy(NEWER, strategy="redblack"))
        await services.executions.tell(second, CancelAsked(at=services.clock.now(), by="ann"), TESTER)
        assert (await ended(services, third)).head.status is Status.SUCCEEDED

    place.run(deploy(NEW, strategy="redblack", **LONG), meanwhile=three)

    assert place.weights() == {THIRD: 1}
    assert place.open_rollouts() == 0


AFTER_ROLLBACK: JsonObject = {
    "groups": {BLUE: [OLD, 2, 2, False]},
    "traffic": {LOAD_BALANCER: {BLUE: [1, 2]}},
    "releases": [[BLUE, "settled", None], [GREEN, "rolled-back", BLUE]],
    "rollouts": 0,
}


@pytest.mark.parametrize("strategy", ["none", "highlander", "redblack", "rollingredblack"])
def test_a_deploy_that_is_under_way_gives_in_to_a_rollback(strategy: str) -> None:
    place = released()

    execution = place.run(deploy(NEWER, strategy=strategy, **LONG), meanwhile=rolled_back_during("wait"))

    assert execution.head.status is Status.TERMINAL
    assert f"{BLUE} serves again" in problem_of(execution)
    assert place.seen() == AFTER_ROLLBACK


def test_a_rolling_update_that_has_traffic_already_gives_in_to_a_rollback() -> None:
    place = released()
    update = deploy(NEWER, strategy="rollingredblack", delayBeforeCleanup=30)
    seen: list[dict[str, int]] = []

    async def at_half(services: Services, _: str) -> None:
        await waiting.until(lambda: THIRD in place.weights(), "the third version to get traffic", pause_seconds=1)
        seen.append(place.weights())
        await roll_back(services)

    execution = place.run(update, meanwhile=at_half)

    assert seen == [{GREEN: 1, THIRD: 1}]
    assert execution.head.status is Status.TERMINAL
    assert place.seen() == AFTER_ROLLBACK


def test_a_rollback_while_the_old_version_still_drains_leaves_it_in_service() -> None:
    place = FakePlace().deployed()
    balancer = place.balancers[LOAD_BALANCER]
    balancer.in_flight[place.share(BLUE).addresses[0]] = 1
    drains = rolled_back_during("shiftTraffic", "drainReplaced")

    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"), meanwhile=drains)

    assert place.seen() == AFTER_ROLLBACK


def test_a_cancelled_deploy_without_anything_to_go_back_to_leaves_no_version_that_never_served() -> None:
    place = FakePlace().deployed()

    async def destroyed_and_cancelled(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "wait")
        del place.cloud.groups[BLUE]
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ann"), TESTER)

    place.run(deploy(NEW, strategy="redblack", **LONG), meanwhile=destroyed_and_cancelled)

    assert list(place.cloud.groups) == []
    assert place.open_rollouts() == 0


def test_a_release_replaces_what_served_and_not_what_merely_runs() -> None:
    place = FakePlace().deployed()
    idle: dict[str, Json] = {"strategy": "none", "loadBalancers": []}
    place.run(deploy(SICK, **idle, capacity={"min": 0, "max": 0, "desired": 0}))
    assert place.group(GREEN).capacity == Capacity(min=0, max=0, desired=0)

    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))

    assert place.releases()[-1].replaced == BLUE


def test_a_stage_that_names_another_runs_rollout_changes_nothing() -> None:
    place = FakePlace().deployed()
    later: list[str] = []

    async def meddle(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "wait")
        [rollout] = await services.documents("deploy.rollouts").list()
        undo: JsonObject = {"refId": "1", "requisiteStageRefIds": [], "type": "undoRollout", "rollout": rollout.key}
        later.append(await submit(services, {"application": "tools", "name": "Meddle", "stages": [undo]}))
        await ended(services, later[0])

    place.run(deploy(NEW, strategy="redblack", **LONG), meanwhile=meddle)

    executions = place.harness.executions()
    assert {one.head.status for one in executions if one.head.id not in later} == {Status.SUCCEEDED}
    assert later


@pytest.mark.parametrize(
    ("strategy", "stack", "planned"),
    [
        ("redblack", "prod", ["undoRollout"]),
        ("redblack", "with-hyphen", ["undoRollout"]),
        ("monitored", "prod", ["undoRollout", "notifyDeployCompleted"]),
        ("monitored", "with-hyphen", ["undoRollout"]),
    ],
)
def test_the_way_back_is_planned_also_where_the_cluster_can_be_read_no_more(
    strategy: str, stack: str, planned: list[str]
) -> None:
    place = FakePlace()
    execution = place.run(deploy(NEW, strategy="redblack"))
    creating = next(one for one in execution.in_order() if one.type == "createServerGroup")
    keys: JsonObject = {"strategy": strategy, "stack": stack, "deploymentMonitor": {"id": "log"}}
    changed = replace(creating, context={**creating.context, **keys})
    found: list[str] = []

    async def plan(services: Services) -> None:
        context = StageContext(
            execution=execution,
            stage=changed,
            lookup=changed.context.get,
            sight=StageSight(execution, changed, at=execution.head.build_time),
            services=services,
            at=execution.head.build_time,
        )
        assert create_server_group.stage.plan_on_failure is not None
        found.extend(one.type for one in await create_server_group.stage.plan_on_failure(ClusterSpec(), context))

    place.harness.do(plan)

    assert found == planned
