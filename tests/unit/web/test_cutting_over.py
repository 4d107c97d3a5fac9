"""Cutting over: once, recorded with what was left there, and only when nothing is planned any more."""

import asyncio

import msgspec
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness
from tests.unit.web.native.test_imports import DELIVER, HOOK, Installed, all_ended, call, imported

from gennaker.interfaces.stages import TaskContext
from gennaker.model.event import Done, TaskResult
from gennaker.plugins.flow import plugin as flow


def test_the_cut_over_ends_the_shadow_and_is_recorded() -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=True)
        left = ["The pipeline Deliver isn't disabled: people can start it."]

        answer = await call(site, "POST", "/api/v1/imports/Shop/cut-over", {"leftThere": left})

        assert (answer["phase"], answer["by"], answer["pipelinesArmed"]) == ("live", "operator", 0)
        await call(site, "POST", "/webhooks/webhook/ci", {"version": "1"})
        await all_ended(site)
        (record,) = [
            one for one in await site.ports.services.audit.records() if one.entry.action == "application.cut_over"
        ]
        assert record.entry.actor == "operator"
        assert record.entry.details == {
            "before": "shadow",
            "after": "live",
            "source": "https://gate.example.org",
            "leftThere": left,
        }
        refused = await call(site, "POST", "/api/v1/imports/shop/cut-over", {}, status=409)
        assert refused["code"] == "cut_over.done"

    visit(work, harness=installed.harness)

    assert len(installed.target.made) == 1
    assert installed.target.inbox.messages


def test_of_cut_overs_at_once_one_is_done_and_the_others_are_recorded_as_refused() -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=True)

        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(site.post("/api/v1/imports/shop/cut-over", {})) for _ in range(4)]

        assert sorted(one.result().status for one in asked) == [200, 409, 409, 409]
        await site.refusals.settle()
        records = [one.entry for one in await site.ports.services.audit.records()]
        assert [one.action for one in records].count("application.cut_over") == 1
        told = [one for one in records if one.action == "request.refused"]
        assert sum(int(str(one.details.get("more", 1))) for one in told) == 3
        assert {one.details["code"] for one in told} <= {"import.changed", "cut_over.done"}

    visit(work, harness=installed.harness)


def test_the_cut_over_turns_on_the_triggers_that_were_on_before() -> None:
    installed = Installed()
    off = {**HOOK, "source": "old", "enabled": False}

    async def work(site: Website) -> None:
        await imported(site, {**DELIVER, "triggers": [HOOK, off]}, is_shadow=False)
        await call(site, "POST", "/webhooks/webhook/ci", {"version": "1"})
        assert await all_ended(site) == []

        assert (await call(site, "POST", "/api/v1/imports/shop/cut-over", {}))["pipelinesArmed"] == 1

        stored = await call(site, "GET", "/applications/shop/pipelineConfigs/Deliver")
        assert stored["triggers"] == [HOOK, off]
        await call(site, "POST", "/webhooks/webhook/ci", {"version": "1"})
        assert len(await all_ended(site)) == 1

    visit(work, harness=installed.harness)

    assert len(installed.target.made) == 1


def test_what_was_not_imported_cannot_be_cut_over() -> None:
    async def work(site: Website) -> None:
        refused = await call(site, "POST", "/api/v1/imports/shop/cut-over", {}, status=404)
        assert refused["code"] == "cut_over.not_imported"

    visit(work, harness=Installed().harness)


def test_the_cut_over_waits_for_plans_that_are_under_way() -> None:
    async def hang(_: TaskContext) -> TaskResult:
        await asyncio.sleep(600)
        return Done()

    looking = msgspec.structs.replace(scripted.stage("look", hang), runs_in_dry_run=True)
    harness = Harness(flow.plugin, scripted.plugin(Target(), looking))

    async def work(site: Website) -> None:
        await imported(site, {**DELIVER, "stages": [make.stage_json("1", type="look")]}, is_shadow=True)
        await call(site, "POST", "/pipelines/shop/Deliver", {"type": "manual"}, status=202)

        refused = await call(site, "POST", "/api/v1/imports/shop/cut-over", {}, status=409)

        assert refused["code"] == "cut_over.planning"
        await all_ended(site)
        await call(site, "POST", "/api/v1/imports/shop/cut-over", {})

    visit(work, harness=harness)
