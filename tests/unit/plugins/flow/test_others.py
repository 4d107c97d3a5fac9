"""Others' executions: stages show and end what whoever they run for may read and steer, and no more."""

import asyncio

import pytest
from tests.fakes.website import Website
from tests.harness import ended, problem_of
from tests.unit.web import test_access as access

from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status

SAYS: JsonObject = {"type": "evaluateVariables", "variables": [{"key": "seen", "value": "${trigger.parentExecution}"}]}
WANTED: JsonObject = {"id": "e", "matchArtifact": {"type": "docker/image"}}


async def tools(site: Website, *names: str) -> None:
    """An application of people who have nothing to do with shop, where e1 runs."""
    rights: JsonObject = {right: list[Json](names) for right in ("READ", "WRITE", "EXECUTE")}
    body: JsonObject = {"name": "tools", "permissions": rights}
    await site.ports.services.definitions.save("application", "tools", body, author="test")


async def started(site: Website, name: str, stage: JsonObject, trigger: JsonObject | None = None) -> int:
    """The status of the answer; the execution is called `mine`."""
    stages: list[Json] = [{"refId": "1", "name": "Look", **stage}]
    config: JsonObject = {"application": "tools", "name": "Mine", "stages": stages, "executionId": "mine"}
    token = await access.token_of(site, name)
    return (await site.post("/orchestrate", {**config, "trigger": trigger or {}}, token=token)).status


async def found(site: Website, execution_id: str) -> Execution:
    execution = await site.ports.services.executions.get(execution_id)
    assert execution is not None
    return execution


@pytest.mark.parametrize(
    "stage",
    [
        {"type": "monitorPipeline", "executionIds": ["e1"]},
        {"type": "pipeline", "application": "tools", "pipeline": "p1", "executionId": "e1"},
        {"type": "dependsOnExecution", "executionId": "e1"},
        {"type": "findArtifactFromExecution", "application": "tools", "pipeline": "p1", "expectedArtifacts": [WANTED]},
    ],
    ids=lambda stage: stage["type"],
)
def test_a_stage_shows_no_execution_that_its_user_may_not_read(stage: JsonObject) -> None:
    async def work(site: Website) -> None:
        await tools(site, "outsider")
        assert await started(site, "outsider", stage) == 200
        assert "no READ permission on the application shop" in problem_of(await ended(site.ports.services, "mine"))

    access.visit(work)


@pytest.mark.parametrize("parent", [{"parentExecution": {"id": "e1"}}, {"parentPipelineId": "e1"}])
def test_who_names_a_parent_must_be_allowed_to_read_it(parent: JsonObject) -> None:
    async def work(site: Website) -> None:
        await tools(site, "outsider", "reader")
        assert await started(site, "outsider", SAYS, parent) == 403
        assert await started(site, "outsider", SAYS, {**parent, "plan": True}) == 403
        assert await started(site, "reader", SAYS, parent) == 200
        mine = await ended(site.ports.services, "mine")
        assert "Judge" in str(next(mine.top_level()).outputs["seen"])

    access.visit(work)


def test_nobody_runs_something_as_a_pipeline_that_they_may_not_start() -> None:
    config: JsonObject = {"application": "tools", "name": "Mine", "stages": []}

    async def work(site: Website) -> None:
        await tools(site, "outsider", "executor")
        for name, status in (("outsider", 403), ("executor", 200)):
            answer = await site.post("/orchestrate", {**config, "id": "p1"}, token=await access.token_of(site, name))
            assert answer.status == status, answer.body

    access.visit(work)


def test_nor_as_one_that_is_deleted() -> None:
    config: JsonObject = {"application": "tools", "name": "Mine", "stages": [], "id": "p1"}

    async def work(site: Website) -> None:
        await tools(site, "outsider", "executor")
        await site.ports.services.definitions.delete("pipeline", "p1", author="test")
        for name, status in (("outsider", 403), ("executor", 200)):
            answer = await site.post("/orchestrate", config, token=await access.token_of(site, name))
            assert answer.status == status, answer.body

    access.visit(work)


def test_ending_a_stage_ends_no_execution_that_its_user_may_only_read() -> None:
    stage: JsonObject = {"type": "pipeline", "application": "tools", "pipeline": "p1", "executionId": "e1"}

    async def work(site: Website) -> None:
        await tools(site, "reader")
        assert await started(site, "reader", stage) == 200
        await asyncio.sleep(5)
        assert (await found(site, "mine")).head.status is Status.RUNNING
        token = await access.token_of(site, "reader")
        assert (await site.call("PUT", "/pipelines/mine/cancel", token=token)).status == 200
        await asyncio.sleep(5)
        assert (await found(site, "mine")).head.status is Status.CANCELED
        assert (await found(site, "e1")).head.status is Status.RUNNING

    access.visit(work)
