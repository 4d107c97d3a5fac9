"""What can't be told from a path: whose evidence, children, load balancers and canary configs somebody may see or change."""

import asyncio
import hashlib
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
from tests.fakes.cloud_worlds import PLACE
from tests.fakes.clouds import CloudState, FakeCloud
from tests.fakes.faulty import Faults, FaultyCloud
from tests.fakes.traffic import FakeTraffic
from tests.fakes.virtual_time import VirtualTime
from tests.fakes.website import Website
from tests.harness import ended
from tests.unit.web.test_access import PERMISSIONS, SETTINGS, token_of, visit

from gennaker.interfaces.clouds import Capacity, CloudProvider, Place, ServerGroup
from gennaker.interfaces.evidence import EvidenceItem
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.traffic import Share, key
from gennaker.model import foreign, moniker
from gennaker.model.codec import Json, JsonObject, encode, to_json
from gennaker.model.release import Release
from gennaker.settings import AccountSettings
from gennaker.traffic_settings import LoadBalancerSettings
from gennaker.web import visible

JUDGED: JsonObject = {"result": {"judgeResult": {}}, "canaryConfig": {}}


async def keep(site: Website, content: bytes, execution_id: str) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    item = EvidenceItem(
        execution_id=execution_id,
        stage_id="s",
        name="report",
        kind="file",
        media_type="application/json",
        digest=digest,
        size_bytes=len(content),
        at=site.ports.services.clock.now(),
    )
    await site.ports.services.evidence.put(item, content)
    return digest


async def statuses(site: Website, path: str) -> dict[str, int]:
    """Of those who may read shop, those who may not, and administrators."""
    names = ("outsider", "reader", "admin")
    return {name: (await site.get(path, token=await token_of(site, name))).status for name in names}


def test_evidence_and_canary_results_are_read_by_whoever_may_read_an_execution_that_left_them() -> None:
    async def work(site: Website) -> None:
        digest = await keep(site, b"[1]", "e1")
        judged = await keep(site, encode(JUDGED), "e1")
        run = judged.removeprefix("sha256:")
        paths = [f"/api/v1/evidence/{digest}", f"/v2/canaries/metricSetPairList/{digest}"]
        paths += [f"/v2/canaries/canary/{run}", f"/v2/canaries/canary/x/{run}"]
        for path in paths:
            assert await statuses(site, path) == {"outsider": 404, "reader": 200, "admin": 200}, path

        picture = await keep(site, b"\x89PNG", "e1")
        assert (await statuses(site, f"/v2/canaries/metricSetPairList/{picture}"))["reader"] == 404, "no samples"

        await site.ports.services.definitions.save("application", "open", {"name": "open"}, author="test")
        wait: list[Json] = [{"type": "wait", "refId": "1"}]
        await site.post("/orchestrate", {"application": "open", "executionId": "o1", "stages": wait})
        await keep(site, b"[1]", "o1")
        assert (await statuses(site, paths[0]))["outsider"] == 200, "an execution that they may read has left it, too"

        gone = await keep(site, b"[2]", "unknown")
        found = await statuses(site, f"/api/v1/evidence/{gone}")
        assert found == {"outsider": 404, "reader": 404, "admin": 200}

    visit(work)


def test_evidence_that_is_kept_from_somebody_is_one_refusal_and_what_is_given_none() -> None:
    async def work(site: Website) -> None:
        kept = await keep(site, b"[1]", "e1")
        await keep(site, b"[1]", "t1")
        outsider = await token_of(site, "outsider")

        async def refused() -> list[tuple[str, Json, Json]]:
            await site.refusals.settle()
            found = [one.entry for one in await site.ports.services.audit.records(limit=10_000)]
            told = [one for one in found if one.action == "access.refused"]
            return [(one.subject, one.details.get("address"), one.details.get("more", 1)) for one in told]

        assert (await site.get(f"/api/v1/evidence/{kept}", token=outsider)).status == 404
        assert await refused() == [(f"evidence:{kept}", "127.0.0.1", 1)]

        await site.ports.services.definitions.save("application", "open", {"name": "open"}, author="test")
        wait: list[Json] = [{"type": "wait", "refId": "1"}]
        await site.post("/orchestrate", {"application": "open", "executionId": "o1", "stages": wait})
        await keep(site, b"[2]", "e1")
        given = await keep(site, b"[2]", "o1")
        assert (await site.get(f"/api/v1/evidence/{given}", token=outsider)).status == 200
        assert len(await refused()) == 1

        assert (await site.get("/v2/canaries/canary/e1", token=outsider)).status == 404
        assert (await refused())[1:] == [("execution:e1", "127.0.0.1", 1)]

    visit(work)


def test_failed_stages_of_a_child_that_cannot_be_read_are_told_as_the_parents() -> None:
    async def work(site: Website) -> None:
        services = site.ports.services
        await services.definitions.save("application", "own", {"name": "own"}, author="test")
        broken: list[Json] = [
            {
                "type": "checkPreconditions",
                "refId": "1",
                "name": "Secret work",
                "preconditions": [{"type": "expression", "context": {"expression": "${false}"}, "failPipeline": True}],
            }
        ]
        child: JsonObject = {"application": "shop", "name": "Child", "id": "c1", "stages": broken}
        await services.definitions.save("pipeline", "c1", child, author="test")
        starts: list[Json] = [
            {"type": "pipeline", "refId": "1", "name": "Call", "application": "shop", "pipeline": "c1"}
        ]
        parent: JsonObject = {"application": "own", "executionId": "parent", "stages": starts}
        assert (await site.post("/orchestrate", parent, token=await token_of(site, "executor"))).status == 200
        await ended(site.ports.services, "parent")

        async def told(name: str) -> list[str]:
            path = "/pipelines/failedStages?executionId=parent&limit=5"
            answer = await site.get(path, token=await token_of(site, name))
            return [one["stageName"] for one in answer.json]

        assert await told("admin") == ["Secret work"]
        assert await told("outsider") == ["Call"]

    visit(work)


def test_a_canary_config_is_changed_by_whoever_may_write_the_applications_that_it_names() -> None:
    async def work(site: Website) -> None:
        save = site.ports.services.definitions.save
        config: JsonObject = {"name": "Judge", "applications": ["shop"], "metrics": [], "classifier": {}, "judge": {}}
        await save("canary-config", "k1", config, author="test")
        await save("application", "own", {"name": "own", "permissions": PERMISSIONS}, author="test")
        free: JsonObject = {**config, "applications": []}

        async def refused(name: str, method: str, path: str, body: Any = None) -> bool:
            answer = await site.call(method, path, token=await token_of(site, name), json=body)
            return answer.status == 403

        for method, path, body in (
            ("PUT", "/v2/canaryConfig/k1", free),
            ("POST", "/v2/canaryConfig", config),
            ("POST", "/api/v1/canary-configs", config),
            ("POST", "/api/v1/canary-configs", {**free, "id": "k1"}),
            ("POST", "/api/v1/definitions/canary-configs/k1/restore", {"revision": 1}),
            ("DELETE", "/v2/canaryConfig/k1", None),
        ):
            found = [await refused(name, method, path, body) for name in ("outsider", "reader", "writer")]
            assert found == [True, True, False], (method, path)
        assert not await refused("outsider", "POST", "/v2/canaryConfig", {**free, "name": "Free"})
        assert not await refused("outsider", "GET", "/v2/canaryConfig")

    visit(work)


def test_load_balancers_that_serve_only_what_cannot_be_read_are_not_shown() -> None:
    provider = FakeTraffic({})
    balancers = {name: LoadBalancerSettings() for name in ("shop-prod", "idle")}

    async def work(site: Website) -> None:
        for name in balancers:
            await provider.ensure(name, "127.0.0.1:80")
        await provider.set_weights("shop-prod", {"shop-prod-v001": Share(weight=1, addresses=("127.0.0.1:1",))})

        async def seen(name: str, path: str = "/loadBalancers") -> list[str]:
            return [one["name"] for one in (await site.get(path, token=await token_of(site, name))).json]

        assert await seen("outsider") == ["idle"]
        assert await seen("reader") == await seen("admin") == ["shop-prod", "idle"]
        one = "/loadBalancers/local/local/shop-prod"
        assert [await seen(name, one) for name in ("outsider", "reader")] == [[], ["shop-prod"]]

    settings = msgspec.structs.replace(SETTINGS, load_balancers=balancers)
    visit(work, settings, Plugin(name="traffic", traffic=(lambda _: provider,)))


HIDING = msgspec.structs.replace(SETTINGS, accounts={"prod": AccountSettings(permissions={"READ": ("auditor",)})})


async def release(site: Website, number: int, account: str, **fields: Any) -> Release:
    given: dict[str, Any] = {
        "id": f"rel_{number}",
        "application": "shop",
        "account": account,
        "region": "here",
        "cluster": "shop-main",
        "cloud_provider": "fake",
        "server_group": f"shop-main-v00{number}",
        "image": "x",
        "execution_id": "e1",
        "released_at": site.ports.services.clock.now(),
    }
    found = Release(**{**given, **fields})
    await site.ports.services.documents("releases").put(f"shop/{found.id}", foreign.mapping(to_json(found)))
    return found


def test_releases_and_traffic_name_only_accounts_that_may_be_read() -> None:
    provider = FakeTraffic({})

    async def work(site: Website) -> None:
        for number, account in enumerate(("open", "prod")):
            balancers = ("shop-both", f"shop-{account}", f"idle-{account}")
            found = await release(site, number, account, load_balancers=balancers)
            for name in balancers[1:]:
                await provider.ensure(name, "127.0.0.1:80")
            group = key(Place(account=account, region="here"), found.server_group)
            await provider.set_weights(f"shop-{account}", {group: Share(weight=1, addresses=())})
        await provider.ensure("shop-both", "127.0.0.1:80")
        groups = [
            key(Place(account=account, region="here"), f"shop-main-v00{number}")
            for number, account in enumerate(("open", "prod"))
        ]
        await provider.set_weights("shop-both", {group: Share(weight=1, addresses=()) for group in groups})

        async def told(name: str) -> tuple[list[str], dict[str, list[str]]]:
            token = await token_of(site, name)
            releases = (await site.get("/api/v1/applications/shop/releases", token=token)).json["releases"]
            traffic = (await site.get("/api/v1/traffic", token=token)).json["loadBalancers"]
            return (
                sorted(one["account"] for one in releases),
                {one["name"]: [share["serverGroup"] for share in one["shares"]] for one in traffic},
            )

        first, second = "shop-main-v000", "shop-main-v001"
        seen: dict[str, list[str]] = {"shop-both": [first], "shop-open": [first], "idle-open": []}
        every = {**seen, "shop-both": [first, second], "shop-prod": [second], "idle-prod": []}
        assert await told("admin") == (["open", "prod"], every)
        assert await told("reader") == (["open"], seen)
        wanted, writer = {"cluster": "shop-main"}, await token_of(site, "writer")
        back = await site.post("/api/v1/applications/shop/rollback", wanted, token=writer)
        assert back.status == 409
        assert "(open/here: x, others that you may not read)" in back.json["detail"]

    visit(work, HIDING, Plugin(name="t", traffic=(lambda _: provider,)))


def test_a_rollback_tells_nothing_of_accounts_that_may_not_be_read() -> None:
    async def work(site: Website) -> None:
        await release(site, 0, "open")
        await release(site, 1, "prod", cluster="shop-hidden")

        async def told(name: str, cluster: str) -> tuple[int, str]:
            path, token = "/api/v1/applications/shop/rollback", await token_of(site, name)
            answer = await site.post(path, {"cluster": cluster}, token=token)
            return answer.status, answer.json["detail"]

        unknown = "shop has no release of a cluster 'x'. Clusters with releases: {}."
        assert await told("writer", "x") == (404, unknown.format("shop-main"))
        assert await told("admin", "x") == (404, unknown.format("shop-hidden, shop-main"))
        status, detail = await told("writer", "shop-hidden")
        assert (status, detail.partition(".")[0]) == (403, "writer has no WRITE permission on the account prod")
        assert [(await told("admin", "shop-hidden"))[0], (await told("writer", "shop-main"))[0]] == [409, 409]

    visit(work, HIDING)


def test_an_approval_shows_what_runs_in_accounts_that_may_be_read_and_its_tag_is_one_for_all() -> None:
    async def work(site: Website) -> None:
        for number, account in enumerate(("open", "prod")):
            await release(site, number, account)
        path = "/api/v1/executions/e1/stages/1"

        async def shown(name: str) -> tuple[list[str], str]:
            answer = await site.get(f"{path}/approval", token=await token_of(site, name))
            assert answer.json["etag"] == answer.headers["etag"]
            return sorted(one["account"] for one in answer.json["running"]), answer.headers["etag"]

        every, tag = await shown("admin")
        assert every == ["open", "prod"]
        assert await shown("reader") == await shown("executor") == (["open"], tag)
        token = await token_of(site, "executor")
        given = await site.post(f"{path}/judgment", {"judgment": "continue"}, headers={"if-match": tag}, token=token)
        assert given.status == 200, given.body

        (kept,) = await site.ports.services.evidence.list("e1")

        async def kept_for(name: str) -> bytes:
            return (await site.get(f"/api/v1/evidence/{kept.digest}", token=await token_of(site, name))).body

        whole, cut = await kept_for("admin"), msgspec.json.decode(await kept_for("reader"))
        assert f"sha256:{hashlib.sha256(whole).hexdigest()}" == kept.digest, "whoever may read all can check it"
        assert [one["account"] for one in cut["facts"]["running"]] == ["open"]
        assert "may not read" in cut.pop("withheld")
        said = msgspec.json.decode(whole)
        for one in (cut, said):
            del one["facts"]["running"]
        assert cut == said
        assert b"prod" not in await kept_for("executor")

        # A secret with a mark of JSON in it was masked there.
        broken = whole.replace(b'"', b"***", 1)
        digest = f"sha256:{hashlib.sha256(broken).hexdigest()}"
        await site.ports.services.evidence.put(
            msgspec.structs.replace(kept, name="broken.json", digest=digest, size_bytes=len(broken)), broken
        )
        answer = await site.get(f"/api/v1/evidence/{digest}", token=await token_of(site, "reader"))
        assert (answer.status, answer.json["code"]) == (422, "evidence.unreadable")

    visit(work, HIDING)


def test_server_groups_are_those_of_the_applications_however_the_provider_tells_them() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    groups = {
        name: ServerGroup(
            name=name,
            cloud_provider="fake",
            place=PLACE,
            moniker=moniker.parse(name),
            image="x",
            capacity=Capacity(min=1, max=1, desired=1),
            created_at=at,
        )
        for name in ("zoo-v000", "shop-main-v001", "Shop-main-v002", "other-v000")
    }
    state = CloudState()
    state.groups.update(groups)
    at_once = FakeCloud(state, PLACE)
    one_by_one = FaultyCloud(at_once, Faults(), VirtualTime(), {})

    def seen(cloud: CloudProvider) -> list[str]:
        ports: Any = SimpleNamespace(services=SimpleNamespace(clouds={"fake": cloud}))
        return [one.name for one in asyncio.run(visible.server_groups(ports, ["shop", "zoo"]))]

    assert seen(at_once) == ["shop-main-v001", "Shop-main-v002", "zoo-v000"]
    assert seen(one_by_one) == ["shop-main-v001", "zoo-v000"], "which knows no other spelling"
