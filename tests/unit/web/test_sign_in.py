"""Who may come in: every route against the committed table, names, origins, tokens, one-time links."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from litestar.routes import HTTPRoute
from tests.fakes.website import HOST, NOT_OFFERED, TOKEN, Website
from tests.harness import Harness

from gennaker.model.principal import Principal
from gennaker.settings import ServerSettings
from gennaker.web.sign_in import Guard

OPEN = {
    "GET /": 302,
    "GET /favicon.ico": 301,
    "GET /health": 200,
    "GET /health/live": 200,
    "GET /health/ready": 200,
    "GET /ui": 503,
    "GET /ui/x.js": 503,
    "GET /ui/sign-in": 403,
    "GET /ui/first-person": 409,
    "POST /ui/first-person": 409,
    "GET /applications/shop/pipelineConfigs": 200,
    "GET /applications/shop/pipelineConfigs/x": 404,
    "GET /applications/shop/pipelines": 404,
    "GET /v2/applications/shop/pipelines": 404,
    "GET /pipelines/x": 404,
    "DELETE /pipelines/x": 404,
    "GET /pipelines": 200,
    "GET /executions": 200,
    "GET /pipelines/failedStages": 400,
    "GET /executions/failedStages": 400,
    "GET /executions/correlated/x": 200,
    "GET /applications/shop/executions/search": 200,
    "GET /applications/shop/pipelines/search": 200,
    "GET /projects/x/pipelines": 404,
    "GET /pipelines/x/evaluateExpression": 400,
    "POST /pipelines/x/evaluateExpression": 404,
    "GET /pipelines/x/y/evaluateExpression": 400,
    "POST /pipelines/x/evaluateVariables": 400,
    "GET /capabilities/expressions": 200,
    "GET /capabilities/deploymentMonitors": 200,
    "GET /jobs/preconfigured": 200,
    "DELETE /pipelines/shop/x": 200,
    "POST /pipelines": 400,
    "POST /pipelines/shop/x": 404,
    "PATCH /pipelines/x/stages/y": 404,
    "PUT /pipelines/x/cancel": 404,
    "PUT /pipelines/x/pause": 404,
    "PUT /pipelines/x/resume": 404,
    "PUT /pipelines/x/stages/y/restart": 404,
    "GET /webhooks/preconfigured": 200,
    "GET /applications/shop/tasks": 200,
    "GET /tasks/x": 404,
    "GET /tasks": 200,
    "DELETE /tasks/x": 404,
    "PUT /tasks/cancel": 200,
    "POST /applications/shop/tasks": 400,
    "POST /tasks": 400,
    "PUT /tasks/x/cancel": 404,
    "POST /fail": 400,
    "POST /ops": 400,
    "POST /orchestrate": 400,
    "POST /orchestrate/x": 404,
    "POST /plan": 200,
    "POST /plan/x": 404,
    "POST /v2/pipelineTemplates/plan": 200,
    "POST /webhooks/webhook": 200,
    "POST /webhooks/webhook/ci": 200,
    "POST /actions/webhook/reorder": 404,
    "GET /applications": 200,
    "GET /applications/shop": 404,
    "GET /applications/shop/history": 200,
    "PUT /applications/shop/pipelines/x/cancel": 404,
    "GET /applications/shop/strategyConfigs": 200,
    "GET /applications/shop/strategyConfigs/x": 404,
    "GET /auth/loggedOut": 200,
    "GET /auth/logout": 302,
    "GET /auth/rawUser": 200,
    "GET /auth/redirect": 302,
    "GET /auth/user": 200,
    "GET /auth/user/serviceAccounts": 200,
    "GET /credentials": 200,
    "GET /credentials/x": 404,
    "GET /login": 200,
    "POST /login": 501,
    "GET /login/oauth2/code/oidc": 501,
    "GET /oauth2/authorization/oidc": 501,
    "GET /pipelineConfigs": 200,
    "GET /strategyConfigs": 200,
    "GET /pipelineConfigs/x/history": 200,
    "POST /pipelines/bulksave": 400,
    "POST /pipelines/move": 400,
    "POST /pipelines/start": 400,
    "POST /pipelines/v2/shop/x": 404,
    "PUT /pipelines/x": 404,
    "GET /projects": 200,
    "GET /projects/x": 404,
    "POST /strategies": 400,
    "POST /strategies/move": 400,
    "DELETE /strategies/shop/x": 200,
    "PUT /strategies/x": 404,
    "GET /strategyConfigs/x/history": 200,
    "POST /v2/canaries/canary": 400,
    "GET /v2/canaries/canary/x": 404,
    "POST /v2/canaries/canary/x": 404,
    "GET /v2/canaries/canary/x/x": 404,
    "GET /v2/canaries/credentials": 200,
    "GET /v2/canaries/judges": 200,
    "GET /v2/canaries/metricSetPairList/x": 404,
    "GET /v2/canaries/shop/executions": 200,
    "GET /v2/canaryConfig": 200,
    "POST /v2/canaryConfig": 400,
    "DELETE /v2/canaryConfig/x": 404,
    "GET /v2/canaryConfig/x": 404,
    "PUT /v2/canaryConfig/x": 404,
    "GET /v2/pipelineTemplates": 200,
    "POST /v2/pipelineTemplates/create": 400,
    "POST /v2/pipelineTemplates/update/x": 400,
    "GET /v2/pipelineTemplates/versions": 200,
    "DELETE /v2/pipelineTemplates/x": 400,
    "GET /v2/pipelineTemplates/x": 404,
    "GET /v2/pipelineTemplates/x/dependentPipelines": 200,
    "GET /version": 200,
    "GET /applications/shop/clusters": 200,
    "GET /applications/shop/clusters/x": 200,
    "GET /applications/shop/clusters/x/x": 404,
    "GET /applications/shop/clusters/x/x/x": 404,
    "GET /applications/shop/clusters/x/x/x/serverGroups": 404,
    "GET /applications/shop/clusters/x/x/x/x/serverGroups/target/x": 404,
    "GET /applications/shop/functions": 200,
    "GET /applications/shop/loadBalancers": 200,
    "GET /applications/shop/rawResources": 200,
    "GET /applications/shop/serverGroupManagers": 200,
    "GET /applications/shop/serverGroups": 200,
    "GET /applications/shop/serverGroups/x/x/x": 404,
    "GET /applications/shop/snapshots/x": 501,
    "GET /applications/shop/tasks/x/details/x": 501,
    "GET /artifactory/names": 501,
    "GET /artifacts/account/x/names": 501,
    "GET /artifacts/account/x/versions": 501,
    "GET /artifacts/content-address/shop/x": 501,
    "GET /artifacts/credentials": 200,
    "PUT /artifacts/fetch": 400,
    "GET /auth/apiTokens": 501,
    "POST /auth/apiTokens": 400,
    "DELETE /auth/apiTokens/x": 501,
    "POST /auth/deleteSessionCache": 501,
    "POST /auth/roles/sync": 501,
    "GET /banners": 200,
    "POST /banners": 501,
    "GET /canaries/x": 501,
    "GET /canaryConfigs": 501,
    "GET /capabilities/quietPeriod": 200,
    "GET /certificates": 200,
    "GET /charts/find": 501,
    "GET /ci/builds": 501,
    "GET /credentials/type/webhook": 501,
    "GET /cron/validate": 400,
    "GET /firewalls": 200,
    "GET /firewalls/x/x/x": 501,
    "GET /history/x": 501,
    "GET /images/find": 200,
    "GET /images/tags": 200,
    "GET /instanceTypes": 200,
    "GET /instances/x/x/x": 404,
    "GET /instances/x/x/x/console": 404,
    "GET /keyPairs": 200,
    "GET /loadBalancers": 200,
    "GET /loadBalancers/x/x/x": 200,
    "GET /networks": 200,
    "GET /networks/x": 200,
    "GET /nexus/names": 501,
    "DELETE /notifications/application/shop": 200,
    "GET /notifications/application/shop": 200,
    "POST /notifications/application/shop": 200,
    "POST /notifications/callbacks/ci": 501,
    "GET /notifications/metadata": 200,
    "GET /pagerDuty/services": 200,
    "GET /pipelineConfigs/x/convertToTemplate": 501,
    "GET /plugins/deck/plugin-manifest.json": 200,
    "GET /plugins/info": 501,
    "GET /plugins/installed": 501,
    "GET /projects/x/clusters": 404,
    "GET /pubsub/subscriptions": 200,
    "GET /roles/x": 501,
    "GET /search": 200,
    "GET /securityGroups": 200,
    "GET /securityGroups/x/x/x": 501,
    "GET /serverGroups": 200,
    "GET /serverGroups/x/x/x": 404,
    "GET /manifests/x/x/x": 404,
    "GET /manifests/x/x/webhook/cluster/shop/x": 404,
    "GET /manifests/x/x/webhook/cluster/shop/x/dynamic/x": 404,
    "GET /slack/channels": 200,
    "GET /storage": 200,
    "GET /subnets": 200,
    "GET /subnets/x": 200,
    "GET /tags": 200,
    "POST /tags": 501,
    "GET /tasks/x/details/x": 501,
    "GET /v2/builds": 200,
    "GET /v2/canaries/metadata/metricsService": 501,
    "GET /vpcs": 200,
}
OPEN |= {
    f"{method} {path}{below}": 501
    for path in NOT_OFFERED
    for below in ("", "/x")
    for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
}
OPEN |= dict.fromkeys(("POST /credentials", "PUT /credentials", "DELETE /credentials/x", "PUT /canaries/x/end"), 501)
OPEN |= dict.fromkeys(("POST /plugins/publish/x/x", "GET /artifacts/x/x", "GET /artifacts/x/x/x"), 501)
OPEN |= dict.fromkeys(("GET /v3/builds/x/builds", "GET /v3/builds/x/job", "GET /v3/builds/x/jobs"), 501)
"""What answers without credentials, and how: Gate's and Orca's routes, webhooks, health and the page. Everything else needs them."""
CLOSED = {
    "GET /api/v1/applications",
    "GET /api/v1/applications/shop/comparison",
    "GET /api/v1/applications/shop/deliveries",
    "GET /api/v1/applications/shop/drift",
    "GET /api/v1/applications/shop/releases",
    "GET /api/v1/audit",
    "GET /api/v1/audit/verify",
    "GET /api/v1/definitions/webhook/x",
    "GET /api/v1/definitions/webhook/x/revisions",
    "GET /api/v1/definitions/webhook/x/revisions/1",
    "POST /api/v1/definitions/webhook/x/restore",
    "GET /api/v1/events",
    "GET /api/v1/evidence/x",
    "GET /api/v1/executions",
    "GET /api/v1/imports",
    "POST /api/v1/imports",
    "POST /api/v1/imports/shop/cut-over",
    "GET /api/v1/executions/x",
    "GET /api/v1/executions/x/evidence",
    "GET /api/v1/executions/x/journal",
    "GET /api/v1/executions/x/log",
    "GET /api/v1/executions/x/logs",
    "GET /api/v1/executions/x/stages/y/approval",
    "GET /api/v1/executions/x/why",
    "GET /api/v1/people",
    "POST /api/v1/people",
    "GET /api/v1/people/x",
    "PATCH /api/v1/people/x",
    "PUT /api/v1/me/password",
    "GET /api/v1/secrets",
    "GET /api/v1/secrets/x",
    "PUT /api/v1/secrets/x",
    "DELETE /api/v1/secrets/x",
    "POST /api/v1/secrets/rotate",
    "GET /api/v1/service-accounts",
    "GET /api/v1/service-accounts/x",
    "PUT /api/v1/service-accounts/x",
    "GET /api/v1/pipelines",
    "GET /api/v1/schema",
    "GET /api/v1/schema/openapi.json",
    "GET /api/v1/schema/x.js",
    "GET /api/v1/stage-types",
    "GET /api/v1/traffic",
    "POST /api/v1/applications/shop/pipelines/x/start",
    "POST /api/v1/applications/shop/rollback",
    "POST /api/v1/canary-configs",
    "POST /api/v1/executions/x/cancel",
    "POST /api/v1/executions/x/pause",
    "POST /api/v1/executions/x/resume",
    "POST /api/v1/executions/x/stages/y/ignore-failure",
    "POST /api/v1/executions/x/stages/y/judgment",
    "POST /api/v1/executions/x/stages/y/restart",
    "POST /api/v1/executions/x/stages/y/skip",
    "POST /api/v1/links",
    "POST /api/v1/pipelines",
    "POST /api/v1/run",
    "POST /api/v1/stop",
}
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
