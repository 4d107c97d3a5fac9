"""Imports in the native API: what shadow keeps from being done, whoever asks for it, and what the cut-over ends."""

from typing import Any

import msgspec
import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness, ended

from gennaker.interfaces.executions import Found
from gennaker.migration.phases import Phase
from gennaker.model.execution import Execution
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow

MAIL = {"type": "test", "address": "ada", "when": ["pipeline.complete", "stage.complete"]}
HOOK = {"type": "webhook", "enabled": True, "source": "ci"}
DELIVER: dict[str, Any] = {
    "id": "deliver",
    "application": "shop",
    "name": "Deliver",
    "triggers": [HOOK],
    "notifications": [MAIL],
    "stages": [make.stage_json("1", type="make", name="Make", sendNotifications=True, notifications=[MAIL])],
}
AFTER: dict[str, Any] = {
    "id": "after",
    "application": "shop",
    "name": "After",
    "triggers": [{"type": "pipeline", "enabled": True, "pipeline": "deliver", "status": ["successful"]}],
    "stages": [make.stage_json("1", type="make", name="After")],
}
SHOP = {"name": "shop", "email": "ada@example.org"}


class Installed:
    """An installation, and the world that its stages change."""

    def __init__(self) -> None:
        self.target = Target()
        self.harness = Harness(flow.plugin, definitions.plugin, scripted.plugin(self.target))

    @property
    def has_acted(self) -> bool:
        return bool(self.target.made or self.target.calls or self.target.inbox.messages)


async def call(site: Website, method: str, path: str, json: Any = None, *, status: int = 200) -> Any:
    answer = await site.call(method, path, json=json)
    assert answer.status == status, (method, path, answer.status, answer.body)
    return answer.json if answer.body else None


async def ran_for_real(site: Website) -> Any:
    """A run from before such applications were held until their cut-over."""
    await imported(site, DELIVER, is_shadow=False)
    standing = await site.ports.phases.of("shop")
    assert standing is not None
    await site.ports.phases.put(msgspec.structs.replace(standing, phase=Phase.LIVE))
    await call(site, "POST", "/pipelines/shop/Deliver", {"type": "manual"}, status=202)
    (run,) = await all_ended(site)
    await site.ports.phases.put(standing)
    return run


async def imported(site: Website, *pipelines: dict[str, Any], is_shadow: bool) -> Any:
    bundle = {"applications": [SHOP], "pipelines": list(pipelines)}
    body = {"bundle": bundle, "source": "https://gate.example.org", "isShadow": is_shadow}
    return await call(site, "POST", "/api/v1/imports", body)


async def all_ended(site: Website) -> list[Execution]:
    found = await site.ports.services.executions.find(Found(application="shop"))
    return [await ended(site.ports.services, one.head.id) for one in found]


def test_in_shadow_an_event_is_planned_and_nothing_is_done() -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        assert (await imported(site, DELIVER, AFTER, is_shadow=True))["applications"] == {"shop": "shadow"}

        await call(site, "POST", "/webhooks/webhook/ci", {"version": "1"})

        await all_ended(site)
        runs = await all_ended(site)  # the second begins when the first has ended
        assert {(one.head.name, one.head.status.value) for one in runs} == {
            ("Deliver", "SUCCEEDED"),
            ("After", "SUCCEEDED"),
        }
        assert all(one.head.trigger["dryRun"] is one.head.trigger["shadow"] is True for one in runs)

    visit(work, harness=installed.harness)

    assert not installed.has_acted


@pytest.mark.parametrize("is_shadow", [True, False])
def test_until_the_cut_over_a_start_by_hand_is_planned_whatever_its_trigger_says(*, is_shadow: bool) -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=is_shadow)

        await call(site, "POST", "/pipelines/shop/Deliver", {"type": "manual", "dryRun": False}, status=202)
        await call(site, "POST", "/orchestrate", {**DELIVER, "trigger": {"dryRun": False, "shadow": False}})

        assert len(await all_ended(site)) == 2
        assert not installed.has_acted
        await call(site, "POST", "/api/v1/imports/shop/cut-over", {"leftThere": []})
        await call(site, "POST", "/pipelines/shop/Deliver", {"type": "manual"}, status=202)
        await all_ended(site)

    visit(work, harness=installed.harness)

    assert installed.has_acted


def test_in_shadow_jobs_change_definitions_only() -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=True)
        for one in ({"type": "make"}, {"type": "updateApplication", "alias": "make", "application": SHOP}):
            job = {"application": "Shop", "description": "Make", "job": [one]}

            refused = await call(site, "POST", "/tasks", job, status=409)

            assert refused["code"] == "application.in_shadow"
        update = {"type": "updateApplication", "application": {"name": "shop", "email": "bob@example.org"}}
        await call(site, "POST", "/tasks", {**job, "job": [update]})
        await all_ended(site)
        assert (await call(site, "GET", "/applications/shop"))["attributes"]["email"] == "bob@example.org"

    visit(work, harness=installed.harness)

    assert not installed.has_acted


def test_in_shadow_pipelines_of_other_applications_leave_its_server_groups_alone() -> None:
    installed = Installed()
    other = {
        "application": "tools",
        "name": "Clean",
        "stages": [
            make.stage_json("1", type="make", name="Own", cluster="tools-prod", account="prod"),
            make.stage_json("2", "1", type="make", name="Its", cluster="shop-prod", account="prod"),
        ],
    }

    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=True)

        ref = (await call(site, "POST", "/orchestrate", other))["ref"]

        run = await ended(site.ports.services, ref.rpartition("/")[2])
        own, its = run.in_order()
        assert (own.status.value, its.status.value) == ("SUCCEEDED", "TERMINAL")
        assert "cut over yet" in str(its.context["exception"])

    visit(work, harness=installed.harness)

    assert len(installed.target.made) == 1


def test_a_live_application_is_not_imported_again() -> None:
    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=False)
        await call(site, "POST", "/api/v1/imports/shop/cut-over", {})

        report = await imported(site, {**DELIVER, "stages": []}, is_shadow=True)

        assert [(one["code"], one["weight"]) for one in report["gaps"]] == [("import.live", "note")]
        assert report["counts"]["pipeline"] == {"stored": 0, "unchanged": 1, "refused": 0}
        stored = await call(site, "GET", "/applications/shop/pipelineConfigs/Deliver")
        assert len(stored["stages"]) == 1

    visit(work, harness=Installed().harness)


def test_a_masked_secret_leaves_its_trigger_off_for_good() -> None:
    git = {"type": "git", "enabled": True, "source": "github", "project": "a", "slug": "b", "secret": "****"}

    async def work(site: Website) -> None:
        report = await imported(site, {**DELIVER, "triggers": [git]}, is_shadow=False)
        await call(site, "POST", "/api/v1/imports/shop/cut-over", {})

        assert "trigger.secret_masked" in {one["code"] for one in report["gaps"]}
        stored = await call(site, "GET", "/applications/shop/pipelineConfigs/Deliver")
        assert stored["triggers"] == [
            {key: value for key, value in {**git, "enabled": False}.items() if key != "secret"}
        ]

    visit(work, harness=Installed().harness)


def test_a_pipeline_that_cannot_be_kept_is_named_and_the_others_are_stored() -> None:
    circle = [make.stage_json("1", "2", type="make"), make.stage_json("2", "1", type="make")]

    async def work(site: Website) -> None:
        report = await imported(site, DELIVER, {**AFTER, "stages": circle}, is_shadow=False)

        assert report["counts"]["pipeline"] == {"stored": 1, "unchanged": 0, "refused": 1}
        (refused,) = [one for one in report["gaps"] if one["weight"] == "refused"]
        assert (refused["code"], refused["name"]) == ("pipeline.cycle", "After")

    visit(work, harness=Installed().harness)


def test_a_live_applications_child_of_a_run_in_shadow_tells_nobody_either() -> None:
    installed = Installed()
    child = {**DELIVER, "id": "child", "application": "tools", "name": "Child", "triggers": []}
    after = {**AFTER, "application": "tools", "notifications": [MAIL]}
    stage = make.stage_json("1", type="pipeline", name="Call", application="tools", pipeline="child")

    async def work(site: Website) -> None:
        for one in (child, after):
            await call(site, "POST", "/pipelines", one)
        await imported(site, {**DELIVER, "stages": [stage]}, is_shadow=True)

        await call(site, "POST", "/webhooks/webhook/ci", {"version": "1"})

        await all_ended(site)
        theirs = await site.ports.services.executions.find(Found(application="tools"))
        assert {(await ended(site.ports.services, one.head.id)).head.name for one in theirs} == {"Child", "After"}

    visit(work, harness=installed.harness)

    assert not installed.has_acted


def test_nobody_else_can_say_that_a_run_is_in_shadow() -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        await call(site, "POST", "/pipelines", DELIVER)

        await call(site, "POST", "/pipelines/shop/Deliver", {"type": "manual", "shadow": True}, status=202)

        await all_ended(site)

    visit(work, harness=installed.harness)

    assert len(installed.target.inbox.messages) == 2


def test_what_has_run_here_is_not_put_in_shadow() -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        run = await ran_for_real(site)

        report = await imported(site, DELIVER, is_shadow=True)

        assert [one["code"] for one in report["gaps"] if one["weight"] == "refused"] == ["import.has_run"]
        assert run.head.status.value == "SUCCEEDED"

    visit(work, harness=installed.harness)


def test_in_shadow_nothing_that_ran_for_real_is_restarted() -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        run = await ran_for_real(site)
        (stage,) = run.in_order()

        refused = await call(site, "PUT", f"/pipelines/{run.head.id}/stages/{stage.id}/restart", {}, status=409)

        assert refused["code"] == "application.in_shadow"

    visit(work, harness=installed.harness)

    assert list(installed.target.made.values()) == [1]


def test_a_plan_in_shadow_may_be_restarted() -> None:
    installed = Installed()

    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=True)
        await call(site, "POST", "/pipelines/shop/Deliver", {"type": "manual"}, status=202)
        (run,) = await all_ended(site)
        (stage,) = run.in_order()

        await call(site, "PUT", f"/pipelines/{run.head.id}/stages/{stage.id}/restart", {})

        await all_ended(site)

    visit(work, harness=installed.harness)

    assert not installed.has_acted


def test_what_was_deleted_here_can_come_anew_without_shadow_and_with_it() -> None:
    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=True)
        await call(site, "POST", "/pipelines/shop/Deliver", {"type": "manual"}, status=202)
        assert (await imported(site, DELIVER, is_shadow=False))["applications"] == {"shop": "shadow"}
        job = {"type": "deleteApplication", "application": {"name": "shop"}}
        ref = (await call(site, "POST", "/tasks", {"application": "shop", "description": "x", "job": [job]}))["ref"]
        assert (await ended(site.ports.services, ref.rpartition("/")[2])).head.status.value == "SUCCEEDED"

        assert (await imported(site, DELIVER, is_shadow=False))["applications"] == {"shop": "imported"}
        assert (await imported(site, DELIVER, is_shadow=True))["applications"] == {"shop": "shadow"}

    visit(work, harness=Installed().harness)


def test_nothing_of_an_application_whose_name_cannot_be_kept_is_stored() -> None:
    async def work(site: Website) -> None:
        named = {"application": "my shop"}
        bundle = {
            "applications": [{**SHOP, "name": "my shop"}],
            "pipelines": [{**DELIVER, **named}, {**AFTER, **named}],
        }
        report = await call(site, "POST", "/api/v1/imports", {"bundle": bundle, "source": "files"})

        assert report["applications"] == {}
        assert {kind: one["refused"] for kind, one in report["counts"].items()} == {"application": 1, "pipeline": 2}
        (gap,) = report["gaps"]
        assert (gap["weight"], gap["application"], gap["pointer"]) == ("refused", "my shop", "/application")
        assert await site.ports.services.definitions.list("pipeline") == ()

    visit(work, harness=Installed().harness)


def test_a_pipeline_without_an_id_is_the_one_of_its_name() -> None:
    without = {key: value for key, value in DELIVER.items() if key != "id"}

    async def work(site: Website) -> None:
        await imported(site, without, is_shadow=False)
        (first,) = await site.ports.services.definitions.list("pipeline")

        await imported(site, {**without, "description": "Newer."}, is_shadow=False)

        (second,) = await site.ports.services.definitions.list("pipeline")
        assert (second.id, second.revision, second.body["description"]) == (first.id, 2, "Newer.")

    visit(work, harness=Installed().harness)


@pytest.mark.parametrize("wrong", ["a/b", " x", ".."])
def test_an_id_that_is_none_is_refused(wrong: str) -> None:
    async def work(site: Website) -> None:
        report = await imported(site, {**DELIVER, "id": wrong}, is_shadow=False)

        assert [one["pointer"] for one in report["gaps"] if one["weight"] == "refused"] == ["/id"]

    visit(work, harness=Installed().harness)


def test_what_was_not_imported_is_not_cut_over() -> None:
    async def work(site: Website) -> None:
        answer = await call(site, "POST", "/api/v1/imports/nowhere/cut-over", {"leftThere": []}, status=404)

        assert answer["problems"][0]["code"] == "cut_over.not_imported"

    visit(work, harness=Installed().harness)


def test_a_name_that_another_pipeline_has_is_not_taken_twice() -> None:
    async def work(site: Website) -> None:
        report = await imported(site, DELIVER, {**DELIVER, "id": "other"}, is_shadow=False)

        assert [(one["code"], one["name"]) for one in report["gaps"] if one["weight"] == "refused"] == [
            ("pipeline.name_taken", "Deliver")
        ]

    visit(work, harness=Installed().harness)


def test_an_import_is_recorded_with_what_it_brought() -> None:
    async def work(site: Website) -> None:
        await imported(site, DELIVER, is_shadow=True)

        (record,) = [one for one in await site.ports.services.audit.records() if one.entry.action == "import.taken"]
        assert (record.entry.actor, record.entry.subject) == ("operator", "import:https://gate.example.org")
        assert record.entry.details["applications"] == ["shop: shadow"]
        placed = [
            one for one in await site.ports.services.audit.records() if one.entry.action == "application.imported"
        ]
        assert [(one.entry.actor, one.entry.details["before"], one.entry.details["after"]) for one in placed] == [
            ("operator", None, "shadow")
        ]

    visit(work, harness=Installed().harness)


def test_a_pipeline_is_not_taken_away_from_another_application_by_its_id() -> None:
    own = {**DELIVER, "application": "tools", "triggers": []}

    async def work(site: Website) -> None:
        await call(site, "POST", "/pipelines", own)

        report = await imported(site, DELIVER, is_shadow=False)

        assert [one["code"] for one in report["gaps"] if one["weight"] == "refused"] == ["import.id_taken"]
        stored = await call(site, "GET", "/pipelineConfigs")
        assert [one["application"] for one in stored] == ["tools"]

    visit(work, harness=Installed().harness)


def test_what_was_mended_here_is_left_alone_and_the_rest_is_brought_up_to_date() -> None:
    mended = {**DELIVER, "stages": [make.stage_json("1", type="make", name="Mended")]}
    newer = {**AFTER, "description": "newer"}

    async def work(site: Website) -> None:
        await imported(site, DELIVER, AFTER, is_shadow=True)
        await call(site, "POST", "/pipelines", mended)

        report = await imported(site, {**DELIVER, "description": "newer"}, newer, is_shadow=True)

        assert [
            (one["weight"], one["code"], one["name"]) for one in report["gaps"] if one["code"].startswith("import")
        ] == [("differs", "import.changed_here", "Deliver")]
        stored = {one["name"]: one for one in await call(site, "GET", "/pipelineConfigs")}
        assert stored["Deliver"]["stages"][0]["name"] == "Mended"
        assert stored["After"]["description"] == "newer"
        await imported(site, mended, is_shadow=True)  # now Spinnaker has it, too
        last = await imported(site, {**mended, "description": "newest"}, is_shadow=True)
        assert last["counts"]["pipeline"] == {"stored": 1, "unchanged": 0, "refused": 0}

    visit(work, harness=Installed().harness)


def test_shared_definitions_that_were_made_here_are_left_alone() -> None:
    own = {"id": "p1", "name": "Checkout", "email": "own@example.org", "config": {"applications": []}}
    bundle = {"projects": [{**own, "email": "ada@example.org"}, {**own, "id": "p2", "name": "Other"}]}

    async def work(site: Website) -> None:
        job = {"type": "upsertProject", "project": own}
        ref = (await call(site, "POST", "/tasks", {"application": "spinnaker", "description": "x", "job": [job]}))[
            "ref"
        ]
        await ended(site.ports.services, ref.rpartition("/")[2])

        report = await call(site, "POST", "/api/v1/imports", {"bundle": bundle, "source": "x"})

        assert [(one["code"], one["name"]) for one in report["gaps"]] == [("import.own", "Checkout")]
        assert report["counts"]["project"] == {"stored": 1, "unchanged": 1, "refused": 0}
        assert (await call(site, "GET", "/projects/p1"))["email"] == "own@example.org"

    visit(work, harness=Installed().harness)


def test_what_still_runs_of_a_deleted_application_is_not_let_on_under_the_import() -> None:
    installed = Installed()
    stages = [
        make.stage_json("1", type="manualJudgment", name="Go?"),
        make.stage_json("2", "1", type="make", name="Make"),
    ]

    async def work(site: Website) -> None:
        await call(site, "POST", "/orchestrate", {**DELIVER, "stages": stages, "executionId": "old"})

        report = await imported(site, DELIVER, is_shadow=False)

        assert [(one["code"], one["weight"]) for one in report["gaps"]] == [("import.running", "refused")]
        assert report["applications"] == {}
        await call(site, "PUT", "/pipelines/old/cancel")
        await all_ended(site)
        assert (await imported(site, DELIVER, is_shadow=False))["applications"] == {"shop": "imported"}

    visit(work, harness=installed.harness)

    assert not installed.target.made
