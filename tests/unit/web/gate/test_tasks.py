"""Gate's tasks: jobs submitted, followed, listed and cancelled as Spinnaker's clients do it."""

import asyncio
from typing import Any

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import JobSettings, Settings

SHOP = {"name": "Shop", "email": "ada@example.org", "cloudProviders": "local"}


def installed() -> Harness:
    return Harness(flow.plugin, definitions.plugin)


async def call(site: Website, method: str, path: str, json: Any = None) -> Any:
    answer = await site.call(method, path, token=None, json=json)
    assert answer.status == 200, (method, path, answer.status, answer.body)
    return answer.json if answer.body else None


def test_a_job_is_done_and_followed_to_its_end() -> None:
    async def work(site: Website) -> None:
        request = {
            "application": "shop",
            "description": "Create Application: Shop",
            "job": [{"type": "createApplication", "application": SHOP}],
        }
        ref = (await call(site, "POST", "/tasks", request))["ref"]
        await asyncio.sleep(1)
        task = await call(site, "GET", ref)
        assert await call(site, "GET", f"/applications/anything{ref}") == task, "Gate's older route"
        await call(site, "PUT", f"/applications/anything{ref}/cancel")

        assert ref == f"/tasks/{task['id']}"
        assert (task["status"], task["name"], task["application"]) == ("SUCCEEDED", "Create Application: Shop", "shop")
        assert [(step["name"], step["status"]) for step in task["steps"]] == [("createApplication", "SUCCEEDED")]
        assert {"key": "application", "value": SHOP} in task["variables"]
        assert (task["execution"]["type"], task["execution"]["origin"]) == ("ORCHESTRATION", "unknown")
        assert task["endTime"] >= task["startTime"] >= task["buildTime"]
        stored = await site.ports.services.definitions.get("application", "shop")
        assert stored is not None
        assert stored.body["email"] == "ada@example.org"

    visit(work, harness=installed())


def test_jobs_are_done_one_after_another_and_a_failure_is_said_among_the_variables() -> None:
    async def work(site: Website) -> None:
        jobs = [{"type": "updateApplication", "application": {"name": "nowhere"}}, {"type": "wait", "waitTime": 1}]
        ref = (await call(site, "POST", "/applications/shop/tasks", {"description": "Two", "job": jobs}))["ref"]
        await asyncio.sleep(5)
        task = await call(site, "GET", ref)

        assert (task["status"], task["application"]) == ("TERMINAL", "shop")
        assert [stage["status"] for stage in task["execution"]["stages"]] == ["TERMINAL", "NOT_STARTED"]
        [exception] = [one["value"] for one in task["variables"] if one["key"] == "exception"]
        assert exception["details"]["errors"]

    visit(work, harness=installed())


def test_tasks_are_listed_by_application_and_status_newest_first_and_cancelled() -> None:
    async def work(site: Website) -> None:
        refs = []
        for number in range(3):
            request = {"description": f"Wait {number}", "job": [{"type": "wait", "waitTime": 600}]}
            refs.append((await call(site, "POST", "/applications/shop/tasks", request))["ref"])
            await asyncio.sleep(1)
        await call(site, "PUT", f"{refs[1]}/cancel?reason=enough")

        cancelled = await call(site, "GET", refs[1])
        assert (cancelled["status"], cancelled["execution"]["cancellationReason"]) == ("CANCELED", "enough")
        listed = await call(site, "GET", "/applications/shop/tasks")
        assert [one["name"] for one in listed] == ["Wait 2", "Wait 1", "Wait 0"]
        running = await call(site, "GET", "/applications/shop/tasks?statuses=RUNNING&limit=1&page=2")
        assert [one["name"] for one in running] == ["Wait 0"]
        assert await call(site, "GET", "/applications/other/tasks") == []

    visit(work, harness=installed())


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/job"]),
        ({"job": []}, ["/job"]),
        ({"job": {"type": "wait"}}, ["/job"]),
        ({"job": ["wait", {"type": "wait"}, {"type": 3}]}, ["/job/0", "/job/2"]),
    ],
)
def test_a_request_without_proper_jobs_is_refused_and_nothing_is_stored(body: Any, pointers: list[str]) -> None:
    async def work(site: Website) -> None:
        answer = await site.post("/tasks", {"application": "shop", **body}, token=None)
        assert (answer.status, [one["pointer"] for one in answer.json["problems"]]) == (400, pointers)
        assert await call(site, "GET", "/applications/shop/tasks") == []

    visit(work, harness=installed())


def test_a_pipelines_execution_is_no_task() -> None:
    async def work(site: Website) -> None:
        pipeline = {"application": "shop", "name": "w", "stages": [{"type": "wait", "waitTime": 600}]}
        started = (await call(site, "POST", "/orchestrate", pipeline))["ref"].removeprefix("/pipelines/")
        for method, path in (("GET", f"/tasks/{started}"), ("PUT", f"/tasks/{started}/cancel"), ("GET", "/tasks/x")):
            answer = await site.call(method, path, token=None)
            assert (answer.status, answer.json["code"]) == (404, "task.unknown")
        assert (await call(site, "GET", f"/pipelines/{started}"))["canceled"] is False

    visit(work, harness=installed())


def test_the_settings_say_who_may_run_which_jobs() -> None:
    async def ran(site: Website, kind: str, **keys: Any) -> tuple[str, str]:
        ref = (await call(site, "POST", "/applications/shop/tasks", {"job": [{"type": kind, **keys}]}))["ref"]
        await asyncio.sleep(3)
        task = await call(site, "GET", ref)
        return task["status"], str(task["execution"]["cancellationReason"])

    async def work(site: Website) -> None:
        assert (await ran(site, "wait", waitTime=1))[0] == "SUCCEEDED"
        status, said = await ran(site, "createApplication", application=SHOP)
        assert status == "TERMINAL"
        assert "anonymous may not run createApplication as a job. (at /job/0/type)" in said
        assert await site.ports.services.definitions.get("application", "shop") is None
        pipeline = {"application": "shop", "name": "c", "stages": [{"type": "createApplication", "application": SHOP}]}
        await call(site, "POST", "/orchestrate", pipeline)
        await asyncio.sleep(3)
        assert await site.ports.services.definitions.get("application", "shop") is not None

    jobs = {"*": JobSettings(users=("ada",)), "wait": JobSettings(users=("ada", "anonymous"))}
    visit(work, harness=Harness(flow.plugin, definitions.plugin, settings=Settings(jobs=jobs)))
