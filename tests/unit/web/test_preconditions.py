"""Entity tags: who changes what somebody else has changed meanwhile is told so, and nothing is overwritten."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Answer, Website
from tests.harness import Harness
from tests.unit.access.test_signing_in import PASSWORD

from gennaker.access.stored_secrets import SecretRules
from gennaker.migration.phases import Phases, Standing
from gennaker.model.audit import AuditEntry
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.flow import plugin as flow
from gennaker.web.preconditions import Conditions

EVE = Principal(name="eve", is_operator=True)
WAIT: dict[str, Any] = {
    "application": "shop",
    "name": "deliver",
    "id": "p1",
    "stages": [{"refId": "1", "type": "wait", "name": "Wait", "waitTime": 1}],
}
PIPELINE = "/api/v1/definitions/pipelines/p1"
METRIC = {"name": "m", "query": {"type": "prometheus", "metricName": "m"}, "groups": ["g"], "scopeName": "default"}
KEPT = {
    "/api/v1/people/eve": ("PATCH", {"roles": ["ops"]}, {"roles": ["dev"]}),
    "/api/v1/service-accounts/robot": ("PUT", {"roles": ["ops"]}, {"roles": ["dev"]}),
    "/api/v1/secrets/hub": ("PUT", {"value": "one of them"}, {"value": "another one"}),
}
"""What is kept without revisions: how it is changed, and two states."""


async def call(site: Website, method: str, path: str, json: Any = None, **headers: str) -> Answer:
    return await site.call(method, path, json=json, headers={key.replace("_", "-"): to for key, to in headers.items()})


async def furnish(site: Website) -> None:
    await call(site, "POST", "/api/v1/pipelines", WAIT)
    await call(site, "POST", "/api/v1/people", {"name": "eve", "password": PASSWORD})
    for path, (method, first, _) in KEPT.items():
        assert (await call(site, method, path, first)).status == 200


def test_a_pipeline_is_saved_by_who_has_seen_its_newest_revision_only(tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        seen = await call(site, "GET", PIPELINE)
        assert (seen.headers["etag"], seen.json["definition"]["name"]) == ('"1"', "deliver")
        saved = await call(site, "POST", "/api/v1/pipelines", {**WAIT, "name": "release"}, if_match='"1"')
        assert (saved.status, saved.headers["etag"]) == (200, '"2"')

        late = await call(site, "POST", "/api/v1/pipelines", {**WAIT, "limitConcurrent": True}, if_match='"1"')

        assert (late.status, late.headers["content-type"]) == (412, "application/problem+json")
        [problem] = late.json["problems"]
        assert (problem["code"], "saved by operator" in problem["message"]) == ("precondition.failed", True)
        assert problem["details"]["changes"] == [{"pointer": "/name", "before": "deliver", "after": "release"}]
        assert [one["revision"] for one in problem["details"]["revisions"]] == [2]
        assert (await call(site, "GET", PIPELINE)).json["revision"] == 2

    visit(work, harness=Harness(flow.plugin, data=tmp_path))


def test_reading_with_a_known_tag_answers_that_nothing_has_changed(tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        for path in (PIPELINE, *KEPT):
            tag = (await call(site, "GET", path)).headers["etag"]
            again = await call(site, "GET", path, if_none_match=f'"x", {tag}')
            assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
            assert (await call(site, "GET", path, if_none_match='"x"')).status == 200

    visit(work, harness=Harness(flow.plugin, data=tmp_path))


def test_a_revision_is_restored_over_the_newest_that_was_seen_only(tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        await call(site, "POST", "/api/v1/pipelines", {**WAIT, "name": "release"})
        path = f"{PIPELINE}/restore"
        assert (await call(site, "POST", path, {"revision": 1}, if_match='"1"')).status == 412
        restored = await call(site, "POST", path, {"revision": 1}, if_match='"2"')
        assert (restored.status, restored.headers["etag"]) == (200, '"3"')

    visit(work, harness=Harness(flow.plugin, data=tmp_path))


@pytest.mark.parametrize("path", KEPT)
def test_what_has_no_revisions_has_tags_and_a_refusal_says_what_there_is_now(path: str, tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        method, first, second = KEPT[path]
        seen = await call(site, "GET", path)
        tag = seen.headers["etag"]
        assert seen.json["etag"] == tag
        changed = await call(site, method, path, second, if_match=tag)
        assert (changed.status, changed.headers["etag"] == tag) == (200, False)

        late = await call(site, method, path, first, if_match=tag)

        assert late.status == 412
        now = await call(site, "GET", path)
        assert late.json["problems"][0]["details"]["present"] == now.json
        assert now.headers["etag"] == changed.headers["etag"]

    visit(work, harness=Harness(flow.plugin, data=tmp_path))


def test_what_must_be_there_or_must_not_be(tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        config = {"name": "latency", "metrics": [METRIC], "classifier": {"groupWeights": {"g": 100}}}
        for method, path, body in (
            ("PUT", "/api/v1/secrets/hub", {"value": "yet another"}),
            ("PUT", "/api/v1/service-accounts/robot", {"roles": []}),
            ("POST", "/api/v1/pipelines", WAIT),
        ):
            assert (await call(site, method, path, body, if_none_match="*")).status == 412, path
            assert (await call(site, method, path, body, if_match="*")).status == 200, path
        for method, path, body in (
            ("PUT", "/api/v1/secrets/new", {"value": "yet another"}),
            ("PUT", "/api/v1/service-accounts/new", {"roles": []}),
            ("POST", "/api/v1/canary-configs", config),
            ("POST", "/api/v1/pipelines", {**WAIT, "id": "p2", "name": "another"}),
        ):
            assert (await call(site, method, path, body, if_match="*")).status == 412, path
            assert (await call(site, method, path, body, if_none_match="*")).status == 200, path
        deleting = "/api/v1/secrets/new"
        assert (await call(site, "DELETE", deleting, if_match='"x"')).status == 412
        assert (await call(site, "DELETE", deleting, if_match="*")).status == 204

    visit(work, harness=Harness(flow.plugin, data=tmp_path))


def test_what_was_deleted_is_said_and_has_no_tag(tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        await call(site, "DELETE", "/pipelines/shop/deliver")
        gone = await call(site, "GET", PIPELINE)
        assert (gone.status, gone.json["code"]) == (404, "definition.deleted")
        late = await call(site, "POST", "/api/v1/pipelines", WAIT, if_match='"1"')
        assert (late.status, "operator has deleted it" in late.json["detail"]) == (412, True)

    visit(work, harness=Harness(flow.plugin, data=tmp_path))


def test_a_change_between_the_look_and_the_write_is_not_overwritten(tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        person = await site.sign_in.identities.person("eve")
        assert person is not None
        await call(site, "PATCH", "/api/v1/people/eve", {"roles": ["first"]})
        with pytest.raises(Refused) as late:
            await site.sign_in.change_person(person, before=person, by=EVE)
        assert (late.value.status, late.value.problems[0].code) == (409, "identity.changed")
        raced = []

        async def race() -> None:
            try:
                await site.ports.stored_secrets.set("hub", "of the race", SecretRules(), by=EVE)
            except Refused as refused:
                raced.append(refused.problems[0].code)

        await asyncio.gather(race(), race())
        assert raced == ["secret.changed"]

    visit(work, harness=Harness(flow.plugin, data=tmp_path))


def test_the_stores_refusal_is_a_failed_condition_for_who_has_set_one() -> None:
    refusal = Refused(Problem(code="definition.changed", message="Changed."), status=409)
    with pytest.raises(Refused) as conditional, Conditions(if_match='"1"').writing():
        raise refusal
    with pytest.raises(Refused) as unconditional, Conditions().writing():
        raise refusal
    assert (conditional.value.status, unconditional.value.status) == (412, 409)


def test_an_application_is_cut_over_from_where_it_was_seen_to_stand() -> None:
    async def work(site: Website) -> None:
        bundle = {"applications": [{"name": "shop"}], "pipelines": []}
        tags = []
        for is_shadow in (False, True):
            taken = {"bundle": bundle, "source": "files", "isShadow": is_shadow}
            assert (await call(site, "POST", "/api/v1/imports", taken)).status == 200
            tags.append((await call(site, "GET", "/api/v1/imports")).json["applications"][0]["etag"])
        cut_over = "/api/v1/imports/shop/cut-over"

        stale = await call(site, "POST", cut_over, {}, if_match=tags[0])
        unknown = await call(site, "POST", "/api/v1/imports/none/cut-over", {}, if_match="*")
        done = await call(site, "POST", cut_over, {}, if_match=tags[1])

        [problem] = stale.json["problems"]
        assert (stale.status, unknown.status, problem["details"]["present"]["phase"]) == (412, 412, "shadow")
        assert (done.status, done.json["phase"]) == (200, "live")

    visit(work, harness=Harness(flow.plugin))


def test_of_two_cut_overs_at_once_the_audit_log_says_which_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both, change = asyncio.Barrier(2), Phases.change

    async def at_once(phases: Phases, after: Standing, *, before: Standing, audit: Sequence[AuditEntry]) -> None:
        await both.wait()
        await change(phases, after, before=before, audit=audit)

    monkeypatch.setattr(Phases, "change", at_once)

    async def work(site: Website) -> None:
        taken = {"bundle": {"applications": [{"name": "shop"}], "pipelines": []}, "source": "files", "isShadow": True}
        assert (await call(site, "POST", "/api/v1/imports", taken)).status == 200
        cut_over = "/api/v1/imports/shop/cut-over"

        answers = await asyncio.gather(*(call(site, "POST", cut_over, {}) for _ in range(2)))

        assert sorted(one.status for one in answers) == [200, 409]
        await site.refusals.settle()
        listed = [one.entry for one in await site.ports.services.audit.records()]
        assert [one.action for one in listed].count("application.cut_over") == 1
        [refused] = [one.details for one in listed if one.action == "request.refused"]
        assert refused["code"] == "import.changed"

    visit(work, harness=Harness(flow.plugin))
