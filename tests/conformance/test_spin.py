"""What the command line `spin` calls, command by command: sent as it sends it, read as it reads it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests import make
from tests.fakes import metrics
from tests.fakes.clouds import CloudState, FakeCloud
from tests.fakes.spin import Spin, SpinError
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.interfaces.clouds import Place
from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.analysis import plugin as analysis
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow

SHOP = {"name": "Shop", "email": "ada@example.org", "cloudProviders": "local", "instancePort": 80}
WAIT: dict[str, Any] = {
    "application": "shop",
    "name": "Deliver it",
    "stages": [make.stage_json("a", type="wait", waitTime=600)],
}
TEMPLATE = {
    "schema": "v2",
    "id": "waiting",
    "protect": False,
    "metadata": {"name": "Waiting", "description": "waits", "owner": "ada@example.org", "scopes": ["global"]},
    "variables": [{"name": "seconds", "type": "int", "defaultValue": 5}],
    "pipeline": {
        "stages": [make.stage_json("a", type="wait", waitTime="${ templateVariables.seconds }")],
        "parameterConfig": [],
        "triggers": [],
        "notifications": [],
    },
}
FROM_TEMPLATE = {
    "schema": "v2",
    "application": "shop",
    "name": "waits",
    "type": "templatedPipeline",
    "template": {
        "artifactAccount": "front50ArtifactCredentials",
        "type": "front50/pipelineTemplate",
        "reference": "spinnaker://waiting",
    },
    "variables": {"seconds": 7},
    "exclude": [],
    "triggers": [],
    "parameters": [],
    "notifications": [],
    "stages": [],
}


def run(work: Callable[[Spin], Awaitable[None]]) -> None:
    async def visitor(site: Website) -> None:
        await work(Spin(site))

    source = metrics.FakeSource(metrics.shop())
    cloud = FakeCloud(CloudState(), Place(account="production", region="here"), Place(account="test", region="here"))
    fakes = Plugin(name="fakes", metrics=(lambda _: source,), clouds=(lambda _: cloud,))
    visit(visitor, harness=Harness(flow.plugin, definitions.plugin, analysis.plugin, fakes))


def created(application: dict[str, Any]) -> dict[str, Any]:
    return {"type": "createApplication", "application": application}


async def shop(spin: Spin) -> None:
    await spin.do("Shop", "Create Application: Shop", created(SHOP))


async def started(spin: Spin, *, body: Any = None) -> str:
    await spin.ask("POST", "/pipelines", WAIT)
    ref: str = (await spin.ask("POST", "/pipelines/shop/Deliver%20it", body, wants=202))["ref"]
    await asyncio.sleep(1)
    return ref.removeprefix("/pipelines/")


def test_account_whoami() -> None:
    async def work(spin: Spin) -> None:
        user = await spin.ask("GET", "/auth/user")
        assert (user["username"], user["enabled"]) == ("anonymous", True)

    run(work)


def test_the_sign_ins_of_other_installations_do_no_harm() -> None:
    async def work(spin: Spin) -> None:
        assert (await spin.ask("GET", "/login"))["username"] == "anonymous"
        assert await spin.refused("POST", "/login") == 501

    run(work)


def test_account_list_and_get() -> None:
    async def work(spin: Spin) -> None:
        listed = await spin.ask("GET", "/credentials?expand=")
        assert [(one["name"], one["type"], one["authorized"]) for one in listed] == [
            ("production", "fake", True),
            ("test", "fake", True),
        ]
        one = await spin.ask("GET", "/credentials/test")
        assert (one["accountId"], one["cloudProvider"], one["requiredGroupMembership"]) == ("test", "fake", [])
        assert await spin.refused("GET", "/credentials/nobody") == 404

    run(work)


def test_application_save_get_list_and_delete() -> None:
    async def work(spin: Spin) -> None:
        await shop(spin)
        await spin.do("Shop", "Create Application: Shop", created({"name": "Shop", "email": "eve@example.org"}))

        got = await spin.ask("GET", "/applications/SHOP?expand=false")
        assert got.keys() == {"name", "attributes"}
        attributes = got["attributes"]
        assert (attributes["name"], attributes["email"]) == ("shop", "eve@example.org")
        assert (attributes["instancePort"], attributes["cloudProviders"]) == (80, "local"), "absent keys stay"
        assert (await spin.ask("GET", "/applications/shop?expand=true"))["clusters"] == {}
        assert await spin.ask("GET", "/applications?account=&owner=") == [attributes]
        assert await spin.ask("GET", "/applications?owner=nobody@example.org") == []

        await spin.do(
            "shop", "Delete Application: shop", {"type": "deleteApplication", "application": {"name": "shop"}}
        )
        assert await spin.refused("GET", "/applications/shop?expand=false") == 404
        assert await spin.ask("GET", "/applications") == []

    run(work)


def test_what_belongs_to_an_application_goes_with_it() -> None:
    async def work(spin: Spin) -> None:
        await shop(spin)
        await spin.ask("POST", "/pipelines", WAIT)
        await spin.do(
            "shop", "Delete Application: shop", {"type": "deleteApplication", "application": {"name": "shop"}}
        )
        assert await spin.ask("GET", "/applications/shop/pipelineConfigs") == []
        assert await spin.refused("GET", "/applications/shop") == 404

    run(work)


def test_a_job_that_fails_is_said_to_have_failed() -> None:
    async def work(spin: Spin) -> None:
        with pytest.raises(SpinError, match="the name of an application"):
            await spin.do("a b", "Create Application: a b", created({"name": "a b", "email": "x@example.org"}))
        assert await spin.refused("GET", "/applications/a%20b?expand=false") == 404

    run(work)


def test_a_job_that_only_saves_has_ended_when_spin_looks_first() -> None:
    async def work(spin: Spin) -> None:
        body = {"application": "shop", "description": "Create Application: shop", "job": [created(SHOP)]}
        ref = (await spin.ask("POST", "/tasks", body))["ref"]
        assert (await spin.ask("GET", ref))["status"] == "SUCCEEDED"

    run(work)


def test_application_pipelines_get_and_cancel() -> None:
    async def work(spin: Spin) -> None:
        assert await spin.refused("GET", "/applications/nobody/pipelines") == 404
        execution_id = await started(spin)
        listed = await spin.ask("GET", "/applications/Shop/pipelines?limit=5&statuses=RUNNING&expand=")
        assert [one["id"] for one in listed] == [execution_id]

        await spin.ask("PUT", f"/applications/%7Bapplication%7D/pipelines/{execution_id}/cancel?reason=")

        [ended] = await spin.ask("GET", "/applications/shop/pipelines?statuses=CANCELED")
        assert (ended["id"], ended["canceledBy"]) == (execution_id, "anonymous")
        assert await spin.refused("PUT", "/applications/%7Bapplication%7D/pipelines/nobody/cancel") == 404

        # `cancel-all` without a status cancels all that is listed, also what has ended.
        for one in await spin.ask("GET", "/applications/shop/pipelines?statuses=&expand=false"):
            await spin.ask("PUT", f"/applications/%7Bapplication%7D/pipelines/{one['id']}/cancel?reason=again")
        [ended] = await spin.ask("GET", "/applications/shop/pipelines")
        assert (ended["status"], ended["cancellationReason"]) == ("CANCELED", None)

    run(work)


def test_pipeline_save_creates_and_then_takes_the_id_that_it_has_found() -> None:
    async def work(spin: Spin) -> None:
        path = "/applications/shop/pipelineConfigs/Deliver%20it"
        assert await spin.refused("GET", path) == 404
        assert await spin.ask("POST", "/pipelines", WAIT) is None
        first = await spin.ask("GET", path)
        assert (first["name"], first["application"], first["index"]) == ("Deliver it", "shop", 0)

        await spin.ask("POST", "/pipelines", {**WAIT, "id": first["id"], "description": "again"})

        again = await spin.ask("GET", f"/applications/shop/pipelineConfigs/{first['id']}")
        assert (again["id"], again["description"], again["index"]) == (first["id"], "again", 0)
        assert int(again["updateTs"]) >= int(first["updateTs"])
        assert again["lastModifiedBy"] == "anonymous"

    run(work)


def test_pipeline_save_refuses_what_is_wrong_with_a_message() -> None:
    async def work(spin: Spin) -> None:
        await spin.ask("POST", "/pipelines", WAIT)
        for body, said in (
            ({**WAIT, "name": "DELIVER IT "}, "already exists"),
            ({**WAIT, "name": ""}, "no name"),
            ({**WAIT, "application": None, "name": "x"}, "no application"),
        ):
            with pytest.raises(SpinError, match=f"400 .*message.*{said}"):
                await spin.ask("POST", "/pipelines", body)
        assert len(await spin.ask("GET", "/applications/shop/pipelineConfigs")) == 1

    run(work)


def test_pipeline_list_is_filtered_and_in_order() -> None:
    async def work(spin: Spin) -> None:
        for name in ("b", "a", "other"):
            await spin.ask("POST", "/pipelines", {**WAIT, "name": name})
        await spin.ask("POST", "/pipelines", {**WAIT, "name": "first", "index": 0})

        listed = await spin.ask("GET", "/applications/SHOP/pipelineConfigs?pipelineNameFilter=&pipelineLimit=")
        assert [(one["name"], one["index"]) for one in listed] == [("b", 0), ("first", 1), ("a", 2), ("other", 3)]
        filtered = await spin.ask("GET", "/applications/shop/pipelineConfigs?pipelineNameFilter=THE&pipelineLimit=1")
        assert [one["name"] for one in filtered] == ["other"]
        assert await spin.ask("GET", "/applications/nobody/pipelineConfigs") == []

    run(work)


def test_pipeline_update_switches_a_pipeline_off() -> None:
    async def work(spin: Spin) -> None:
        await spin.ask("POST", "/pipelines", WAIT)
        got = await spin.ask("GET", "/applications/shop/pipelineConfigs/deliver%20it")
        await spin.ask("POST", "/pipelines", {**got, "disabled": True})
        assert await spin.refused("POST", "/pipelines/shop/Deliver%20it", wants=202) == 400

    run(work)


def test_pipeline_delete_takes_a_name_in_any_case_and_what_is_not_there() -> None:
    async def work(spin: Spin) -> None:
        await spin.ask("POST", "/pipelines", WAIT)
        await spin.ask("DELETE", "/pipelines/Shop/deliver%20IT")
        assert await spin.ask("GET", "/applications/shop/pipelineConfigs") == []
        await spin.ask("DELETE", "/pipelines/shop/Deliver%20it")

    run(work)


@pytest.mark.parametrize("body", [None, {"type": "manual"}, {"trigger": {"type": "manual"}}])
def test_pipeline_execute_answers_202(body: Any) -> None:
    async def work(spin: Spin) -> None:
        execution_id = await started(spin, body=body)
        [one] = await spin.ask("GET", "/applications/shop/pipelines")
        assert (one["id"], one["trigger"]["type"], one["trigger"]["user"]) == (execution_id, "manual", "anonymous")
        assert await spin.refused("POST", "/pipelines/shop/nobody", body, wants=202) == 404

    run(work)


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_pipeline_execute_hands_parameters_on(is_wrapped: bool) -> None:
    async def work(spin: Spin) -> None:
        asks = [{"name": "env", "required": True}, {"name": "size", "default": "small"}]
        await spin.ask("POST", "/pipelines", {**WAIT, "parameterConfig": asks})
        trigger = {"type": "manual", "parameters": {"env": "test"}, "user": "somebody else"}

        body = {"trigger": trigger} if is_wrapped else trigger
        await spin.ask("POST", "/pipelines/shop/Deliver%20it", body, wants=202)
        await asyncio.sleep(1)

        [one] = await spin.ask("GET", "/applications/shop/pipelines")
        assert one["trigger"]["parameters"] == {"env": "test", "size": "small"}
        assert one["trigger"]["user"] == "anonymous"
        assert await spin.refused("POST", "/pipelines/shop/Deliver%20it", {"type": "manual"}, wants=202) == 400

    run(work)


def test_pipeline_execution_list_and_get() -> None:
    async def work(spin: Spin) -> None:
        first = await started(spin)
        config_id = (await spin.ask("GET", "/applications/shop/pipelineConfigs/Deliver%20it"))["id"]
        ref = (await spin.ask("POST", "/pipelines/shop/Deliver%20it", wants=202))["ref"]
        await asyncio.sleep(1)
        second = ref.removeprefix("/pipelines/")

        path = f"/executions?pipelineConfigIds={config_id}"
        assert [one["id"] for one in await spin.ask("GET", f"{path}&limit=&statuses=&expand=")] == [second]
        both = await spin.ask("GET", f"{path}&limit=5&statuses=RUNNING")
        assert [one["id"] for one in both] == [second, first]
        assert await spin.ask("GET", f"{path}&limit=5&statuses=TERMINAL,STOPPED,FAILED_CONTINUE") == []
        [got] = await spin.ask("GET", f"/executions?executionIds={first}&limit=")
        assert got["stages"][0]["context"]["waitTime"] == 600
        assert await spin.ask("GET", "/executions?executionIds=nobody") == []
        assert await spin.ask("GET", "/executions") == []
        assert await spin.refused("GET", f"{path}&executionIds={first}") == 400

    run(work)


def test_pipeline_execution_cancel() -> None:
    async def work(spin: Spin) -> None:
        execution_id = await started(spin)
        await spin.ask("PUT", f"/pipelines/{execution_id}/cancel?reason=&force=")
        [one] = await spin.ask("GET", "/applications/shop/pipelines")
        assert (one["status"], one["canceled"]) == ("CANCELED", True)

    run(work)


def test_pipeline_template_save_get_list_plan_and_delete() -> None:
    async def work(spin: Spin) -> None:
        path = "/v2/pipelineTemplates"
        assert await spin.refused("GET", f"{path}/waiting") == 404
        task = await spin.ask("POST", f"{path}/create?tag=stable", TEMPLATE, wants=202)
        assert task["status"] == "SUCCEEDED"

        assert await spin.ask("GET", f"{path}/waiting?tag=stable") == await spin.ask("GET", f"{path}/waiting")
        assert await spin.refused("GET", f"{path}/waiting?tag=stable&digest=12") == 400
        listed = await spin.ask("GET", f"{path}?scopes=")
        assert sorted(one["tag"] for one in listed) == ["latest", "stable"]
        digest = listed[0]["digest"]
        by_digest = await spin.ask("GET", f"{path}/waiting?digest=sha256:{digest}")
        assert "tag" not in by_digest
        assert "digest" not in by_digest
        assert by_digest["pipeline"] == TEMPLATE["pipeline"]
        assert await spin.ask("GET", f"{path}?scopes=GLOBAL&scopes=x") == listed
        assert await spin.ask("GET", f"{path}?scopes=other") == []

        changed = {**TEMPLATE, "protect": True}
        task = await spin.ask("POST", f"{path}/update/waiting?tag=&skipPlanDependents=", changed, wants=202)
        assert task["status"] == "SUCCEEDED"
        assert (await spin.ask("GET", f"{path}/waiting"))["protect"] is True

        planned = await spin.ask("POST", f"{path}/plan", FROM_TEMPLATE)
        assert planned["stages"][0]["waitTime"] == 7
        missing = {**FROM_TEMPLATE, "template": {**FROM_TEMPLATE["template"], "reference": "spinnaker://nothing"}}  # type: ignore[dict-item]  # it is a map
        assert await spin.refused("POST", f"{path}/plan", missing) == 400

        await spin.ask("POST", "/pipelines", FROM_TEMPLATE)
        assert await spin.refused("DELETE", f"{path}/waiting", wants=202) == 400, "a pipeline is made from it"
        await spin.ask("DELETE", "/pipelines/shop/waits")
        await spin.ask("DELETE", f"{path}/waiting?tag=&digest=", wants=202)
        assert await spin.refused("GET", f"{path}/waiting") == 404

    run(work)


def test_pipeline_template_save_refuses_what_is_wrong() -> None:
    async def work(spin: Spin) -> None:
        for tag, body in (("nonsense", TEMPLATE), ("", {**TEMPLATE, "variables": "none"})):
            path = f"/v2/pipelineTemplates/create?tag={tag}"
            assert await spin.refused("POST", path, body, wants=202) == 400

    run(work)


def test_project_save_get_list_and_delete() -> None:
    async def work(spin: Spin) -> None:
        assert await spin.refused("GET", "/projects/Spring") == 404
        config = {
            "applications": ["shop"],
            "clusters": [{"account": "test", "stack": "*", "detail": "*", "applications": None}],
            "pipelineConfigs": [],
        }
        project = {"name": "Spring", "email": "ada@example.org", "config": config}
        job = {"type": "upsertProject", "project": project, "user": "ada@example.org"}
        await spin.do("spinnaker", "Create Project: Spring", job, project="Spring")

        got = await spin.ask("GET", "/projects/spring")
        assert (got["name"], got["email"], got["config"]) == ("Spring", "ada@example.org", config)
        assert got["createTs"]
        assert await spin.ask("GET", f"/projects/{got['id']}") == got
        assert await spin.ask("GET", "/projects") == [got]
        assert await spin.ask("GET", "/projects/Spring/pipelines?limit=&statuses=") == []
        assert await spin.refused("GET", "/projects/nothing/pipelines") == 404

        job = {"type": "deleteProject", "project": got, "user": "ada@example.org"}
        await spin.do("spinnaker", "Delete Project: Spring", job, project="Spring")
        assert await spin.ask("GET", "/projects") == []

    run(work)
