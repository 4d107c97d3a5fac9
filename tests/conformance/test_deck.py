"""What Spinnaker's page (Deck) calls, screen by screen, and the fields without which it shows nothing but an error."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests import make
from tests.fakes.ci_worlds import TOKEN, JenkinsWorld, served
from tests.fakes.clouds import CloudState, FakeCloud
from tests.fakes.traffic import FakeTraffic
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness, ended

from gennaker.interfaces.clouds import Capacity, NewServerGroup, Place
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.traffic import Share, key
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow
from gennaker.plugins.jenkins import plugin as jenkins
from gennaker.settings import Settings

PLACE = Place(account="production", region="here")
IMAGE = "registry/shop@sha256:1"
WAIT: dict[str, Any] = {
    "application": "shop",
    "name": "deliver",
    "stages": [make.stage_json("a", type="wait", waitTime=600)],
}


class Deck:
    """The page: it reads JSON only, and tells apart what failed."""

    def __init__(self, site: Website) -> None:
        self.site = site

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = await self.site.call(method, path, token=None, json=body, headers={"x-ratelimit-app": "deck"})
        assert answer.status == status, (method, path, answer.status, answer.body)
        if answer.body:
            assert answer.headers["content-type"].startswith("application/json"), "it would sign in again"
        return answer.json if answer.body else None

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)


def run(work: Callable[[Deck], Awaitable[None]], *plugins: Plugin, settings: Settings | None = None) -> None:
    state = CloudState()
    state.images.add(IMAGE)
    cloud, balancers = FakeCloud(state, PLACE), FakeTraffic({})
    fakes = Plugin(name="fakes", clouds=(lambda _: cloud,), traffic=(lambda _: balancers,))

    async def visitor(site: Website) -> None:
        old, group = [
            await cloud.create(
                NewServerGroup(
                    key=f"k{number}",
                    name=f"shop-prod-v{number:03d}",
                    place=PLACE,
                    image=IMAGE,
                    version=f"1.{number}",
                    capacity=Capacity(min=2, max=2, desired=2),
                    load_balancers=("shop-prod",),
                )
            )
            for number in range(2)
        ]
        await balancers.ensure("shop-prod")
        of_old, addresses = (tuple(one.address for one in each.instances if one.address) for each in (old, group))
        shares = {
            key(group.place, group.name): Share(weight=100, addresses=addresses),
            key(old.place, old.name): Share(weight=0, addresses=of_old),
        }
        await balancers.set_weights("shop-prod", shares)
        await work(Deck(site))

    visit(visitor, harness=Harness(flow.plugin, definitions.plugin, fakes, *plugins, settings=settings))


async def shop(deck: Deck) -> None:
    job = {"type": "createApplication", "application": {"name": "Shop", "email": "ada@example.org"}}
    await deck.call("POST", "/tasks", {"application": "shop", "job": [job]})
    await asyncio.sleep(1)


async def started(deck: Deck) -> dict[str, Any]:
    await deck.call("POST", "/pipelines", WAIT)
    trigger = {"type": "manual", "parameters": {}, "user": "somebody", "notifications": []}
    told = await deck.call("POST", "/pipelines/v2/shop/deliver", trigger, status=202)
    assert told["eventId"]
    await asyncio.sleep(1)
    execution: dict[str, Any] = await deck.get(told["ref"])
    assert execution["trigger"]["eventId"] == told["eventId"]
    return execution


def test_it_starts() -> None:
    async def work(deck: Deck) -> None:
        user = await deck.get("/auth/user")
        assert user["username"] == "anonymous"
        assert user["roles"] == []
        for path in (
            "/plugins/deck/plugin-manifest.json",
            "/notifications/metadata",
            "/jobs/preconfigured",
            "/webhooks/preconfigured",
            "/banners",
        ):
            assert await deck.get(path) == []
        assert await deck.get("/securityGroups") == {}
        [account] = await deck.get("/credentials?expand=true")
        assert (account["name"], account["type"], account["cloudProvider"]) == ("production", "fake", "fake")
        assert account["accountId"]
        assert account["authorized"]
        embedded = {"type": "embedded/base64", "reference": "aGVsbG8="}
        fetched = await deck.site.call("PUT", "/artifacts/fetch", token=None, json=embedded)
        assert (fetched.status, fetched.body) == (200, b"hello")

    run(work)


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "http://%5B",
        "http://localhost@evil.example/",
    ],
)
def test_signing_in_leads_back_to_this_machine_only(to: str) -> None:
    async def work(deck: Deck) -> None:
        await deck.call("GET", f"/auth/redirect?to={to}", status=400)
        answer = await deck.site.call("GET", "/auth/redirect?to=http://localhost:9000/%23/applications", token=None)
        assert (answer.status, answer.headers["location"]) == (302, "http://localhost:9000/#/applications")

    run(work)


def test_an_application_page_has_its_data() -> None:
    async def work(deck: Deck) -> None:
        await shop(deck)
        one = await deck.get("/applications/shop?expand=false")
        assert one["attributes"]["name"] == "shop"
        whole = await deck.get("/applications/shop")
        assert whole["attributes"]["accounts"] == "production"
        assert [one["name"] for one in whole["clusters"]["production"]] == ["shop-prod"]
        assert await deck.get("/applications/shop/serverGroupManagers") == []
        assert await deck.get("/applications/shop/clusters") == {"production": ["shop-prod"]}
        running = "statuses=RUNNING,SUSPENDED,PAUSED,NOT_STARTED"
        assert await deck.get(f"/applications/shop/pipelines?limit=30&{running}&expand=true") == []
        tasks = await deck.get("/applications/shop/tasks?statuses=RUNNING,SUSPENDED,NOT_STARTED")
        assert tasks == []
        [result] = await deck.get("/search?q=shop&type=securityGroups&pageSize=500")
        assert result["results"] == []
        assert [one["email"] for one in await deck.get("/applications/shop/history")] == ["ada@example.org"]

    run(work)


def test_executions_have_all_that_it_needs() -> None:
    async def work(deck: Deck) -> None:
        execution = await started(deck)
        [listed] = await deck.get("/applications/shop/pipelines?limit=2&expand=false")
        for shown in (execution, listed):
            assert shown["authentication"]["user"] == "anonymous"
            assert shown["trigger"]["resolvedExpectedArtifacts"] == []
            assert shown["trigger"]["type"] == "manual"
            for stage in shown["stages"]:
                assert isinstance(stage["context"], dict)
                assert isinstance(stage["tasks"], list)
                assert isinstance(stage["requisiteStageRefIds"], list)
                assert stage["refId"]
                assert stage["status"]
        job = [{"type": "wait", "waitTime": "${"}]
        failed = (await deck.call("POST", "/tasks", {"application": "a b", "job": job}))["ref"]
        await asyncio.sleep(1)
        task = await deck.get(failed)
        assert task["execution"]["trigger"]["resolvedExpectedArtifacts"] == [], "it ended before it began"
        [said] = [one["value"] for one in task["variables"] if one["key"] == "exception"]
        assert "a b" in said["details"]["errors"][0]

    run(work)


def test_the_pipelines_screen_shows_so_many_executions_of_each_pipeline() -> None:
    async def work(deck: Deck) -> None:
        for name in ("often", "seldom"):
            await deck.call("POST", "/pipelines", {**WAIT, "name": name})
        for name in ("seldom", "often", "often", "often"):
            await deck.call("POST", f"/pipelines/v2/shop/{name}", {"type": "manual"}, status=202)
            await asyncio.sleep(1)

        listed = await deck.get("/applications/shop/pipelines?limit=2&expand=false")
        assert [one["name"] for one in listed] == ["often", "often", "seldom"]
        filtered = await deck.get("/applications/shop/pipelines?limit=1&pipelineNameFilter=OFT")
        assert [one["name"] for one in filtered] == ["often"]
        ids = [one["pipelineConfigId"] for one in listed[1:]]
        ticked = f"/executions?limit=1&pipelineConfigIds={ids[0]}&pipelineConfigIds={ids[1]}"
        over = await deck.get(f"{ticked}&statuses=SUCCEEDED&statuses=RUNNING")
        assert [one["name"] for one in over] == ["often", "seldom"]
        assert await deck.get(f"{ticked}&statuses=PAUSED&statuses=CANCELED") == []

    run(work)


def test_the_pipeline_editor_saves_puts_in_order_and_shows_revisions() -> None:
    async def work(deck: Deck) -> None:
        for name in ("a", "b"):
            await deck.call("POST", "/pipelines?staleCheck=true", {**WAIT, "name": name})
        first, second = await deck.get("/applications/shop/pipelineConfigs")
        assert [first["index"], second["index"]] == [0, 1], "it saves what isn't in order"
        assert first["triggers"] == first["parameterConfig"] == []

        await asyncio.sleep(1)
        await deck.call("POST", "/pipelines?staleCheck=true", {**first, "description": "one"})
        stale = await deck.call("POST", "/pipelines?staleCheck=true", {**first, "description": "two"}, status=400)
        assert "stale" in stale["message"]

        indices = {first["id"]: 1, second["id"]: 0}
        await deck.call("POST", "/actions/pipelines/reorder", {"application": "shop", "idsToIndices": indices})
        assert [one["name"] for one in await deck.get("/applications/shop/pipelineConfigs")] == ["b", "a"]

        saved = await deck.call("PUT", f"/pipelines/{second['id']}", {**second, "name": "c"})
        assert saved["name"] == "c"
        await deck.call("POST", "/pipelines/move", {"application": "shop", "id": second["id"], "name": "d"})
        await deck.call("POST", "/pipelines/move", {"application": "Shop", "from": "D", "to": "e"})
        history = await deck.get(f"/pipelineConfigs/{second['id']}/history?limit=20")
        assert [one["name"] for one in history] == ["e", "d", "c", "b", "b"]
        await deck.call("DELETE", "/pipelines/shop/e")
        newest = (await deck.get(f"/pipelineConfigs/{second['id']}/history"))[0]
        assert (newest["name"], newest["isDeleted"]) == ("e", True)

    run(work)


def test_pipelines_are_saved_in_bulk_as_far_as_they_can_be() -> None:
    async def work(deck: Deck) -> None:
        listed = [{**WAIT, "name": "a"}, {**WAIT, "name": "A"}, {"name": "c", "stages": []}]
        told = await deck.call("POST", "/pipelines/bulksave?application=shop", listed)
        assert told["successful_pipelines"] == ["a", "c"]
        assert told["successful_pipelines_count"] == 2
        [failed] = told["failed_pipelines"]
        assert "already exists" in failed["errorMsg"]

    run(work)


def test_strategies_are_definitions_of_their_own() -> None:
    async def work(deck: Deck) -> None:
        await deck.call("POST", "/strategies", {**WAIT, "name": "mine"})
        await deck.call("POST", "/pipelines", {**WAIT, "name": "mine"})
        [one] = await deck.get("/applications/shop/strategyConfigs")
        assert await deck.get("/applications/shop/strategyConfigs/MINE") == one
        await deck.call("PUT", f"/strategies/{one['id']}", {**one, "description": "x"})
        assert len(await deck.get(f"/strategyConfigs/{one['id']}/history")) == 2
        await deck.call("DELETE", "/strategies/shop/mine")
        assert await deck.get("/applications/shop/strategyConfigs") == []
        assert len(await deck.get("/applications/shop/pipelineConfigs")) == 1

    run(work)


def test_clusters_show_what_runs() -> None:
    async def work(deck: Deck) -> None:
        old, new = await deck.get("/applications/shop/serverGroups")
        assert (new["name"], new["account"], new["region"]) == ("shop-prod-v001", "production", "here")
        assert new["moniker"] == {
            "app": "shop",
            "cluster": "shop-prod",
            "stack": "prod",
            "detail": None,
            "sequence": 1,
        }
        assert (new["capacity"], new["instanceCounts"]["up"]) == ({"min": 2, "max": 2, "desired": 2}, 2)
        assert new["loadBalancers"] == ["shop-prod"]
        assert {one["healthState"] for one in new["instances"]} == {"Up"}
        assert [entry["type"] for entry in new["instances"][0]["health"]] == ["fake", "LoadBalancer"]
        assert await deck.get("/applications/SHOP/serverGroups?clusters=production:other") == []
        assert await deck.get("/applications/shop/serverGroups/production/here/shop-prod-v000") == old
        assert await deck.get("/serverGroups/production/here/shop-prod-v001") == new
        await deck.call("GET", "/serverGroups/production/there/shop-prod-v001", status=404)

        path = "/applications/shop/clusters/production/shop-prod"
        assert [one["name"] for one in (await deck.get(path))["serverGroups"]] == [old["name"], new["name"]]
        whole = await deck.get(path)
        without = [one | {"instances": []} for one in whole["serverGroups"]]
        assert await deck.get(f"{path}/fake?expand=false") == whole | {"serverGroups": without}
        [named] = await deck.get("/applications/shop/clusters/production")
        assert named == whole | {"serverGroups": [old["name"], new["name"]]}
        for target, name in (("current", new["name"]), ("ANCESTOR", old["name"]), ("oldest_asg", old["name"])):
            assert (await deck.get(f"{path}/fake/here/serverGroups/target/{target}"))["name"] == name
        await deck.call("GET", f"{path}/fake/there/serverGroups/target/current", status=404)

        groups = f"{path}/fake/serverGroups"
        assert await deck.get(groups) == await deck.get(f"{groups}?region=here") == [old, new]
        assert await deck.get(f"{groups}?region=there") == await deck.get(f"{path}/other/serverGroups") == []
        assert await deck.get(f"{groups}/{new['name']}") == [new]
        assert await deck.get(f"{groups}/{new['name']}?region=here") == new
        assert await deck.get(f"{groups}/nothing") == []
        await deck.call("GET", f"{groups}/nothing?region=here", status=404)

    run(work)


def test_a_target_that_is_not_what_its_word_says_is_not_found() -> None:
    async def work(deck: Deck) -> None:
        path = "/applications/shop/clusters/production/shop-prod/fake/here/serverGroups/target"
        both = await deck.call("GET", f"{path}/FAIL", status=404)
        assert "target.fail.strategy" in str(both)
        here = Place(account="production", region="here")
        await deck.site.ports.services.clouds["fake"].set_disabled(here, "shop-prod-v000", is_disabled=True)

        assert (await deck.get(f"{path}/fail?onlyEnabled=true"))["name"] == "shop-prod-v001"
        assert (await deck.get(f"{path}/oldest"))["name"] == "shop-prod-v000"
        await deck.call("GET", f"{path}/oldest?onlyEnabled=true", status=404)
        alone = await deck.get(f"{path}/oldest?onlyEnabled=true&validateOldest=false")
        assert alone["name"] == "shop-prod-v001"
        await deck.call("GET", f"{path}/previous?onlyEnabled=true", status=404)

    run(work)


def test_an_instance_is_shown_with_its_log() -> None:
    async def work(deck: Deck) -> None:
        await shop(deck)
        instance_id = (await deck.get("/serverGroups/production/here/shop-prod-v001"))["instances"][0]["id"]
        one = await deck.get(f"/instances/production/here/{instance_id}")
        assert (one["healthState"], one["serverGroup"], one["loadBalancers"]) == ("Up", "shop-prod-v001", ["shop-prod"])
        assert isinstance((await deck.get(f"/instances/production/here/{instance_id}/console"))["output"], str)
        await deck.call("GET", "/instances/production/here/nobody", status=404)

    run(work)


def test_load_balancers_show_who_gets_the_traffic() -> None:
    async def work(deck: Deck) -> None:
        await shop(deck)
        [one] = await deck.get("/applications/shop/loadBalancers")
        assert [(group["name"], group["weight"]) for group in one["serverGroups"]] == [
            ("shop-prod-v000", 0),
            ("shop-prod-v001", 100),
        ]
        states = [{each["health"]["state"] for each in group["instances"]} for group in one["serverGroups"]]
        assert states == [{"OutOfService"}, {"InService"}]
        assert await deck.get("/loadBalancers/production/here/shop-prod?provider=fake") == [one]
        assert await deck.get("/loadBalancers") == [one]
        assert await deck.get("/loadBalancers/production/here/nothing?provider=") == []

    run(work)


@pytest.mark.parametrize(
    ("kind", "text", "count"),
    [
        ("applications", "sho", 1),
        ("projects", "spr", 1),
        ("clusters", "SHOP-", 1),
        ("serverGroups", "v001", 1),
        ("instances", "shop-prod", 4),
        ("loadBalancers", "prod", 1),
        ("applications", "nothing", 0),
    ],
)
def test_the_search_box_finds_by_type(kind: str, text: str, count: int) -> None:
    async def work(deck: Deck) -> None:
        await shop(deck)
        await deck.site.ports.services.definitions.save("project", "p", {"name": "Spring"}, author="ada")
        [found] = await deck.get(f"/search?q={text}&type={kind}&pageSize=500&page=&platform=")
        assert (found["totalMatches"], len(found["results"]), found["pageNumber"]) == (count, count, 1)
        assert all(one["type"] == kind for one in found["results"])
        [second] = await deck.get(f"/search?q={text}&type={kind}&pageSize=1&page=2")
        assert len(second["results"]) == (1 if count > 1 else 0)

    run(work)


def test_a_project_shows_its_clusters() -> None:
    async def work(deck: Deck) -> None:
        clusters = [{"account": "production", "stack": "*", "detail": "*", "applications": None}]
        config = {"applications": ["shop"], "clusters": [*clusters, {**clusters[0], "stack": "test"}]}
        await deck.site.ports.services.definitions.save(
            "project", "p", {"name": "Spring", "config": config}, author="a"
        )
        shown, empty = await deck.get("/projects/spring/clusters")
        [row] = shown["applications"]
        assert (row["application"], shown["instanceCounts"]["up"]) == ("shop", 4)
        assert [build["buildNumber"] for build in row["clusters"][0]["builds"]] == ["1.0", "1.1"]
        assert (empty["applications"], empty["instanceCounts"]["total"]) == ([], 0)

    run(work)


def test_what_was_started_by_another_execution_leads_up_to_it() -> None:
    """Deck draws breadcrumbs: it reads the trigger of each parent, and of theirs."""

    async def work(deck: Deck) -> None:
        await shop(deck)
        await deck.call("POST", "/pipelines", {**WAIT, "name": "child", "stages": [make.stage_json("a")]})
        [child] = [one for one in await deck.get("/applications/shop/pipelineConfigs") if one["name"] == "child"]
        stage = make.stage_json("a", type="pipeline", application="shop", pipeline=child["id"])
        await deck.call("POST", "/pipelines", {**WAIT, "name": "parent", "stages": [stage]})
        start = await deck.call("POST", "/pipelines/shop/parent", {"type": "manual"}, status=202)
        parent_id = start["ref"].rpartition("/")[2]
        await ended(deck.site.ports.services, parent_id)

        for expand in ("true", "false"):
            listed = await deck.get(f"/applications/shop/pipelines?expand={expand}&limit=2")
            [run] = [one for one in listed if one["name"] == "child"]
            parent = run["trigger"]["parentExecution"]
            assert (parent["id"], parent["name"], parent["application"]) == (parent_id, "parent", "shop")
            assert (parent["trigger"]["type"], parent["trigger"]["user"]) == ("manual", "anonymous")
            assert parent["buildTime"] > 0

    run(work)


def test_more_than_is_given_may_be_asked_for() -> None:
    """A page's settings say how many running executions it wants: Gate refuses no number."""

    async def work(deck: Deck) -> None:
        await shop(deck)
        await deck.call("POST", "/pipelines", WAIT)
        [config] = await deck.get("/applications/shop/pipelineConfigs")
        for path in (
            "/applications/shop/pipelines?limit=1000&statuses=RUNNING",
            "/applications/shop/tasks?limit=5000",
            f"/executions?pipelineConfigIds={config['id']}&limit=1000",
            "/applications/*/executions/search?size=1000",
            f"/pipelineConfigs/{config['id']}/history?limit=100000",
            "/search?q=shop&type=applications&pageSize=5000",
            "/images/find?q=shop&count=100000",
            "/v2/canaries/shop/executions?limit=5000",
        ):
            assert isinstance(await deck.get(path), list)

    run(work)


@pytest.mark.parametrize(
    "path", ["/pipelineTemplates?scope=global", "/gcb/accounts", "/bakery/options", "/charts/find"]
)
def test_lists_of_what_nothing_here_makes_are_empty(path: str) -> None:
    """A dialogue that can't have one of its lists shows an error instead of itself."""

    async def work(deck: Deck) -> None:
        assert await deck.get(path) == []

    run(work)


def test_the_editor_fills_the_lists_of_a_jenkins_stage() -> None:
    async def work(deck: Deck) -> None:
        [master] = await deck.get("/v2/builds?type=jenkins")
        assert await deck.get("/v2/builds?type=travis") == []
        [job] = await deck.get(f"/v3/builds/{master}/jobs")
        config = await deck.get(f"/v3/builds/{master}/job?job={quote(job, safe='')}")
        assert [(one["name"], one["defaultValue"]) for one in config["parameterDefinitionList"]] == [
            ("branch", "main"),
            ("size", "small"),
        ]
        assert config["parameterDefinitionList"][1]["choices"] == ["small", "large"]
        # The dialogue of a start by hand offers those that succeeded, by number.
        builds = await deck.get(f"/v3/builds/{master}/builds?job={quote(job, safe='')}")
        assert [(one["number"], one["building"], one["result"]) for one in builds] == [(1, False, "SUCCESS")]

    with served(JenkinsWorld()) as world, tempfile.NamedTemporaryFile() as token:
        Path(token.name).write_text(TOKEN)
        world.run({})
        world.finish()
        run(work, jenkins.plugin, settings=Settings(ci={"main": world.settings(token.name)}))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/managed/application/shop"),
        ("POST", "/managed/delivery-configs"),
        ("GET", "/bakery/options/aws"),
        ("POST", "/admin/executions/hydrate"),
        ("DELETE", "/pipelineTemplates/x"),
        ("GET", "/pipelineTemplates/x"),
    ],
)
def test_what_does_not_exist_says_so(method: str, path: str) -> None:
    async def work(deck: Deck) -> None:
        said = await deck.call(method, path, {} if method != "GET" else None, status=501)
        assert (said["status"], said["error"], said["code"]) == (501, "Not Implemented", "gate.not_offered")
        assert said["path"] == path.partition("?")[0]

    run(work)
