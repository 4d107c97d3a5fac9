"""Judging: what an approver saw is kept and sealed, and nobody approves what isn't so any more."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests import make
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness, ended, reached
from tests.unit.web import test_access as access

from gennaker.interfaces.evidence import EvidenceItem
from gennaker.interfaces.executions import Found
from gennaker.model.codec import JsonObject
from gennaker.model.release import Release
from gennaker.model.waiting import said
from gennaker.plugins.flow import plugin as flow

PIPELINE: dict[str, Any] = {
    "name": "deliver",
    "application": "shop",
    "stages": [
        make.stage_json("a", type="manualJudgment", instructions="Look."),
        make.stage_json("b", "a", type="wait", waitTime=1),
    ],
}
PATH = "/api/v1/executions/{}/stages/a"


async def waiting(site: Website, pipeline: dict[str, Any] = PIPELINE) -> str:
    execution_id = (await site.post("/api/v1/run", pipeline)).json["executionId"]
    await reached(site.ports.services, execution_id, "manualJudgment")
    return str(execution_id)


async def snapshots(site: Website, execution_id: str) -> list[tuple[EvidenceItem, Any]]:
    evidence = site.ports.services.evidence
    kept = [one for one in await evidence.list(execution_id) if one.kind == "approval"]
    return [(one, msgspec.json.decode(await evidence.read(one.digest) or b"")) for one in kept]


async def release(site: Website) -> None:
    """Another version goes to production meanwhile."""
    body = Release(
        id="rel_1",
        application="shop",
        account="prod",
        region="here",
        cluster="shop-prod",
        cloud_provider="local",
        server_group="shop-prod-v007",
        image="shop@sha256:7",
        execution_id="e0",
        released_at=site.ports.services.clock.now(),
    )
    await site.ports.services.documents("releases").put("shop/1", msgspec.to_builtins(body))


def test_what_an_approver_saw_is_kept_and_the_chain_names_it() -> None:
    async def work(site: Website) -> None:
        execution_id = await waiting(site)
        path = PATH.format(execution_id)
        shown = await site.get(f"{path}/approval")

        answer = {"judgment": "continue", "comment": "Seen the tests."}
        judged = await site.post(f"{path}/judgment", answer, headers={"if-match": shown.headers["etag"]})

        assert judged.status == 200, judged.body
        assert (await ended(site.ports.services, execution_id)).head.status == "SUCCEEDED"
        [(item, snapshot)] = await snapshots(site, execution_id)
        assert (snapshot["by"], snapshot["via"], snapshot["roles"], snapshot["wasShown"]) == (
            "operator",
            "cli",
            ["operator"],
            True,
        )
        assert snapshot["answer"] == {**answer, "judgmentInput": ""}
        assert {**snapshot["facts"], "etag": shown.headers["etag"]} == shown.json
        action = "command.ManualJudgmentGiven"
        [recorded] = [one for one in harness.journal.audit if one.action == action]
        assert recorded.subject == f"execution:{execution_id}"
        assert recorded.details["seen"] == item.digest

    harness = Harness(flow.plugin)
    visit(work, harness=harness)


def test_what_has_changed_since_it_was_shown_is_not_approved() -> None:
    async def work(site: Website) -> None:
        execution_id = await waiting(site)
        path = PATH.format(execution_id)
        tag = (await site.get(f"{path}/approval")).headers["etag"]
        await release(site)

        late = await site.post(f"{path}/judgment", {"judgment": "continue"}, headers={"if-match": tag})

        assert (late.status, late.json["code"]) == (412, "precondition.failed")
        assert await snapshots(site, execution_id) == []
        assert (await site.get(f"/api/v1/executions/{execution_id}")).json["status"] == "RUNNING"
        fresh = (await site.get(f"{path}/approval")).headers["etag"]
        assert (
            await site.post(f"{path}/judgment", {"judgment": "continue"}, headers={"if-match": fresh})
        ).status == 200

    visit(work, harness=Harness(flow.plugin))


def test_gates_answers_keep_what_there_was_to_be_seen() -> None:
    async def work(site: Website) -> None:
        execution_id = await waiting(site)
        stage = (await site.get(f"/api/v1/executions/{execution_id}")).json["stages"][0]["id"]
        patched = await site.call("PATCH", f"/pipelines/{execution_id}/stages/{stage}", json={"note": "only looking"})
        assert (patched.status, await snapshots(site, execution_id)) == (200, [])

        await site.call("PATCH", f"/pipelines/{execution_id}/stages/{stage}", json={"judgmentStatus": "stop"})

        [(item, snapshot)] = await snapshots(site, execution_id)
        assert (item.stage_id, snapshot["wasShown"], snapshot["answer"]["judgment"]) == (stage, False, "stop")
        assert snapshot["facts"]["instructions"] == "Look."
        assert [one.details["seen"] for one in harness.journal.audit if one.details.get("seen")] == [item.digest]

    harness = Harness(flow.plugin)
    visit(work, harness=harness)


@pytest.mark.parametrize("written", [{"type": "manualJudgment"}, {"type": "approve", "alias": "manualJudgment"}])
def test_a_service_account_is_none_of_the_people_who_approve(written: JsonObject) -> None:
    stage: JsonObject = {**written, "refId": "1", "name": "Two", "requiredApprovals": 2}

    async def work(site: Website) -> None:
        robot, token = await access.token_of_account(site, "robot", "executor"), await access.token_of(site, "executor")
        body: JsonObject = {"application": "shop", "name": "Two", "id": "p2", "stages": [stage]}
        await site.ports.services.definitions.save("pipeline", "p2", body, author="test")
        await site.post("/pipelines/shop/Two", {"executionId": "e2"}, token=await access.token_of(site, "admin"))
        await reached(site.ports.services, "e2", str(written["type"]))
        native, gates = "/api/v1/executions/e2/stages/1/judgment", "/pipelines/e2/stages/{}"
        shown = (await site.get("/pipelines/e2", token=token)).json
        gates = gates.format(shown["stages"][0]["id"])
        for answer in (
            await site.post(native, {"judgment": "continue"}, token=robot),
            await site.call("PATCH", gates, json={"judgmentStatus": "continue"}, token=robot),
        ):
            assert answer.status == 403, answer.body
            assert b"service account" in answer.body
        assert (await site.post(native, {"judgment": "continue"}, token=token)).status == 200

    access.visit(work)


async def approving(site: Website, execution_id: str, name: str) -> str:
    """What the judgment of the execution waits for after this person's approval."""
    path = f"/api/v1/executions/{execution_id}/stages/1/judgment"
    await reached(site.ports.services, execution_id, "manualJudgment", task="waitForJudgment")
    answer = await site.post(path, {"judgment": "continue"}, token=await access.token_of(site, name))
    assert answer.status == 200, answer.body
    await asyncio.sleep(5)
    found = await site.ports.services.executions.get(execution_id)
    assert found is not None
    return said(next(found.in_order()).tasks[0].waiting_for)


def test_who_is_behind_a_service_account_does_not_approve_what_it_has_started() -> None:
    judgment: JsonObject = {"type": "manualJudgment", "refId": "1", "name": "Other", "preventSelfApproval": True}
    calls: JsonObject = {"type": "pipeline", "refId": "1", "name": "Call", "pipeline": "p4", "application": "shop"}

    async def work(site: Website) -> None:
        robot = await access.token_of_account(site, "robot", "executor", made_by="Executor")
        definitions = site.ports.services.definitions
        for name, stage in (("p4", judgment), ("p5", calls)):
            body: JsonObject = {"application": "shop", "name": name, "id": name, "stages": [stage]}
            await definitions.save("pipeline", name, body, author="test")
        person = await access.token_of(site, "executor")
        by_token = await site.post("/pipelines/shop/p4", {"executionId": "e4"}, token=robot)
        run_as = await site.post("/pipelines/shop/p4", {"executionId": "e5", "runAsUser": "robot"}, token=person)
        parent = await site.post("/pipelines/shop/p5", {"executionId": "e6"}, token=robot)
        assert [one.status for one in (by_token, run_as, parent)] == [202, 202, 202]
        await asyncio.sleep(5)
        (child,) = [
            one.head.id
            for one in await site.ports.services.executions.find(Found(application="shop"))
            if one.head.root_id == "e6" != one.head.id
        ]
        shown = (await site.get("/api/v1/executions/e4", token=person)).json
        assert (shown["user"], shown["behind"]) == ("robot", "Executor")

        for one in ("e4", "e5", child):
            waits = await approving(site, one, "executor")
            assert "somebody else than executor, who started the execution as robot" in waits
            assert not await approving(site, one, "admin")

    access.visit(work)
