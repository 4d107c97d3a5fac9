"""Executions in the native API: running a file, following it, steering it, judging it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.fakes.website import Website
from tests.harness import Harness, ended

from gennaker.engine import recording, replaying
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType
from gennaker.model.event import PlannedStage
from gennaker.plugins.flow import plugin as flow

WAIT = {"name": "w", "application": "shop", "stages": [make.stage_json("a", type="wait", waitTime=600)]}
JUDGE = {
    "name": "j",
    "application": "shop",
    "stages": [
        make.stage_json("a", type="manualJudgment", instructions="Look."),
        make.stage_json("b", "a", type="make"),
    ],
}
MAKE = {"name": "m", "stages": [make.stage_json("a", type="make")]}


def visit(work: Callable[[Website], Awaitable[None]], *more: StageType) -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target(), *more))

    async def main() -> None:
        async with harness.process() as core:
            await work(Website(harness, core))

    harness.time.run(main())


async def started(site: Website, pipeline: Any) -> str:
    answer = await site.post("/api/v1/run", pipeline)
    assert answer.status == 202, answer.body
    await asyncio.sleep(1)
    return str(answer.json["executionId"])


async def state(site: Website, execution_id: str) -> Any:
    return (await site.get(f"/api/v1/executions/{execution_id}")).json


def test_a_file_is_saved_under_its_name_and_run() -> None:
    async def work(site: Website) -> None:
        first, second = await started(site, MAKE), await started(site, MAKE)

        found = await state(site, first)
        assert (found["status"], found["application"], found["user"]) == ("SUCCEEDED", "adhoc", "operator")
        assert found["stages"][0]["tasks"][0]["status"] == "SUCCEEDED"
        assert found["stages"][0]["outputs"] == {"made": "a"}
        assert found["startTime"].endswith("Z")
        pipelines = (await site.get("/api/v1/pipelines")).json["pipelines"]
        assert [(one["name"], one["revision"]) for one in pipelines] == [("m", 2)]
        assert (await state(site, second))["pipelineConfigId"] == pipelines[0]["id"]

    visit(work)


async def _with_a_failing_stage_before(_: StageSpec, __: StageContext) -> Plan:
    return Plan(before=(PlannedStage(type="fail", name="Below", context={}),))


def test_what_went_wrong_below_a_stage_is_a_problem_of_the_execution() -> None:
    whole = StageType(
        name="whole",
        label="whole",
        about="whole",
        spec=StageSpec,
        plan=_with_a_failing_stage_before,
    )

    async def work(site: Website) -> None:
        pipeline = {"name": "w", "stages": [make.stage_json("1", type="whole"), make.stage_json("2", type="fail")]}
        run = (await site.post("/api/v1/run", pipeline)).json["executionId"]
        await ended(site.ports.services, run)

        found = await state(site, run)

        assert (found["status"], found["failedStage"]) == ("TERMINAL", "1")
        assert [(one["code"], one["message"]) for one in found["problems"]] == [
            ("test.failed", "It was meant to fail.")
        ]

    visit(work, whole)


def test_a_pipeline_without_stages_says_that_it_has_none() -> None:
    async def work(site: Website) -> None:
        found = await state(site, await started(site, {"name": "none", "stages": []}))

        assert (found["status"], [one["message"] for one in found["problems"]]) == (
            "TERMINAL",
            ["The pipeline has no stages."],
        )

    visit(work)


def test_an_unknown_stage_type_is_saved_with_a_warning_and_fails_when_it_is_run() -> None:
    async def work(site: Website) -> None:
        odd = {"name": "odd", "stages": [{"refId": "1", "type": "teleport", "name": "t"}]}
        answer = await site.post("/api/v1/run", odd)
        assert [warning["code"] for warning in answer.json["warnings"]] == ["stage.unknown_type"]
        found = await ended(site.ports.services, answer.json["executionId"])
        assert found.head.status == "TERMINAL"
        shown = await state(site, found.head.id)
        assert "teleport" in str(shown["problems"])

    visit(work)


def test_executions_are_listed_newest_first_page_by_page() -> None:
    async def work(site: Website) -> None:
        ids = [await started(site, MAKE) for _ in range(5)]
        waiting = await started(site, WAIT)

        first = (await site.get("/api/v1/executions?application=adhoc&limit=3")).json
        second = (await site.get(f"/api/v1/executions?application=adhoc&limit=3&before={first['next']}")).json

        assert [one["id"] for one in first["executions"] + second["executions"]] == ids[::-1]
        assert second["next"] is None
        running = (await site.get("/api/v1/executions?status=RUNNING&status=PAUSED")).json["executions"]
        assert [one["id"] for one in running] == [waiting]
        assert running[0]["waitingFor"].startswith("a: ")
        assert running[0]["currentStage"] == "a"
        assert "stages" not in running[0]

    visit(work)


def test_a_cursor_that_is_no_execution_is_refused_and_one_that_was_goes_on() -> None:
    async def work(site: Website) -> None:
        only = await started(site, MAKE)

        refused = await site.get("/api/v1/executions?before=nonsense")
        behind = await site.get("/api/v1/executions?before=7ZZZZZZZZZZZZZZZZZZZZZZZZZ")

        assert (refused.status, refused.json["code"]) == (400, "execution.no_cursor")
        assert "'nonsense'" in refused.json["detail"]
        assert [one["id"] for one in behind.json["executions"]] == [only]

    visit(work)


@pytest.mark.parametrize(("command", "status"), [("cancel", "CANCELED"), ("pause", "PAUSED")])
def test_commands_answer_with_the_new_state(command: str, status: str) -> None:
    async def work(site: Website) -> None:
        execution_id = await started(site, WAIT)
        answer = await site.post(f"/api/v1/executions/{execution_id}/{command}", {"reason": "enough"})
        assert (answer.status, answer.json["status"]) == (200, status)

    visit(work)


def test_a_paused_execution_is_resumed_and_a_stage_restarted_or_its_failure_ignored() -> None:
    async def work(site: Website) -> None:
        execution_id = await started(site, WAIT)
        path = f"/api/v1/executions/{execution_id}"
        await site.post(f"{path}/pause")
        assert (await site.post(f"{path}/resume")).json["status"] == "RUNNING"
        await ended(site.ports.services, execution_id)
        stage_id = (await state(site, execution_id))["stages"][0]["id"]
        again = await site.post(f"{path}/stages/{stage_id}/restart")
        assert again.json["status"] in ("RUNNING", "NOT_STARTED")
        refused = await site.post(f"{path}/stages/{stage_id}/ignore-failure", {"reason": "x"})
        assert refused.status == 409

    visit(work)


def test_stages_are_named_by_id_or_ref_id() -> None:
    async def work(site: Website) -> None:
        execution_id = await started(site, WAIT)
        path = f"/api/v1/executions/{execution_id}/stages"
        assert (await site.post(f"{path}/a/skip")).status == 200
        assert (await ended(site.ports.services, execution_id)).head.status == "SUCCEEDED"
        assert (await site.post(f"{path}/a/restart")).status == 200
        for command in ("skip", "restart", "ignore-failure"):
            answer = await site.post(f"{path}/nothing/{command}")
            assert (answer.status, answer.json["code"]) == (404, "stage.unknown")

    visit(work)


@pytest.mark.parametrize(("judgment", "status"), [("continue", "SUCCEEDED"), ("stop", "TERMINAL")])
def test_a_judgment_is_given_and_who_when_and_why_is_shown(judgment: str, status: str) -> None:
    async def work(site: Website) -> None:
        execution_id = await started(site, JUDGE)
        path = f"/api/v1/executions/{execution_id}/stages/a"
        facts = (await site.get(f"{path}/approval")).json
        assert (facts["instructions"], facts["status"], facts["judgment"]) == ("Look.", "RUNNING", None)

        answer = await site.post(f"{path}/judgment", {"judgment": judgment, "comment": "because"})

        assert answer.status == 200
        assert (await ended(site.ports.services, execution_id)).head.status == status
        judged = (await site.get(f"{path}/approval")).json["judgment"]
        assert (judged["judgment"], judged["by"], judged["comment"]) == (judgment, "operator", "because")
        again = await site.post(f"{path}/judgment", {"judgment": judgment})
        assert (again.status, again.json["code"]) == (409, "judgment.not_waiting")

    visit(work)


def test_a_judgment_that_is_none_is_refused() -> None:
    async def work(site: Website) -> None:
        execution_id = await started(site, JUDGE)
        answer = await site.post(f"/api/v1/executions/{execution_id}/stages/a/judgment", {"judgment": "perhaps"})
        assert (answer.status, answer.json["problems"][0]["pointer"]) == (422, "/judgment")

    visit(work)


def test_a_choice_that_is_not_offered_is_refused_and_the_judgment_goes_on_waiting() -> None:
    async def work(site: Website) -> None:
        offered = make.stage_json("a", type="manualJudgment", judgmentInputs=[{"value": "blue"}, {"value": 5}])
        execution_id = await started(site, {**JUDGE, "stages": [offered]})
        path = f"/api/v1/executions/{execution_id}/stages/a"
        assert (await site.get(f"{path}/approval")).json["judgmentInputs"] == [{"value": "blue"}, {"value": "5"}]

        answer = await site.post(f"{path}/judgment", {"judgment": "continue", "judgmentInput": "red"})

        assert (answer.status, answer.json["code"]) == (422, "judgment.unknown_choice")
        assert answer.json["problems"][0]["remedy"] == "It offers 'blue', '5'."
        assert (await site.post(f"{path}/judgment", {"judgment": "continue", "judgmentInput": "5"})).status == 200

    visit(work)


def test_why_names_the_cause_and_who_can_move_it_on() -> None:
    async def work(site: Website) -> None:
        found = await started(site, JUDGE)

        answer = (await site.get(f"/api/v1/executions/{found}/why")).json

        first = answer["answers"][0]
        assert (answer["executionId"], answer["status"]) == (found, "RUNNING")
        assert (first["code"], first["stage"], first["timesOutAt"] is None) == ("judgment", "a", False)
        assert first["ways"][0]["command"] == f"gennaker approve {found} --stage a"
        behind = (await site.get(f"/api/v1/executions/{found}/why?stage=b")).json["answers"][0]
        assert [link["code"] for link in behind["chain"]] == ["requisite"]

    visit(work)


def test_a_wait_is_shown_in_words_and_as_data() -> None:
    async def work(site: Website) -> None:
        found = await state(site, await started(site, WAIT))

        assert found["waitingFor"] == f"a: {found['waiting']['reason']}"
        assert found["waiting"] == found["stages"][0]["waiting"] == found["stages"][0]["tasks"][0]["waiting"]
        assert found["waiting"]["type"] == "time"

    visit(work)


def test_why_of_an_unknown_execution_is_not_found() -> None:
    async def work(site: Website) -> None:
        assert (await site.get("/api/v1/executions/nothing/why")).status == 404

    visit(work)


def test_the_journal_stands_for_itself() -> None:
    async def work(site: Website) -> None:
        found = await started(site, MAKE)

        answer = (await site.get(f"/api/v1/executions/{found}/journal")).json

        recorded = recording.read(json.dumps(answer))
        assert replaying.check(recorded, engine="memory").is_same
        assert recorded.execution.head.id == found

    visit(work)
