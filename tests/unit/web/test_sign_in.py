"""Who may come in: every route against the committed table, names, origins, tokens, one-time links."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute
from tests.fakes.website import HOST, TOKEN, Website
from tests.harness import Harness
from tests.unit.web.routes import CLOSED, OPEN

from gennaker.model.principal import Principal
from gennaker.settings import ServerSettings
from gennaker.web.sign_in import Guard

_EXAMPLES = {
    "{application:str}": "shop",
    "{stage_id:str}": "y",
    "{path:path}": "x.js",
    "{path:str}": "x.js",
    "{kind:str}": "webhook",
    "{source:str}": "ci",
    "{revision:int}": "1",
}
_PAGE = Path("/nonexistent/page")


def visit(work: Callable[[Website], Awaitable[None]], *, page: Path = _PAGE, harness: Harness | None = None) -> None:
    harness = harness or Harness()

    async def main() -> None:
        async with harness.process() as core:
            await work(Website(harness, core, page=page))

    harness.time.run(main())


def test_the_table_names_every_route() -> None:
    found: set[str] = set()

    async def work(site: Website) -> None:
        for route in site.routes:
            path = "/".join(
                _EXAMPLES.get(part, "x" if part.startswith("{") else part) for part in route.path.split("/")
            )
            methods: set[str] = getattr(route, "methods", set())
            found.update(f"{method} {path}" for method in methods - {"OPTIONS"})

    visit(work)

    assert found == OPEN.keys() | CLOSED
    assert not OPEN.keys() & CLOSED


def test_every_handler_takes_who_asks() -> None:
    takes: dict[str, bool] = {}

    async def work(site: Website) -> None:
        for route in site.routes:
            assert isinstance(route, HTTPRoute), route
            for handler, _ in route.route_handler_map.values():
                # OPTIONS and the schema are answered by the framework itself, behind the same guard.
                if not handler.fn.__module__.startswith("litestar."):
                    asking = handler.parsed_fn_signature.parameters.get("principal")
                    takes[handler.fn.__qualname__] = asking is not None and asking.annotation is Principal

    visit(work)

    assert len(takes) > 45
    assert [name for name, is_taking in takes.items() if not is_taking] == []


def test_who_asks_is_nobody_or_whom_the_guard_has_found() -> None:
    found: list[Principal] = []

    async def work(site: Website) -> None:
        guard = Guard(site.doors, site.sign_in, ServerSettings(), site.ports.services.clock)
        session = site.doors.open_session(site.doors.new_link())
        for headers in ({}, {"authorization": f"Bearer {TOKEN}"}, {"cookie": f"gennaker_session={session}"}):
            scope: Any = site.scope("GET", "/whoami", headers={"host": HOST, **headers})
            await guard.admit(scope)
            found.append(scope["state"]["principal"])

    visit(work)

    assert [(one.name, one.via) for one in found] == [("anonymous", "api"), ("operator", "cli"), ("operator", "page")]


def test_open_routes_answer_without_credentials() -> None:
    async def work(site: Website) -> None:
        answered = {}
        for route in OPEN:
            method, _, path = route.partition(" ")
            answer = await site.call(method, path, token=None, json=None if method == "GET" else {})
            answered[route] = answer.status
        assert answered == OPEN

    visit(work)


@pytest.mark.parametrize("token", [None, "wrong", "", "é", f"{TOKEN}x"])
def test_everything_else_needs_them(token: str | None) -> None:
    async def work(site: Website) -> None:
        for route in CLOSED:
            method, _, path = route.partition(" ")
            answer = await site.call(method, path, token=token, json=None if method == "GET" else {})
            assert (answer.status, answer.json["code"]) == (401, "request.no_credentials"), route
        assert not site.ports.ending.is_set()

    visit(work)


@pytest.mark.parametrize(
    "path", ["//api/v1/audit", "/api//v1/audit", "/api/v1/audit/", "/API/v1/audit", "/./api/v1/audit"]
)
def test_no_way_of_writing_a_path_goes_round_the_door(path: str) -> None:
    async def work(site: Website) -> None:
        assert (await site.get(path, token=None)).status in (401, 404)

    visit(work)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8084", "localhost", "localhost:1", "[::1]:8084", "127.0.0.1", "127.0.0.2:8084"]
)
def test_the_names_of_this_machine_are_answered(host: str) -> None:
    async def work(site: Website) -> None:
        assert (await site.get("/health/live", headers={"host": host})).status == 200

    visit(work)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:8084", "", "[bad", "192.168.0.1:8084", "localhost.", "0.0.0.0:8084"],
)
def test_no_other_name_is_answered_whatever_the_credentials(host: str) -> None:
    async def work(site: Website) -> None:
        for path in ("/api/v1/audit", "/applications/shop/pipelines", "/health/live"):
            answer = await site.get(path, headers={"host": host})
            assert (answer.status, answer.json["code"]) == (403, "request.foreign_host")

    visit(work)


FOREIGN = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "http://[bad"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": f"http://{HOST}", "sec-fetch-site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_foreign_page_changes_nothing(headers: dict[str, str]) -> None:
    async def work(site: Website) -> None:
        for path in ("/api/v1/stop", "/pipelines/shop/x", "/webhooks/webhook/ci"):
            answer = await site.post(path, headers=headers)
            assert (answer.status, answer.json["code"]) == (403, "request.foreign_origin")
        assert not site.ports.ending.is_set()
        assert (await site.get("/health/live", headers=headers)).status == 200

    visit(work)


@pytest.mark.parametrize("headers", [{}, {"origin": f"http://{HOST}"}, {"sec-fetch-site": "same-origin"}])
def test_a_program_and_the_own_page_may(headers: dict[str, str]) -> None:
    async def work(site: Website) -> None:
        assert (await site.post("/api/v1/stop", headers=headers)).status == 202
        assert site.ports.ending.is_set()

    visit(work)


def test_answers_carry_the_headers_that_keep_foreign_pages_out() -> None:
    async def work(site: Website) -> None:
        for path in ("/health/live", "/api/v1/audit"):
            headers = (await site.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "access-control-allow-origin" not in headers

    visit(work)


def test_a_link_opens_one_session_once() -> None:
    async def work(site: Website) -> None:
        url = (await site.post("/api/v1/links")).json["url"]
        path = url[url.index("/ui/") :]

        opened = await site.get(path, token=None)

        assert opened.status == 200
        assert opened.headers["cache-control"] == "no-store"
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        session = {"cookie": cookie.split(";")[0]}
        assert (await site.get("/api/v1/audit", token=None, headers=session)).status == 200
        again = await site.get(path, token=None)
        assert again.status == 403
        assert b"gennaker link" in again.body, "a person reads it"
        signed_in = await site.get(path, token=None, headers=session)
        assert signed_in.status == 200, "a browser that has a session goes on"
        assert "set-cookie" not in signed_in.headers
        assert (await site.get("/api/v1/audit", token=None, headers=session)).status == 200

    visit(work)


def test_a_link_lives_ten_minutes_and_a_session_seven_days() -> None:
    async def work(site: Website) -> None:
        late, early = site.doors.new_link(), site.doors.new_link()
        await asyncio.sleep(599)
        session = site.doors.open_session(early)
        assert session is not None
        await asyncio.sleep(2)
        assert site.doors.open_session(late) is None
        headers = {"cookie": f"gennaker_session={session}"}
        await asyncio.sleep(7 * 86_400 - 10)
        assert (await site.get("/api/v1/audit", token=None, headers=headers)).status == 200
        await asyncio.sleep(20)
        assert (await site.get("/api/v1/audit", token=None, headers=headers)).status == 401

    visit(work)


@pytest.mark.parametrize("secret", ["", "x", "%C3%A9", "x&once=y"])
def test_a_secret_that_is_none_opens_nothing(secret: str) -> None:
    async def work(site: Website) -> None:
        site.doors.new_link()
        assert (await site.get(f"/ui/sign-in?once={secret}", token=None)).status in (400, 403)

    visit(work)
