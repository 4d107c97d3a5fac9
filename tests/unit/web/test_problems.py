"""Problems: whatever goes wrong is answered as RFC 9457 says, all at once, without a trace."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.journal import MemoryJournal
from tests.fakes.scripted import Target
from tests.fakes.website import Answer, Website
from tests.harness import Harness
from tests.unit.web import test_access as access

from gennaker.interfaces.journal import Commit
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import ServerSettings, Settings

RUN = {"name": "p", "stages": [make.stage_json("a", type="make")]}


def visit(work: Callable[[Website], Awaitable[None]], *, journal: MemoryJournal | None = None) -> None:
    settings = Settings(server=ServerSettings(webhook_body_limit_bytes=100_000))
    harness = Harness(flow.plugin, scripted.plugin(Target()), settings=settings)
    harness.journal = journal or harness.journal

    async def main() -> None:
        async with harness.process() as core:
            await work(Website(harness, core))

    harness.time.run(main())


def assert_problem(answer: Answer, status: int, code: str, *, is_gates: bool = False) -> None:
    body = answer.json
    assert (answer.status, body["status"], body["code"]) == (status, status, code)
    assert body["problems"][0]["code"] == code
    assert "Traceback" not in answer.body.decode()
    if is_gates:
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-spinnaker-request-id"]
        assert body["error"] == HTTPStatus(status).phrase
        assert body["message"].startswith(body["problems"][0]["message"])
        assert isinstance(body["timestamp"], int)
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert body["type"] == f"urn:gennaker:problem:{code}"
        assert body["title"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "http.404"),
        ("GET", "/api/v1/nothing", 404, "http.404"),
        ("GET", "/api/v1/executions/nobody", 404, "execution.unknown"),
        ("DELETE", "/api/v1/executions/x", 405, "http.405"),
        ("GET", "/api/v1/executions?limit=0", 400, "request.invalid"),
        ("GET", "/api/v1/executions?limit=many", 400, "request.invalid"),
        ("GET", "/api/v1/executions?status=ODD", 400, "request.invalid"),
        ("GET", "/applications/shop/pipelines?statuses=ODD", 400, "status.unknown"),
        ("GET", "/api/v1/evidence/x", 404, "evidence.unknown"),
        ("POST", "/api/v1/executions/x/cancel", 404, "execution.unknown"),
        ("POST", "/api/v1/applications/shop/pipelines/p/start", 404, "pipeline.unknown"),
    ],
)
def test_what_can_not_be_answered_is_said_as_a_problem(method: str, path: str, status: int, code: str) -> None:
    async def work(site: Website) -> None:
        answer = await site.call(method, path, json={} if method == "POST" else None)
        assert_problem(answer, status, code, is_gates=not path.startswith("/api/"))

    visit(work)


def test_a_body_that_is_too_large_is_told_the_limit() -> None:
    async def work(site: Website) -> None:
        answer = await site.call("POST", "/pipelines", json={"name": "x" * 200_000})
        assert_problem(answer, 413, "http.413", is_gates=True)
        assert "more than 100,000 bytes" in answer.json["message"]

    visit(work)


def test_wrong_parameters_are_named_each_in_plain_words() -> None:
    async def work(site: Website) -> None:
        answer = await site.call("GET", "/api/v1/executions?limit=0&status=ODD")
        limit, status = sorted(answer.json["problems"], key=lambda one: str(one["message"]))
        assert limit == {"code": "request.invalid", "message": "query parameter limit: Expected `int` >= 1"}
        assert status["message"] == "query parameter status: Invalid enum value 'ODD'"
        assert status["remedy"] == f"Use one of {', '.join(one.value for one in Status)}."

    visit(work)


def test_a_wrong_method_is_answered_with_the_right_ones() -> None:
    async def work(site: Website) -> None:
        answer = await site.call("PUT", "/api/v1/pipelines")
        assert_problem(answer, 405, "http.405")
        assert "GET" in answer.headers["allow"]
        assert "POST" in answer.headers["allow"]

    visit(work)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "request.not_json"),
        (b"[1]", "request.invalid"),
        (b"\xff", "request.not_json"),
        (b'{"name": "\xff"}', "request.not_utf8"),
        (b'{"a":' * 19_000, "request.too_deep"),
    ],
)
def test_a_body_that_is_no_object_is_a_problem(raw: bytes, code: str) -> None:
    async def work(site: Website) -> None:
        assert_problem(await site.call("POST", "/api/v1/pipelines", raw=raw), 400, code)
        assert_problem(await site.call("POST", "/pipelines", raw=raw), 400, code, is_gates=True)

    visit(work)


def test_a_body_that_is_no_json_is_said_with_line_and_column() -> None:
    async def work(site: Website) -> None:
        answer = await site.call("POST", "/api/v1/pipelines", raw=b'{"name": "x",\n "stages": [1 2]}')
        assert (
            answer.json["problems"][0]["message"]
            == "The body is not JSON: Expecting ',' delimiter (line 2, column 15)."
        )
        short = await site.call("POST", "/api/v1/people", raw=b'{"name":\n')
        assert "it ends in line 2 before it is complete" in short.json["detail"]

    visit(work)


def test_a_body_that_is_missing_is_said_to_be_missing() -> None:
    async def work(site: Website) -> None:
        for path in ("/tasks", "/api/v1/people"):
            [problem] = (await site.call("POST", path, raw=b"")).json["problems"]
            assert problem == {"code": "request.invalid", "message": "The request has no body.", "remedy": "Send JSON."}

    visit(work)


def test_a_body_that_is_no_object_is_wrong_as_a_whole() -> None:
    async def work(site: Website) -> None:
        [problem] = (await site.call("POST", "/api/v1/people", raw=b"[]")).json["problems"]
        assert problem == {"code": "request.invalid", "message": "body: Expected `object`, got `array`"}

    visit(work)


def test_a_path_with_any_character_is_the_native_apis_all_the_same() -> None:
    async def work(site: Website) -> None:
        assert_problem(await site.get("/api/v1/people/a%0Ab"), 404, "person.unknown")

    visit(work)


def test_a_field_of_the_wrong_type_is_named() -> None:
    async def work(site: Website) -> None:
        answer = await site.post("/api/v1/executions/x/stages/y/judgment", {"judgment": 5})
        assert_problem(answer, 400, "request.invalid")
        assert answer.json["problems"][0]["pointer"] == "/judgment"

    visit(work)


def test_a_body_that_is_too_large_is_refused() -> None:
    async def work(site: Website) -> None:
        for path in ("/webhooks/webhook/ci", "/api/v1/pipelines"):
            answer = await site.call("POST", path, raw=b'"' + b"x" * 100_001 + b'"')
            assert_problem(answer, 413, "http.413", is_gates=path.startswith("/webhooks"))

    visit(work)


def test_all_that_is_wrong_with_a_pipeline_is_said_at_once_and_nothing_is_stored() -> None:
    bad: dict[str, Any] = {
        "stages": [
            {"refId": "1", "type": "wait", "name": "a", "waitTime": "soon", "requisiteStageRefIds": ["2"]},
            {"refId": "2", "type": "wait", "name": "b", "requisiteStageRefIds": ["1"]},
            {"refId": "3", "type": "wait", "name": "c", "requisiteStageRefIds": ["nobody"]},
        ]
    }

    async def work(site: Website) -> None:
        answer = await site.post("/api/v1/pipelines", bad)
        assert answer.status == 422
        pointers = {problem["pointer"] for problem in answer.json["problems"]}
        assert {"/application", "/name"} < pointers
        assert any(pointer.startswith("/stages/0/waitTime") for pointer in pointers)
        assert any(pointer.startswith("/stages/2") for pointer in pointers)
        assert (await site.get("/api/v1/pipelines")).json == {"pipelines": [], "next": None}

    visit(work)


@pytest.mark.parametrize(
    ("code", "status", "title"),
    [("store.full", 507, "There is nowhere to keep it"), ("store.disk", 503, "The store can't be used")],
)
def test_a_store_that_can_not_be_used_is_said_with_what_to_do(code: str, status: int, title: str) -> None:
    class Unusable(MemoryJournal):
        async def commit(self, commit: Commit) -> None:
            raise StoreUnusable(Problem(code=code, message="It can't be written.", remedy="Make room."))

    async def work(site: Website) -> None:
        answer = await site.post("/api/v1/run", RUN)
        assert_problem(answer, status, code)
        assert answer.json["detail"] == "It can't be written. Make room."
        assert answer.json["title"] == title

    visit(work, journal=Unusable())


def test_a_fault_of_our_own_is_said_without_its_trace() -> None:
    class Faulty(MemoryJournal):
        async def commit(self, commit: Commit) -> None:
            raise ZeroDivisionError("secret")

    async def work(site: Website) -> None:
        answer = await site.post("/api/v1/run", RUN)
        assert_problem(answer, 500, "server.fault")
        assert b"secret" not in answer.body
        await asyncio.sleep(1)
        assert (await site.get("/health/live")).status == 200

    visit(work, journal=Faulty())


def test_what_is_refused_behind_the_guard_is_audited_too() -> None:
    async def work(site: Website) -> None:
        await access.token_of_account(site, "robot", "admin")
        trigger: JsonObject = {"type": "webhook", "source": "x", "enabled": True, "runAsUser": "robot"}
        saved: JsonObject = {"application": "shop", "name": "Mine", "stages": [], "triggers": [trigger]}
        answer = await site.post("/pipelines", saved, token=await access.token_of(site, "writer"))
        assert answer.status == 403, answer.body
        found = [one.entry for one in await site.ports.services.audit.records() if one.entry.action == "access.refused"]
        assert [(one.actor, one.subject) for one in found] == [("writer", "route:POST /pipelines")]
        assert "robot" in str(found[0].details["why"])

    access.visit(work)


def test_a_foreign_page_is_audited_with_whose_cookie_it_has_used() -> None:
    async def work(site: Website) -> None:
        foreign = {"origin": "http://evil.example"}
        for token in (await access.token_of(site, "executor"), None):
            answer = await site.call("PUT", "/pipelines/e1/cancel", token=token, headers=foreign)
            assert (answer.status, answer.json["code"]) == (403, "request.foreign_origin")
        found = [one.entry for one in await site.ports.services.audit.records() if one.entry.action == "access.refused"]
        subject = "route:PUT /pipelines/e1/cancel"
        assert [(one.actor, one.subject) for one in found] == [("executor", subject), ("anonymous", subject)]
        assert "another origin" in str(found[0].details["why"])

    access.visit(work)


def test_tokens_that_are_nobodys_are_audited_and_counted() -> None:
    async def work(site: Website) -> None:
        for secret in ("spk_forgotten", "spk_forgotten", "spk_guessed"):
            assert (await site.get("/applications/shop", token=secret)).status == 401
        await site.refusals.settle()
        found = [one.entry for one in await site.ports.services.audit.records()]
        refused = [one for one in found if one.action == "sign_in.refused"]
        assert [(one.actor, one.details["via"], one.details.get("more")) for one in refused] == [
            ("anonymous", "api", None),
            ("anonymous", "api", 2),
        ]
        assert "forgotten" not in str(refused)

    access.visit(work)
