"""Gate's pipeline routes, as Spinnaker's clients use them: without credentials, in Orca's form."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness, ended

from gennaker.model import template_references
from gennaker.model.trigger_secrets import MASK
from gennaker.plugins.flow import plugin as flow

WAIT = {"application": "shop", "name": "w", "stages": [make.stage_json("a", type="wait", waitTime=600)]}

SECRET = "the secret of the repository"
TRIGGER = {"enabled": True, "type": "git", "source": "github", "project": "acme", "slug": "shop"}
BUILD: dict[str, Any] = {
    "application": "shop",
    "name": "build",
    "id": "p1",
    "triggers": [{**TRIGGER, "secret": SECRET}],
    "stages": [make.stage_json("a", type="wait", waitTime=1)],
}
EXAMPLES = {"{name:str}": "build", "{name_or_id:str}": "p1", "{stage_id:str}": "a"}


def installed() -> Harness:
    return Harness(flow.plugin, scripted.plugin(Target()))


async def call(site: Website, method: str, path: str, json: Any = None) -> Any:
    answer = await site.call(method, path, token=None, json=json)
    assert answer.status < 300, (method, path, answer.status, answer.body)
    return answer.json if answer.body else None


async def started(site: Website) -> str:
    await call(site, "POST", "/pipelines", WAIT)
    ref: str = (await call(site, "POST", "/pipelines/shop/w"))["ref"]
    await asyncio.sleep(1)
    return ref.removeprefix("/pipelines/")


def test_renaming_needs_a_pipeline_of_the_old_name_and_a_new_name() -> None:
    async def work(site: Website) -> None:
        await call(site, "POST", "/pipelines", WAIT)
        unknown = {"application": "shop", "from": "nobody", "to": "x"}
        answer = await site.call("POST", "/pipelines/move", token=None, json=unknown)
        assert (answer.status, "nobody" in answer.json["message"]) == (404, True)
        answer = await site.call("POST", "/pipelines/move", token=None, json={"application": "shop", "from": "w"})
        assert (answer.status, answer.json["problems"][0]["pointer"]) == (400, "/to")
        assert [one["name"] for one in await call(site, "GET", "/applications/shop/pipelineConfigs")] == ["w"]

    visit(work)


def test_a_pipeline_is_saved_listed_found_and_deleted() -> None:
    async def work(site: Website) -> None:
        assert await call(site, "POST", "/pipelines", WAIT) is None
        saved = await call(site, "GET", "/applications/shop/pipelineConfigs/w")
        assert await call(site, "GET", "/applications/shop/pipelineConfigs") == [saved]
        assert {**saved, **WAIT} == saved

        await call(site, "DELETE", "/pipelines/shop/w")

        assert await call(site, "GET", "/applications/shop/pipelineConfigs") == []
        assert (await site.get("/applications/shop/pipelineConfigs/w", token=None)).status == 404

    visit(work, harness=installed())


def test_a_pipeline_made_from_a_template_is_saved_only_if_it_can_be_made() -> None:
    use = {
        "schema": "v2",
        "application": "shop",
        "name": "made",
        "type": "templatedPipeline",
        "template": {"artifactAccount": "front50ArtifactCredentials", "reference": "spinnaker://t"},
        "variables": {"seconds": "many"},
    }
    template = {
        "schema": "v2",
        "id": "t",
        "variables": [{"name": "seconds", "type": "int"}],
        "pipeline": {"stages": [make.stage_json("a", type="wait", waitTime="${ templateVariables.seconds }")]},
    }

    async def work(site: Website) -> None:
        unknown = await site.call("POST", "/pipelines", token=None, json=use)
        await site.ports.services.definitions.save(template_references.KIND, "t", template, author="ada")
        wrong = await site.call("POST", "/pipelines", token=None, json=use)
        await call(site, "POST", "/pipelines", {**use, "variables": {"seconds": 3}})
        [saved] = await call(site, "GET", "/applications/shop/pipelineConfigs")

        assert (unknown.status, unknown.json["code"]) == (400, "template.unknown")
        assert (wrong.status, wrong.json["code"]) == (400, "template.variable_type")
        assert "stages" not in saved

    visit(work, harness=installed())


def test_a_judgment_by_a_patch_has_a_choice_that_is_offered() -> None:
    async def work(site: Website) -> None:
        offered = make.stage_json("a", type="manualJudgment", judgmentInputs=[{"value": "blue"}])
        await call(site, "POST", "/pipelines", {**WAIT, "stages": [offered]})
        ref = (await call(site, "POST", "/pipelines/shop/w"))["ref"]
        await asyncio.sleep(1)
        path = f"{ref}/stages/a"

        refused = await site.call(
            "PATCH", path, token=None, json={"judgmentStatus": "continue", "judgmentInput": "red"}
        )

        assert (refused.status, refused.json["code"]) == (400, "judgment.unknown_choice")
        await call(site, "PATCH", path, {"judgmentStatus": "continue", "judgmentInput": "blue"})

    visit(work, harness=installed())


@pytest.mark.parametrize("pipeline_id", ["9f2c1b1e-5a5c-4a43-9d0b-3b2f6f3c6f0e", "deliver-shop", "Deliver the shop"])
def test_a_pipeline_keeps_the_id_that_it_is_given(pipeline_id: str) -> None:
    async def work(site: Website) -> None:
        await call(site, "POST", "/pipelines", {**WAIT, "id": pipeline_id})
        assert (await call(site, "GET", "/applications/shop/pipelineConfigs/w"))["id"] == pipeline_id
        ref = (await call(site, "POST", f"/pipelines/shop/{quote(pipeline_id)}"))["ref"]
        await asyncio.sleep(1)
        assert (await call(site, "GET", ref))["pipelineConfigId"] == pipeline_id

    visit(work, harness=installed())


def test_an_application_or_id_that_would_be_several_parts_of_a_path_is_refused_and_not_stored() -> None:
    async def work(site: Website) -> None:
        answer = await site.post("/pipelines", {**WAIT, "application": "shop/x", "id": "../other"}, token=None)
        assert answer.status == 400
        assert {one["pointer"] for one in answer.json["problems"]} == {"/application", "/id"}
        assert await site.ports.services.definitions.list("pipeline") == ()

    visit(work, harness=installed())


def test_an_execution_is_started_read_and_listed_in_orcas_form() -> None:
    async def work(site: Website) -> None:
        execution_id = await started(site)
        one = await call(site, "GET", f"/pipelines/{execution_id}")
        assert (one["id"], one["type"], one["status"], one["application"]) == (
            execution_id,
            "PIPELINE",
            "RUNNING",
            "shop",
        )
        assert one["trigger"]["user"] == "anonymous"
        assert isinstance(one["buildTime"], int)
        assert one["stages"][0]["refId"] == "a"
        listed = await call(site, "GET", "/applications/shop/pipelines?statuses=running,paused&limit=5")
        assert [found["id"] for found in listed] == [execution_id]
        assert await call(site, "GET", "/applications/shop/pipelines?statuses=SUCCEEDED") == []

    visit(work, harness=installed())


def test_an_execution_is_paused_resumed_patched_cancelled_and_restarted() -> None:
    async def work(site: Website) -> None:
        execution_id = await started(site)
        path = f"/pipelines/{execution_id}"
        await call(site, "PUT", f"{path}/pause")
        assert (await call(site, "GET", path))["status"] == "PAUSED"
        await call(site, "PUT", f"{path}/resume")
        await call(site, "PATCH", f"{path}/stages/a", {"skipRemainingWait": True})
        assert (await ended(site.ports.services, execution_id)).head.status == "SUCCEEDED"
        assert (await call(site, "PUT", f"{path}/stages/a/restart"))["id"] == execution_id
        await call(site, "PUT", f"{path}/cancel?reason=enough")
        cancelled = await call(site, "GET", path)
        assert (cancelled["status"], cancelled["cancellationReason"]) == ("CANCELED", "enough")
        assert cancelled["canceledBy"] == "anonymous"

    visit(work, harness=installed())


def test_a_trigger_that_is_no_object_is_refused() -> None:
    async def work(site: Website) -> None:
        await call(site, "POST", "/pipelines", WAIT)
        for raw in (b"[1]", b"{", b'"x"'):
            answer = await site.call("POST", "/pipelines/shop/w", token=None, raw=raw)
            assert answer.status == 400
            assert answer.headers["content-type"] == "application/json"

    visit(work, harness=installed())


def test_a_restart_checks_the_preconditions_as_they_are_saved_now() -> None:
    def checking(expression: str) -> dict[str, Any]:
        wanted = [{"type": "expression", "context": {"expression": expression}}]
        return {**WAIT, "id": "p1", "stages": [make.stage_json("c", type="checkPreconditions", preconditions=wanted)]}

    async def work(site: Website) -> None:
        await call(site, "POST", "/pipelines", checking("false"))
        ref: str = (await call(site, "POST", "/pipelines/shop/w"))["ref"]
        execution = await ended(site.ports.services, ref.removeprefix("/pipelines/"))
        assert execution.head.status.value == "TERMINAL"
        await call(site, "POST", "/pipelines", checking("true"))

        stage_id = next(execution.top_level()).id
        await call(site, "PUT", f"{ref}/stages/{stage_id}/restart", {"skip": False})

        again = await ended(site.ports.services, execution.head.id)
        assert again.head.status.value == "SUCCEEDED"

    visit(work, harness=installed())


async def save(site: Website, path: str, pipeline: dict[str, Any], status: int = 200) -> Any:
    answer = await site.post(path, pipeline, token=None if path == "/pipelines" else "the-token")
    assert answer.status == status, answer.body
    return answer.json


async def stored(site: Website) -> Any:
    found = await site.ports.services.definitions.get("pipeline", "p1")
    assert found is not None
    return found.body["triggers"]


def test_no_route_shows_a_secret() -> None:
    async def work(site: Website) -> None:
        answers = [json.dumps(await save(site, "/pipelines", BUILD))]
        trigger = {**TRIGGER, "secret": SECRET}
        run = (await site.post("/api/v1/applications/shop/pipelines/build/start", trigger)).json["executionId"]
        await asyncio.sleep(5)
        for route in site.routes:
            if "GET" not in getattr(route, "methods", ()) or route.path == "/api/v1/events":
                continue
            parts = [run if "execution_id" in part else EXAMPLES.get(part, part) for part in route.path.split("/")]
            path = "/".join(parts).replace("{application:str}", "shop")
            answers.append((await site.get(path)).body.decode())
        planned = [("/plan", {**BUILD, "trigger": trigger}), ("/plan/p1", trigger)]
        answers += [(await site.post(path, body)).body.decode() for path, body in planned]

        assert not [one for one in answers if SECRET in one]
        assert len([one for one in answers if MASK in one]) > 5

    visit(work, harness=installed())


def test_what_a_client_has_read_can_be_saved_back() -> None:
    async def work(site: Website) -> None:
        await save(site, "/pipelines", BUILD)
        for path, listed in (("/pipelines", "pipelineConfigs"), ("/api/v1/pipelines", "pipelineConfigs/build")):
            read = (await site.get(f"/applications/shop/{listed}", token=None)).json
            read = read[0] if isinstance(read, list) else read
            assert read["triggers"] == [{**TRIGGER, "secret": MASK}]
            await save(site, path, {**read, "description": path})
            assert await stored(site) == BUILD["triggers"]

        await save(site, "/pipelines", {**BUILD, "triggers": [{**TRIGGER, "secret": "another"}]})
        assert await stored(site) == [{**TRIGGER, "secret": "another"}]

    visit(work, harness=installed())


def test_a_mask_alone_is_no_secret() -> None:
    async def work(site: Website) -> None:
        copied = {**BUILD, "triggers": [{**TRIGGER, "secret": MASK}]}
        for path in ("/pipelines", "/api/v1/pipelines", "/api/v1/run"):
            answer = await save(site, path, copied, 422 if path.startswith("/api/") else 400)
            assert (answer["code"], answer["problems"][0]["pointer"]) == (
                "trigger.secret_masked",
                "/triggers/0/secret",
            )
        assert (await site.get("/applications/shop/pipelineConfigs", token=None)).json == []

    visit(work, harness=installed())
