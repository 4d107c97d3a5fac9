"""Finding executions as Gate's and Orca's clients do it, and deleting them."""

import asyncio
import base64
import json
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.plugins.flow import plugin as flow
from gennaker.web.gate import search


def pipeline(name: str, *stages: Any, application: str = "shop") -> dict[str, Any]:
    own = stages or (make.stage_json("a", type="wait", waitTime=1, group="g"),)
    return {"application": application, "name": name, "id": name, "stages": list(own)}


async def call(site: Website, method: str, path: str, json: Any = None, *, status: int = 200) -> Any:
    answer = await site.call(method, path, token=None, json=json)
    assert answer.status == status, (method, path, answer.status, answer.body)
    return answer.json if answer.body else None


async def run(site: Website, config: dict[str, Any], **trigger: Any) -> str:
    ref: str = (await call(site, "POST", "/orchestrate", {**config, "trigger": {"type": "manual", **trigger}}))["ref"]
    await asyncio.sleep(5)
    return ref.removeprefix("/pipelines/")


def visited(work: Any) -> None:
    visit(work, harness=Harness(flow.plugin, scripted.plugin(Target())))


@pytest.mark.parametrize("path", ["/executions", "/pipelines"])
def test_executions_are_found_by_their_ids_or_as_the_newest_of_each_pipeline(path: str) -> None:
    async def work(site: Website) -> None:
        a1, a2, b1 = [await run(site, pipeline(name)) for name in ("a", "a", "b")]

        async def ids(query: str) -> list[str]:
            return [one["id"] for one in await call(site, "GET", f"{path}?{query}")]

        assert await ids("") == []
        assert await ids(f"executionIds={a1},nobody,{b1}") == [b1, a1]
        assert await ids("pipelineConfigIds=a,b,c") == [b1, a2]
        assert await ids("pipelineConfigIds=a&pipelineConfigIds=b&limit=2") == [b1, a2, a1]
        assert await ids("pipelineConfigIds=a&limit=2&statuses=TERMINAL") == []
        await call(site, "GET", f"{path}?pipelineConfigIds=a&executionIds={a1}", status=400)

    visited(work)


def test_in_outline_stages_keep_their_keys_but_not_what_they_hold() -> None:
    async def work(site: Website) -> None:
        ran = await run(site, pipeline("a"))

        [found] = await call(site, "GET", f"/executions?executionIds={ran}&expand=false")
        [listed] = await call(site, "GET", "/applications/shop/pipelines?expand=false")

        assert found == listed
        [stage] = found["stages"]
        assert (stage["context"], stage["outputs"], stage["tasks"]) == ({"group": "g"}, {}, [])
        assert (stage["refId"], stage["status"], found["trigger"]["type"]) == ("a", "SUCCEEDED", "manual")

    visited(work)


def test_executions_of_an_application_are_filtered_by_their_pipelines_names() -> None:
    async def work(site: Website) -> None:
        for name in ("Deploy to staging", "deploy to production", "Test"):
            await call(site, "POST", "/pipelines", pipeline(name))
        staging, production, _ = [
            await run(site, pipeline(name)) for name in ("Deploy to staging", "deploy to production", "Test")
        ]

        async def ids(query: str) -> list[str]:
            return [one["id"] for one in await call(site, "GET", f"/applications/shop/pipelines?{query}")]

        assert await ids("pipelineNameFilter=DEPLOY") == [production, staging]
        assert await ids("pipelineNameFilter=DEPLOY&limit=1") == [production, staging], "one of each pipeline"
        assert len(await ids("pipelineNameFilter=deploy&pipelineLimit=1")) == 1
        assert await ids("pipelineNameFilter=moon") == []

    visited(work)


def encoded(trigger: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(trigger).encode()).decode()


@pytest.mark.parametrize("path", ["executions/search", "pipelines/search"])
def test_executions_are_found_by_what_their_triggers_hold(path: str) -> None:
    async def work(site: Website) -> None:
        git = await run(site, pipeline("a"), type="git", eventId="e1", payload={"branch": "main", "files": ["x", "y"]})
        manual = await run(site, pipeline("b"), payload={"branch": "release/7"})
        other = await run(site, pipeline("c", application="cart"), eventId="e1")

        async def ids(query: str, application: str = "shop") -> list[str]:
            return [one["id"] for one in await call(site, "GET", f"/applications/{application}/{path}?{query}")]

        assert await ids("") == [manual, git]
        assert await ids("reverse=true") == [git, manual]
        assert await ids("", "*") == [other, manual, git]
        assert await ids("size=1&startIndex=1") == [git]
        assert await ids("triggerTypes=git,docker") == [git]
        assert await ids("triggerTypes=*") == [manual, git]
        assert await ids("pipelineName=b") == [manual]
        assert await ids("eventId=e1", "*") == [other, git]
        assert await ids("statuses=RUNNING") == []
        assert await ids(f"trigger={encoded({'payload': {'branch': 'MAIN'}})}") == [git]
        assert await ids(f"trigger={encoded({'payload': {'branch': 'release/[0-9]+'}})}") == [manual]
        assert await ids(f"trigger={encoded({'payload': {'files': ['y']}})}") == [git]
        assert await ids(f"trigger={encoded({'payload': {'files': ['y', 'y']}})}") == []
        built = (await call(site, "GET", f"/pipelines/{manual}"))["buildTime"]
        assert await ids(f"triggerTimeStartBoundary={built}") == [manual]
        assert await ids(f"triggerTimeEndBoundary={built - 1}") == [git]

    visited(work)


def test_a_search_says_when_it_has_not_looked_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_PAGE", 1)
    monkeypatch.setattr(search, "_MOST_READ", 2)

    async def work(site: Website) -> None:
        old = [await run(site, pipeline(name), payload={"at": name}) for name in ("a", "b", "c")]

        async def found(at: str) -> tuple[list[str], bool]:
            path = f"/applications/shop/executions/search?size=1&trigger={encoded({'payload': {'at': at}})}"
            answer = await site.get(path)
            return [one["id"] for one in answer.json], "newest 2 executions" in answer.headers.get("warning", "")

        assert [await found(at) for at in ("c", "b", "a")] == [([old[2]], False), ([old[1]], False), ([], True)]

    visited(work)


@pytest.mark.parametrize("trigger", ["%25", encoded([1]), "aGVsbG8="])
def test_a_trigger_that_is_none_is_refused(trigger: str) -> None:
    async def work(site: Website) -> None:
        refused = await call(site, "GET", f"/applications/shop/executions/search?trigger={trigger}", status=400)
        assert refused["code"] == "request.trigger"

    visited(work)


@pytest.mark.parametrize("path", ["/executions/failedStages", "/pipelines/failedStages"])
def test_failed_stages_are_those_of_the_child_that_failed(path: str) -> None:
    async def work(site: Website) -> None:
        fails = make.stage_json("x", type="none such", name="Deploy")
        await call(site, "POST", "/pipelines", pipeline("child", fails))
        calls = make.stage_json("c", type="pipeline", pipeline="child", application="shop", name="Call")
        parent = await run(site, pipeline("parent", make.stage_json("w", type="wait", waitTime=1), calls))
        await asyncio.sleep(30)

        [failed] = await call(site, "GET", f"{path}?executionId={parent}&deckOrigin=https://deck")

        child = failed["pipelineExecutionId"]
        assert failed == {
            "parentPipelineExecutionId": parent,
            "parentPipelineExecutionName": "parent",
            "parentPipelineApplication": "shop",
            "parentPipelineExecutionUrl": f"https://deck/#/applications/shop/executions/details/{parent}",
            "pipelineExecutionId": child,
            "pipelineExecutionName": "child",
            "pipelineApplication": "shop",
            "pipelineExecutionUrl": f"https://deck/#/applications/shop/executions/details/{child}?stage=0",
            "stageId": failed["stageId"],
            "stageName": "Deploy",
            "stageType": "none such",
            "stageStatus": "TERMINAL",
            "stageException": failed["stageException"],
            "childPipelineExecutionId": None,
            "childPipelineExecutionName": None,
            "childPipelineExecutionUrl": None,
            "childPipelineApplication": None,
        }
        assert "none such" in failed["stageException"]
        assert await call(site, "GET", f"{path}?executionId=nobody") == []

    visited(work)


def test_executions_of_one_event_are_found_by_their_correlation_id() -> None:
    async def work(site: Website) -> None:
        first = await run(site, pipeline("a"), correlationId="c1")
        second = await run(site, pipeline("a"), correlationId="c1")

        assert await call(site, "GET", "/executions/correlated/c1") == [second, first]
        assert await call(site, "GET", "/executions/correlated/c2") == []

    visited(work)


def test_a_projects_pipelines_show_their_newest_executions() -> None:
    async def work(site: Website) -> None:
        ran = await run(site, pipeline("a"))
        await run(site, pipeline("b"))
        config = {"pipelineConfigs": [{"application": "shop", "pipelineConfigId": "a"}]}
        await site.ports.services.definitions.save(
            "project", "p1", {"id": "p1", "name": "Shop", "config": config}, author="ada"
        )

        for project in ("p1", "Shop"):
            assert [one["id"] for one in await call(site, "GET", f"/projects/{project}/pipelines")] == [ran]

    visited(work)


def test_an_execution_that_has_ended_is_deleted_and_its_audit_stays() -> None:
    harness = Harness(flow.plugin)

    async def work(site: Website) -> None:
        ran = await run(site, pipeline("a"))

        await call(site, "DELETE", f"/pipelines/{ran}")

        await call(site, "GET", f"/pipelines/{ran}", status=404)
        await call(site, "DELETE", f"/pipelines/{ran}", status=404)
        assert await call(site, "GET", f"/executions?executionIds={ran}") == []
        about = [one.action for one in harness.journal.audit if one.subject == f"execution:{ran}"]
        assert about[0] == "execution.submitted"
        assert about[-1] == "execution.deleted"

    visit(work, harness=harness)


def test_an_execution_that_runs_is_not_deleted() -> None:
    async def work(site: Website) -> None:
        running = await run(site, pipeline("a", make.stage_json("a", type="wait", waitTime=600)))

        refused = await call(site, "DELETE", f"/pipelines/{running}", status=409)

        assert refused["code"] == "execution.not_over"
        assert (await call(site, "GET", f"/pipelines/{running}"))["status"] == "RUNNING"

    visited(work)


def test_tasks_are_listed_cancelled_together_and_deleted() -> None:
    async def work(site: Website) -> None:
        job = {"application": "shop", "description": "wait", "job": [{"type": "wait", "waitTime": 600}]}
        ids = [(await call(site, "POST", "/tasks", job))["ref"].removeprefix("/tasks/") for _ in range(2)]
        await asyncio.sleep(5)
        assert [one["id"] for one in await call(site, "GET", "/tasks")] == ids[::-1]

        await call(site, "PUT", "/tasks/cancel", ids[:1])
        await call(site, "PUT", f"/tasks/cancel?ids={ids[0]},{ids[1]}")
        await call(site, "PUT", "/tasks/cancel?ids=nobody", status=404)
        await asyncio.sleep(5)

        assert {one["status"] for one in await call(site, "GET", "/tasks")} == {"CANCELED"}
        await call(site, "DELETE", f"/tasks/{ids[0]}")
        assert [one["id"] for one in await call(site, "GET", "/tasks")] == ids[1:]

    visited(work)
