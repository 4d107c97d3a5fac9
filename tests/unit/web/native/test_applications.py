"""Applications in the native API: deliveries, releases, rollback, traffic."""

import hashlib
from typing import Any

import msgspec
import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.fakes.traffic import FakeTraffic
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import TESTER, Harness, ended, reached

from gennaker.interfaces.evidence import EvidenceItem
from gennaker.interfaces.executions import Submission
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext
from gennaker.interfaces.traffic import Share
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.event import Done, PlannedStage, TaskResult
from gennaker.model.execution import ExecutionKind
from gennaker.model.release import Release, ReleaseState
from gennaker.plugins.flow import plugin as flow

DIGEST = "sha256:" + "1" * 64


COMMITS: list[Any] = [
    {"hash": "b" * 40, "subject": "New", "author": "Ada"},
    {"hash": "c" * 40, "subject": "Caught", "author": "Ada"},
    {"hash": "a" * 40, "subject": "Old", "author": "Ada"},
]


async def build(context: TaskContext) -> TaskResult:
    """The newest version, or an older one where the stage says which."""
    back = context.stage.context.get("back")
    age = back if isinstance(back, int) else 0
    digest = f"sha256:{age}" if age else DIGEST
    image: JsonObject = {"name": "shop", "tag": f"1.2.{3 - age}", "digest": digest}
    return Done(outputs={"image": image, "commits": COMMITS[age:]})


def installed(*more: Plugin) -> Harness:
    return Harness(flow.plugin, scripted.plugin(Target(), scripted.stage("build", build)), *more)


def release(**fields: Any) -> Release:
    given: dict[str, Any] = {
        "id": "rel_1",
        "application": "shop",
        "account": "local",
        "region": "local",
        "cluster": "shop-prod",
        "cloud_provider": "local",
        "load_balancers": ("shop-prod",),
        "server_group": "shop-prod-v001",
        "image": f"127.0.0.1:5000/shop@{DIGEST}",
        "version": "1.2.3",
        "replaced": "shop-prod-v000",
        "replaced_version": "1.2.2",
        "execution_id": "x",
        "released_at": make.AT,
    }
    return Release(**{**given, **fields})


async def released(harness: Harness, *found: Release) -> None:
    documents = harness.documents.documents("releases") if hasattr(harness.documents, "documents") else None
    documents = documents or harness.built().services.documents("releases")
    for one in found:
        body = to_json(one)
        assert isinstance(body, dict)
        await documents.put(f"{one.application}/{one.account}/{one.region}/{one.cluster}/{one.id}", body)


async def run(site: Website, trigger: JsonObject, *stages: Any) -> str:
    config: JsonObject = {"application": "shop", "name": str(trigger["type"]), "stages": list(stages)}
    return await site.ports.services.executions.submit(Submission(config=config, trigger=trigger), TESTER)


GIT: JsonObject = {"type": "git", "hash": "b" * 40, "branch": "main"}
DOCKER: JsonObject = {"type": "docker", "repository": "shop", "tag": "1.2.3", "digest": DIGEST}


def test_a_delivery_joins_the_build_and_the_pipeline_of_its_image() -> None:
    async def work(site: Website) -> None:
        built = await run(site, GIT, make.stage_json("b", type="build"))
        await ended(site.ports.services, built)
        delivering = await run(site, DOCKER, make.stage_json("j", type="manualJudgment", name="Approve"))
        other = await run(site, {**DOCKER, "digest": "sha256:2"}, make.stage_json("m", type="make"))
        await ended(site.ports.services, other)

        found = (await site.get("/api/v1/applications/shop/deliveries")).json["deliveries"]

        assert [one["id"] for one in found] == [other, delivering]
        assert found[0]["build"] is None
        joined = found[1]
        assert joined["build"]["id"] == built
        assert joined["commit"] == {"hash": "b" * 40, "subject": "New", "author": "Ada"}
        assert (joined["branch"], joined["status"]) == ("main", "RUNNING")
        assert joined["image"] == {"name": "shop", "tag": "1.2.3", "digest": DIGEST}
        assert joined["currentStage"] == "Approve"
        assert "judge" in joined["waitingFor"]
        assert len((await site.get("/api/v1/applications/shop/deliveries?limit=1")).json["deliveries"]) == 1

    visit(work, harness=installed())


def test_deliveries_come_page_by_page_and_a_build_is_with_its_delivery_only() -> None:
    async def work(site: Website) -> None:
        built = [await run(site, GIT, make.stage_json("b", type="build", back=back)) for back in (1, 2, 0)]
        for one in built:
            await ended(site.ports.services, one)
        digests = ["sha256:1", "sha256:2", DIGEST]
        delivered = [await run(site, {**DOCKER, "digest": one}, make.stage_json("m", type="make")) for one in digests]
        for one in delivered:
            await ended(site.ports.services, one)
        address, pages = "/api/v1/applications/shop/deliveries?limit=1", []

        while address:
            answer = await site.get(address)
            pages.append([(one["build"]["id"], one["delivery"]["id"]) for one in answer.json["deliveries"]])
            cursor = answer.json["next"]
            assert ("link" in answer.headers) == (cursor is not None)
            address = f"/api/v1/applications/shop/deliveries?limit=1&after={cursor}" if cursor else ""

        assert pages == [[pair] for pair in zip(built[::-1], delivered[::-1], strict=True)]

    visit(work, harness=installed())


def test_a_build_that_has_no_image_yet_is_a_delivery_too() -> None:
    async def work(site: Website) -> None:
        wait = make.stage_json("w", type="wait", waitTime=600)
        building = await run(site, GIT, wait, make.stage_json("b", "w", type="build"))

        (found,) = (await site.get("/api/v1/applications/shop/deliveries")).json["deliveries"]

        assert (found["id"], found["image"], found["delivery"]) == (building, None, None)

    visit(work, harness=installed())


def test_a_dry_run_delivers_nothing_and_says_so() -> None:
    async def work(site: Website) -> None:
        planned = await run(site, {**DOCKER, "dryRun": True}, make.stage_json("m", type="make"))
        await ended(site.ports.services, planned)

        answer = (await site.get("/api/v1/applications/shop/deliveries")).json

        assert answer["deliveries"] == []
        ((shown, is_dry, is_shadow),) = [(one["id"], one["isDryRun"], one["isShadow"]) for one in answer["others"]]
        assert (shown, is_dry, is_shadow) == (planned, True, False)

    visit(work, harness=installed())


def test_what_is_no_delivery_is_listed_beside_newest_first() -> None:
    async def work(site: Website) -> None:
        plain = await run(site, {"type": "manual"}, make.stage_json("m", type="make", name="Tidy up"))
        await ended(site.ports.services, plain)
        orchestration: JsonObject = {
            "application": "shop",
            "name": "By hand",
            "stages": [make.stage_json("0", type="make")],
        }
        by_hand = await site.ports.services.executions.submit(
            Submission(kind=ExecutionKind.ORCHESTRATION, config=orchestration, trigger={"type": "manual"}), TESTER
        )
        await ended(site.ports.services, by_hand)
        first = await run(site, DOCKER, make.stage_json("m", type="make"))
        second = await run(site, DOCKER, make.stage_json("m", type="make"))
        await ended(site.ports.services, second)
        elsewhere: JsonObject = {"application": "cart", "name": "m", "stages": [make.stage_json("m", type="make")]}
        await site.ports.services.executions.submit(Submission(config=elsewhere), TESTER)

        answer = (await site.get("/api/v1/applications/shop/deliveries")).json

        # Of two with one image the newer is the delivery; the older must not vanish.
        assert [one["id"] for one in answer["deliveries"]] == [second]
        assert [one["id"] for one in answer["others"]] == [first, by_hand, plain]
        shown = answer["others"][-1]
        assert (shown["name"], shown["status"], shown["trigger"]["type"]) == ("manual", "SUCCEEDED", "manual")

    visit(work, harness=installed())


def test_what_waits_beside_deliveries_is_listed_however_much_has_ended_since() -> None:
    async def work(site: Website) -> None:
        waiting = await run(site, {"type": "manual"}, make.stage_json("w", type="wait", waitTime=600))
        for _ in range(22):
            await ended(site.ports.services, await run(site, {"type": "manual"}, make.stage_json("m", type="make")))

        others = (await site.get("/api/v1/applications/shop/deliveries")).json["others"]

        assert [one["status"] for one in others] == ["SUCCEEDED"] * 20 + ["RUNNING"]
        assert others[-1]["id"] == waiting

    visit(work, harness=installed())


async def put_out(_: TaskContext) -> TaskResult:
    return Done(context={"imageId": f"127.0.0.1:5000/shop@{DIGEST}", "imageVersion": "1.2.3"})


async def with_a_server_group(_: StageSpec, __: StageContext) -> Plan:
    return Plan(before=(PlannedStage(type="createServerGroup", name="Below", context={}),))


DEPLOYING = (
    scripted.stage("createServerGroup", put_out),
    StageType(name="deploy", label="deploy", about="deploy", spec=StageSpec, plan=with_a_server_group),
)


def deploying() -> Harness:
    return Harness(flow.plugin, scripted.plugin(Target(), scripted.stage("build", build), *DEPLOYING))


def test_an_image_that_was_deployed_by_hand_is_delivered_too() -> None:
    async def work(site: Website) -> None:
        built = await run(site, GIT, make.stage_json("b", type="build"))
        by_hand = await run(site, {"type": "manual"}, make.stage_json("d", type="deploy"))
        await ended(site.ports.services, by_hand)

        (found,) = (await site.get("/api/v1/applications/shop/deliveries")).json["deliveries"]

        assert (found["build"]["id"], found["delivery"]["id"]) == (built, by_hand)
        assert found["image"] == {"name": "shop", "tag": "1.2.3", "digest": DIGEST}
        assert (found["commit"]["subject"], found["status"]) == ("New", "SUCCEEDED")

        picked_up = await run(site, DOCKER, make.stage_json("d", type="deploy"))
        again = await run(
            site, {"type": "manual"}, make.stage_json("d", type="deploy"), make.stage_json("f", type="fail")
        )
        await ended(site.ports.services, again)
        (found,) = (await site.get("/api/v1/applications/shop/deliveries")).json["deliveries"]
        assert found["delivery"]["id"] == picked_up, "what the image has started is its delivery"

    visit(work, harness=deploying())


def test_an_image_of_a_build_that_nobody_remembers_is_told_by_its_deployment() -> None:
    async def work(site: Website) -> None:
        by_hand = await run(site, {"type": "manual"}, make.stage_json("d", type="deploy"))
        await ended(site.ports.services, by_hand)

        (found,) = (await site.get("/api/v1/applications/shop/deliveries")).json["deliveries"]

        assert (found["id"], found["build"], found["isDeployedByBuild"]) == (by_hand, None, False)
        assert found["image"] == {"name": "shop", "tag": "1.2.3", "digest": DIGEST}

    visit(work, harness=deploying())


def test_a_pipeline_that_builds_and_deploys_is_one_delivery_with_one_set_of_reports() -> None:
    async def work(site: Website) -> None:
        stages = (
            make.stage_json("b", type="build"),
            make.stage_json("j", "b", type="manualJudgment", name="Approve"),
            make.stage_json("d", "j", type="deploy"),
        )
        whole = await run(site, GIT, *stages)
        await reached(site.ports.services, whole, "manualJudgment", task="waitForJudgment")
        report = b"<testsuite/>"
        item = EvidenceItem(
            execution_id=whole,
            stage_id="b",
            name="unit.xml",
            kind="junit",
            media_type="text/xml",
            digest=f"sha256:{hashlib.sha256(report).hexdigest()}",
            size_bytes=len(report),
            at=make.AT,
        )
        await site.ports.services.evidence.put(item, report)

        (found,) = (await site.get("/api/v1/applications/shop/deliveries")).json["deliveries"]
        facts = (await site.get(f"/api/v1/executions/{whole}/stages/j/approval")).json

        assert (found["id"], found["delivery"], found["isDeployedByBuild"]) == (whole, None, True)
        assert (facts["image"], facts["digest"]) == ("shop:1.2.3", DIGEST)
        assert [commit["subject"] for commit in facts["releaseNotes"]] == ["New", "Caught", "Old"]
        assert len(facts["tests"]) == 1

    visit(work, harness=deploying())


def test_an_approver_sees_what_is_new_since_what_runs() -> None:
    harness = installed()

    async def work(site: Website) -> None:
        await released(harness, release(version="1.2.2", image="h/shop@sha256:0", state=ReleaseState.SETTLED))
        built = await run(site, GIT, make.stage_json("b", type="build"))
        await ended(site.ports.services, built)
        delivering = await run(site, DOCKER, make.stage_json("j", type="manualJudgment", name="Approve"))
        await site.ports.services.executions.get(delivering)

        facts = (await site.get(f"/api/v1/executions/{delivering}/stages/j/approval")).json

        assert (facts["version"], facts["digest"], facts["image"]) == ("1.2.3", DIGEST, "shop:1.2.3")
        assert [commit["subject"] for commit in facts["releaseNotes"]] == ["New", "Caught", "Old"]
        assert [one["version"] for one in facts["running"]] == ["1.2.2"]
        assert [link["label"] for link in facts["links"]] == ["Delivery", "Build"]

    async def with_stages(site: Website) -> None:
        await work(site)

    visit(with_stages, harness=harness)


@pytest.mark.parametrize("is_released", [False, True])
def test_release_notes_are_the_commits_since_what_runs_where_the_judgment_leads_to(is_released: bool) -> None:
    """Production has the oldest version. The one between was caught in staging, where this one has replaced it."""
    harness = installed()
    staging = {"cluster": "shop-staging", "state": ReleaseState.SUPERSEDED, "replaced": None}
    on_staging = (
        release(id="rel_1", **{**staging, "server_group": "shop-staging-v001", "image": "h/shop@sha256:1"}),
        release(id="rel_2", cluster="shop-staging", server_group="shop-staging-v002", replaced="shop-staging-v001"),
    )
    oldest = release(
        id="rel_3",
        server_group="shop-prod-v000",
        image="h/shop@sha256:2",
        replaced=None,
        state=ReleaseState.SUPERSEDED if is_released else ReleaseState.SETTLED,
    )
    in_production = (oldest, release(id="rel_4")) if is_released else (oldest,)

    async def work(site: Website) -> None:
        await released(harness, *on_staging, *in_production)
        for back in (2, 1, 0):
            await ended(site.ports.services, await run(site, GIT, make.stage_json("b", type="build", back=back)))
        stages = (
            make.stage_json("j", type="manualJudgment", name="Approve"),
            make.stage_json("w", "j", type="wait", waitTime=600),
            make.stage_json("d", "w", type="deploy", clusters=[{"application": "shop", "stack": "prod"}]),
        )
        delivering = await run(site, DOCKER, *stages)

        facts = (await site.get(f"/api/v1/executions/{delivering}/stages/j/approval")).json

        assert [commit["subject"] for commit in facts["releaseNotes"]] == ["New", "Caught"]

    visit(work, harness=harness)


def test_releases_are_listed_newest_first() -> None:
    harness = installed()

    async def work(site: Website) -> None:
        newer = release(id="rel_2", released_at=make.AT + make.seconds(5), warm_until=make.AT + make.seconds(3600))
        await released(harness, release(), newer, release(application="cart", cluster="cart-prod"))

        found = (await site.get("/api/v1/applications/shop/releases")).json["releases"]

        assert [one["id"] for one in found] == ["rel_2", "rel_1"]
        assert found[0]["replacedVersion"] == "1.2.2"
        assert found[0]["warmUntil"] == "2026-11-24T10:00:00Z"

    visit(work, harness=harness)


@pytest.mark.parametrize(
    ("existing", "asked", "status", "said"),
    [
        ((), {"cluster": "shop-prod"}, 404, "Clusters with releases: none."),
        ((release(),), {"cluster": "shop-test"}, 404, "Clusters with releases: shop-prod."),
        ((release(state=ReleaseState.SUPERSEDED),), {"cluster": "shop-prod"}, 404, "no release"),
        ((release(), release(id="rel_2", region="north")), {"cluster": "shop-prod"}, 409, "Nothing was done"),
        ((release(),), {}, 400, "cluster"),
        (
            (release(replaced=None, replaced_version=""),),
            {"cluster": "shop-prod"},
            409,
            "shop-prod-v001 (1.2.3) is the first release of shop-prod: there is no earlier version to restore.",
        ),
    ],
)
def test_a_rollback_that_is_not_clear_does_nothing(
    existing: tuple[Release, ...], asked: JsonObject, status: int, said: str
) -> None:
    harness = installed()

    async def work(site: Website) -> None:
        await released(harness, *existing)
        answer = await site.post("/api/v1/applications/shop/rollback", asked)
        assert answer.status == status
        assert said in answer.body.decode()

    visit(work, harness=harness)

    assert harness.executions() == ()


def test_a_rollback_is_an_execution_that_names_both_versions() -> None:
    harness = installed()

    async def work(site: Website) -> None:
        await released(harness, release(), release(id="rel_2", region="north"))
        answer = await site.post("/api/v1/applications/shop/rollback", {"cluster": "shop-prod", "region": "north"})
        assert answer.status == 202
        assert answer.json["sentence"] == "Rolling shop-prod back from 1.2.3 to 1.2.2."
        execution = await ended(site.ports.services, answer.json["executionId"])
        (stage,) = execution.in_order()
        assert stage.type == "rollbackRelease"
        assert {key: stage.context[key] for key in ("cluster", "account", "region")} == {
            "cluster": "shop-prod",
            "account": "local",
            "region": "north",
        }

    visit(work, harness=harness)


def test_versions_without_a_name_are_told_by_what_is_known() -> None:
    harness = installed()

    async def work(site: Website) -> None:
        await released(harness, release(version="", replaced_version=""))
        sentence = (await site.post("/api/v1/applications/shop/rollback", {"cluster": "shop-prod"})).json["sentence"]
        assert sentence == f"Rolling shop-prod back from 127.0.0.1:5000/shop@{DIGEST} to shop-prod-v000."

    visit(work, harness=harness)


def test_traffic_is_told_with_shares_and_requests_in_flight() -> None:
    state: dict[str, Any] = {}
    provider = FakeTraffic(state)
    harness = installed(Plugin(name="traffic", traffic=(lambda _: provider,)))

    async def work(site: Website) -> None:
        await released(harness, release())
        await provider.ensure("shop-prod", "127.0.0.1:80")
        routes = Routes(headers={"X-Canary": "yes"}, cookies={"a": "b"}, mirror_percent=5)
        share = Share(weight=3, addresses=("127.0.0.1:1",), routes=routes)
        await provider.set_weights("shop-prod", {"shop-prod-v001": share})
        state["shop-prod"].in_flight["127.0.0.1:1"] = 2

        (found,) = (await site.get("/api/v1/traffic")).json["loadBalancers"]

        seen = {
            "serverGroup": "shop-prod-v001",
            "weight": 3,
            "addresses": ["127.0.0.1:1"],
            "routes": ["X-Canary: yes", "the cookie a=b", "copies of 5 %"],
            "inFlight": 2,
        }
        assert found == {"name": "shop-prod", "provider": "fake", "address": "127.0.0.1:80", "shares": [seen]}

        state["shop-prod"].is_counting = False
        (uncounted,) = (await site.get("/api/v1/traffic")).json["loadBalancers"]
        assert uncounted["shares"] == [{**seen, "inFlight": None}]

    visit(work, harness=harness)


def test_applications_are_those_that_have_a_pipeline() -> None:
    async def work(site: Website) -> None:
        for application in ("shop", "cart", "shop"):
            body = {"application": application, "name": "p", "stages": [make.stage_json("a", type="make")]}
            assert (await site.post("/api/v1/pipelines", body)).status == 200
        assert (await site.get("/api/v1/applications")).json["applications"] == ["cart", "shop"]
        assert [
            one["revision"] for one in (await site.get("/api/v1/pipelines?application=shop")).json["pipelines"]
        ] == [2]

    visit(work, harness=installed())


def test_stage_types_are_listed_with_schemas() -> None:
    async def work(site: Website) -> None:
        found = {one["type"]: one for one in (await site.get("/api/v1/stage-types")).json["stageTypes"]}
        assert found["wait"]["label"] == "Wait"
        assert "waitTime" in msgspec.json.encode(found["wait"]["schema"]).decode()
        assert found["pipeline"]["tasks"] == ["startPipeline", "monitorPipeline", "bindProducedArtifacts"]

    visit(work, harness=installed())
