"""Judging: what an approver saw is kept and sealed, and nobody approves what isn't so any more."""

from typing import Any

import msgspec
from tests import make
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness, ended, reached

from gennaker.interfaces.evidence import EvidenceItem
from gennaker.model.release import Release
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
