"""Revisions in the native API: what each changed, and going back."""

import asyncio
from typing import Any

import pytest
from tests import make
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.plugins.flow import plugin as flow

BASE = "/api/v1/definitions"
WAIT: dict[str, Any] = {
    "application": "shop",
    "name": "deliver",
    "id": "p1",
    "stages": [make.stage_json("a", type="wait", waitTime=1)],
    "triggers": [{"enabled": True, "type": "git", "source": "github", "project": "a", "slug": "b", "secret": "hidden"}],
}


async def call(site: Website, method: str, path: str, json: Any = None, *, status: int = 200) -> Any:
    answer = await site.call(method, path, json=json)
    assert answer.status == status, (method, path, answer.status, answer.body)
    assert b"hidden" not in answer.body
    return answer.json if answer.body else None


async def saved_twice(site: Website) -> None:
    await call(site, "POST", "/pipelines", WAIT)
    await asyncio.sleep(60)
    await call(site, "POST", "/pipelines", {**WAIT, "name": "release"})


def test_revisions_say_who_changed_what_and_when() -> None:
    async def work(site: Website) -> None:
        await saved_twice(site)

        newest, first = (await call(site, "GET", f"{BASE}/pipelines/p1/revisions"))["revisions"]

        assert (newest["revision"], newest["author"], newest["isDeleted"]) == (2, "operator", False)
        assert newest["at"] > first["at"]
        assert newest["changes"] == [{"pointer": "/name", "before": "deliver", "after": "release"}]
        assert first["changes"] == []
        [only] = (await call(site, "GET", f"{BASE}/pipelines/p1/revisions?limit=1"))["revisions"]
        assert only == newest

    visit(work, harness=Harness(flow.plugin))


def test_a_revision_is_shown_and_compared_with_any_other() -> None:
    async def work(site: Website) -> None:
        await saved_twice(site)
        await call(site, "POST", "/pipelines", {**WAIT, "name": "deliver"})

        third = await call(site, "GET", f"{BASE}/pipelines/p1/revisions/3?against=1")
        assert (third["definition"]["name"], third["changes"]) == ("deliver", [])
        assert third["definition"]["triggers"][0]["secret"] == "****"
        assert (await call(site, "GET", f"{BASE}/pipelines/p1/revisions/3"))["changes"][0]["before"] == "release"

    visit(work, harness=Harness(flow.plugin))


def test_what_was_deleted_is_restored_with_its_secrets() -> None:
    async def work(site: Website) -> None:
        await saved_twice(site)
        await call(site, "DELETE", "/pipelines/shop/release")

        restored = await call(site, "POST", f"{BASE}/pipelines/p1/restore", {"revision": 1})

        assert (restored["revision"], restored["isDeleted"]) == (4, False)
        stored = await site.ports.services.definitions.get("pipeline", "p1")
        assert stored is not None
        assert (stored.body["name"], stored.body["triggers"]) == ("deliver", WAIT["triggers"])
        revisions = (await call(site, "GET", f"{BASE}/pipelines/p1/revisions"))["revisions"]
        assert [(one["revision"], one["isDeleted"]) for one in revisions] == [
            (4, False),
            (3, True),
            (2, False),
            (1, False),
        ]

    visit(work, harness=Harness(flow.plugin))


def test_a_pipeline_whose_name_was_taken_meanwhile_stays_deleted() -> None:
    async def work(site: Website) -> None:
        await saved_twice(site)
        await call(site, "DELETE", "/pipelines/shop/release")
        await call(site, "POST", "/pipelines", {**WAIT, "id": "p2", "name": "Deliver"})

        await call(site, "POST", f"{BASE}/pipelines/p1/restore", {"revision": 1}, status=400)

        assert await site.ports.services.definitions.get("pipeline", "p1") is None

    visit(work, harness=Harness(flow.plugin))


def test_a_change_of_a_secret_alone_is_named_without_it() -> None:
    async def work(site: Website) -> None:
        await call(site, "POST", "/pipelines", WAIT)
        trigger = {**WAIT["triggers"][0], "secret": "hidden too"}
        await call(site, "POST", "/pipelines", {**WAIT, "triggers": [trigger]})
        newest = (await call(site, "GET", f"{BASE}/pipelines/p1/revisions"))["revisions"][0]
        assert newest["changes"] == [{"pointer": "/triggers", "before": "****", "after": "****"}]

    visit(work, harness=Harness(flow.plugin))


def test_every_kind_is_restored() -> None:
    async def work(site: Website) -> None:
        definitions = site.ports.services.definitions
        kinds = {
            "applications": "application",
            "projects": "project",
            "templates": "template",
            "canary-configs": "canary-config",
        }
        for path, kind in kinds.items():
            await definitions.save(kind, "x", {"name": "one"}, author="ada")
            await definitions.save(kind, "x", {"name": "two"}, author="eve")
            await call(site, "POST", f"{BASE}/{path}/x/restore", {"revision": 1})
            found = await definitions.get(kind, "x")
            assert found is not None
            assert (found.body, found.author, found.revision) == ({"name": "one"}, "operator", 3)

    visit(work, harness=Harness(flow.plugin))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("nonsense/x/revisions", "definition.kind"),
        ("pipelines/x/revisions", "definition.unknown"),
        ("pipelines/p1/revisions/9", "definition.no_revision"),
        ("pipelines/p1/revisions/1?against=9", "definition.no_revision"),
    ],
)
def test_what_is_not_there_is_said(path: str, code: str) -> None:
    async def work(site: Website) -> None:
        await call(site, "POST", "/pipelines", WAIT)
        assert (await call(site, "GET", f"{BASE}/{path}", status=404))["code"] == code

    visit(work, harness=Harness(flow.plugin))
