"""Orca's own routes: starting, planning, recording a start that failed, operations."""

import asyncio
from typing import Any

import pytest
from tests import make
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.model import template_references
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import EngineSettings, ServerSettings, Settings

PIPELINE: dict[str, Any] = {
    "application": "shop",
    "name": "deliver",
    "parameterConfig": [{"name": "region", "default": "local"}, {"name": "size"}],
    "expectedArtifacts": [
        {
            "id": "image",
            "matchArtifact": {"type": "docker/image", "name": "shop"},
            "useDefaultArtifact": True,
            "defaultArtifact": {"type": "docker/image", "name": "shop", "reference": "shop:1"},
        }
    ],
    "stages": [
        {"type": "wait", "waitTime": 1, "where": "${trigger.parameters.region}"},
        {"type": "wait", "waitTime": 1, "later": "${#stage('nowhere').outputs.x}"},
    ],
}


def installed(**settings: Any) -> Harness:
    return Harness(flow.plugin, definitions.plugin, settings=Settings(**settings))


async def call(site: Website, path: str, json: Any, *, status: int = 200) -> Any:
    answer = await site.post(path, json, token=None)
    assert answer.status == status, (path, answer.status, answer.body)
    return answer.json


async def execution(site: Website, ref: str) -> Any:
    await asyncio.sleep(5)
    return (await site.get(ref, token=None)).json


def test_a_pipeline_is_started_with_its_trigger_without_being_stored() -> None:
    async def work(site: Website) -> None:
        trigger = {"parameters": {"size": None}, "executionId": "01JCHOSEN00000000000000000"}
        ref = (await call(site, "/orchestrate", {**PIPELINE, "trigger": trigger}))["ref"]
        found = await execution(site, ref)

        assert ref == "/pipelines/01JCHOSEN00000000000000000"
        assert found["status"] == "SUCCEEDED"
        assert (found["trigger"]["type"], found["trigger"]["user"]) == ("manual", "anonymous")
        assert found["trigger"]["parameters"] == {"region": "local", "size": None}
        assert [(one["refId"], one["requisiteStageRefIds"]) for one in found["stages"]] == [("0", []), ("1", ["0"])]
        assert await site.ports.services.definitions.list("pipeline") == ()

    visit(work, harness=installed())


def test_what_only_the_reference_evaluates_ends_the_execution_before_it_begins() -> None:
    notified = {"type": "email", "address": "${ T(String).format('%a', 1.5) }", "when": ["pipeline.complete"]}
    unknown = {**notified, "address": "${ unknown }${ #nothing() }${"}

    async def work(site: Website) -> None:
        for notification, status in ((notified, "TERMINAL"), (unknown, "SUCCEEDED")):
            pipeline = {**PIPELINE, "notifications": [notification]}
            found = await execution(site, (await call(site, "/orchestrate", pipeline))["ref"])
            assert found["status"] == status
        refused = (await site.post("/plan", {**PIPELINE, "notifications": [notified]}, token=None)).json["problems"]
        assert [(one["code"], one["pointer"]) for one in refused] == [
            ("expression.unsupported", "/notifications/0/address")
        ]

    visit(work, harness=installed())


def test_a_stored_pipeline_is_started_by_its_id_with_the_body_as_trigger() -> None:
    async def work(site: Website) -> None:
        await site.ports.services.definitions.save("pipeline", "p1", {**PIPELINE, "id": "p1"}, author="ada")
        ref = (await call(site, "/orchestrate/p1", {"type": "jenkins", "parameters": {"region": "eu"}}))["ref"]
        found = await execution(site, ref)

        assert (found["pipelineConfigId"], found["trigger"]["type"]) == ("p1", "jenkins")
        assert found["stages"][0]["context"]["where"] == "eu"
        assert (await site.post("/orchestrate/p2", {}, token=None)).json["code"] == "pipeline.unknown"

    visit(work, harness=installed())


@pytest.mark.parametrize("path", ["/plan", "/orchestrate", "/plan/p1", "/orchestrate/p1"])
def test_a_plan_shows_what_would_be_run_and_runs_nothing(path: str) -> None:
    async def work(site: Website) -> None:
        await site.ports.services.definitions.save("pipeline", "p1", {**PIPELINE, "id": "p1"}, author="ada")
        trigger = {"parameters": {"region": "eu"}, **({"plan": True} if path == "/orchestrate/p1" else {})}
        is_stored = path.endswith("p1")
        planned = await call(site, path, trigger if is_stored else {**PIPELINE, "plan": True, "trigger": trigger})

        assert planned["trigger"]["parameters"] == {"region": "eu", "size": None}
        assert planned["trigger"]["artifacts"][0]["reference"] == "shop:1"
        first, second = planned["stages"]
        assert (first["refId"], first["where"]) == ("0", "eu")
        assert (second["requisiteStageRefIds"], second["later"]) == (["0"], "${#stage('nowhere').outputs.x}")
        assert (await site.get("/applications/shop/pipelines", token=None)).json == []

    visit(work, harness=installed())


def test_a_plan_leaves_artifacts_alone_if_told_so_and_says_all_that_is_wrong() -> None:
    async def work(site: Website) -> None:
        unbound = {**PIPELINE["expectedArtifacts"][0], "useDefaultArtifact": False}
        wrong = {**PIPELINE, "expectedArtifacts": [unbound], "trigger": {"expectedArtifactIds": ["image"]}}

        answer = await call(site, "/plan", {**wrong, "disabled": True}, status=400)
        assert [one["code"] for one in answer["problems"]] == ["artifact.unmatched", "pipeline.disabled"]

        planned = await call(site, "/plan?resolveArtifacts=false", wrong)
        assert "artifacts" not in planned["trigger"]

    visit(work, harness=installed())


def test_a_templated_pipeline_is_planned_with_its_variables() -> None:
    async def work(site: Website) -> None:
        template = {
            "schema": "v2",
            "id": "t",
            "metadata": {"name": "t", "description": "d", "owner": "o", "scopes": ["global"]},
            "variables": [{"name": "seconds", "type": "int", "defaultValue": 3}],
            "pipeline": {"stages": [make.stage_json("w", type="wait", waitTime="${ templateVariables.seconds }")]},
        }
        await site.ports.services.definitions.save(template_references.KIND, "t", template, author="ada")
        templated = {
            "schema": "v2",
            "type": "templatedPipeline",
            "application": "shop",
            "name": "deliver",
            "template": {"reference": "spinnaker://t", "type": "front50/pipelineTemplate"},
        }
        for path in ("/plan", "/v2/pipelineTemplates/plan"):
            planned = await call(site, path, {**templated, "variables": {"seconds": 7}})
            assert planned["stages"][0]["waitTime"] == 7
            assert planned["templateVariables"] == {"seconds": 7}
            answer = await call(site, path, {**templated, "variables": {"seconds": "soon"}}, status=400)
            assert "seconds" in answer["message"]

    visit(work, harness=installed())


def test_a_start_that_failed_is_recorded_with_its_reason() -> None:
    async def work(site: Website) -> None:
        ref = (await call(site, "/fail", {**PIPELINE, "errorMessage": "Igor has no build 7."}))["ref"]
        found = await execution(site, ref)

        assert (found["status"], found["canceled"], found["canceledBy"]) == ("TERMINAL", True, "system")
        assert found["cancellationReason"] == "Failed on startup: Igor has no build 7."
        assert found["stages"] == []

    visit(work, harness=installed())


def test_operations_are_a_list_of_jobs_or_come_with_their_context() -> None:
    async def work(site: Website) -> None:
        jobs = [{"type": "wait", "waitTime": 1}]
        context = {"content-type": "application/context+json"}
        described = {"application": "shop", "name": "a name", "description": "Just wait", "job": jobs}
        answer = await site.post("/ops", described, token=None, headers=context)
        alone = await call(site, "/ops", jobs)
        await asyncio.sleep(5)

        task = (await site.get(answer.json["ref"], token=None)).json
        assert (task["status"], task["name"], task["application"]) == ("SUCCEEDED", "Just wait", "shop")
        assert (await site.get(alone["ref"], token=None)).json["status"] == "SUCCEEDED"

    visit(work, harness=installed())


@pytest.mark.parametrize(
    ("path", "raw", "code"),
    [
        ("/orchestrate", b"{", "request.not_json"),
        ("/orchestrate", b"[]", "request.not_object"),
        ("/orchestrate", b'{"stages": []}', "pipeline.no_application"),
        ("/ops", b"", "request.not_json"),
        ("/ops", b"3", "orchestration.no_jobs"),
        ("/fail", b"{}", "pipeline.no_application"),
    ],
)
def test_what_cannot_be_started_is_refused(path: str, raw: bytes, code: str) -> None:
    async def work(site: Website) -> None:
        answer = await site.call("POST", path, token=None, raw=raw)
        assert (answer.status // 100, answer.json["code"]) == (4, code)

    visit(work, harness=installed())


def test_executions_keep_the_headers_that_the_settings_name_and_hand_them_on_to_children() -> None:
    async def work(site: Website) -> None:
        child = {"application": "shop", "name": "child", "id": "c", "stages": [{"type": "wait", "waitTime": 1}]}
        after = {"application": "shop", "name": "after", "id": "d", "stages": [{"type": "wait", "waitTime": 1}]}
        after["triggers"] = [{"type": "pipeline", "enabled": True, "pipeline": "c", "status": ["successful"]}]
        for one in (child, after):
            await site.ports.services.definitions.save("pipeline", str(one["id"]), one, author="ada")
        parent = {"application": "shop", "name": "parent", "stages": [{"type": "pipeline", "pipeline": "c"}]}
        headers = {"X-Trace-Id": "7f", "Authorization": "Basic abc", "X-Other": "1"}

        await site.post("/orchestrate", parent, token=None, headers=headers)
        await asyncio.sleep(60)

        listed = (await site.get("/applications/shop/pipelines", token=None)).json
        assert {one["name"]: one["additionalHeaders"] for one in listed} == {
            "parent": {"X-Trace-Id": "7f"},
            "child": {"X-Trace-Id": "7f"},
            "after": {"X-Trace-Id": "7f"},
        }

    visit(work, harness=installed(server=ServerSettings(kept_headers=("X-Trace-Id", "X-Absent"))))


def test_executions_say_which_installation_has_accepted_them() -> None:
    async def work(site: Website) -> None:
        pipeline = {"application": "shop", "name": "w", "stages": [{"type": "wait", "waitTime": 1}]}
        found = await execution(site, (await call(site, "/orchestrate", pipeline))["ref"])
        assert (found["partition"], found["systemNotifications"]) == ("west", [])

    visit(work, harness=installed(engine=EngineSettings(partition="west")))
