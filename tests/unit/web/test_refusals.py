"""Every kind of refusal is in the audit trail, with who, from where, what for and why."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.fakes.audit import MemoryAuditTrail
from tests.fakes.website import HOST, Website
from tests.unit.web.test_access import OPERATOR, SETTINGS, token_of, token_of_account, visit
from tests.unit.worker.test_intake import GIT, push

from gennaker.access.identities import Person
from gennaker.access.refusals import Refusals
from gennaker.migration.phases import Phase, Standing
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.permissions import Right
from gennaker.model.principal import Principal
from gennaker.settings import AccountSettings, ServerSettings, Settings
from gennaker.web import registry, registry_door
from gennaker.web.listener import Unambiguous
from gennaker.web.proxies import Proxied

Act = Callable[[Website], Awaitable[object]]
Told = tuple[str, str, str]
"""Action, actor, and the reason's code."""
HOOK: JsonObject = {"type": "webhook", "source": "ci", "enabled": True}
FORM = {"content-type": "application/x-www-form-urlencoded"}
LONG = Settings(
    sign_in=msgspec.structs.replace(
        SETTINGS.sign_in,
        proxy_socket="/run/x.sock",
        proxy_user_header="X-User",
    ),
    accounts={**SETTINGS.accounts, "local-registry": AccountSettings(permissions={"READ": ("x",), "WRITE": ("x",)})},
    server=ServerSettings(webhook_body_limit_bytes=1_000),
)


def asking(method: str, path: str, **options: Any) -> Act:
    """A request, by nobody unless a role is named."""

    async def act(site: Website) -> object:
        role = options.pop("role", "nobody")
        return await site.call(method, path, token=await token_of(site, role), **options)

    return act


def scoped(method: str, path: str) -> Act:
    async def act(site: Website) -> object:
        return await site.call(method, path, token=await token_of(site, "admin", scopes=(Right.READ,)))

    return act


def form(name: str, password: str, times: int = 1) -> Act:
    async def act(site: Website) -> object:
        raw = f"username={name}&password={password}".encode()
        return [await site.call("POST", "/login", token=None, raw=raw, headers=FORM) for _ in range(times)]

    return act


def by_proxy(name: str, times: int = 1) -> Act:
    async def act(site: Website) -> object:
        since = site.ports.services.clock.now()
        await site.sign_in.identities.add_person(Person(name="gone", roles=(), is_disabled=True, since=since))
        scope = site.scope("GET", "/applications/shop", headers={"host": HOST})
        scope["headers"] += [(b"x-user", name.encode())] * times
        return await ask(Proxied(site.app), scope)

    return act


async def ask(application: Any, scope: Any) -> int:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return int(sent[0]["status"])


def at_registry(method: str, path: str, *, role: str = "nobody", **headers: str) -> Act:
    """Through the door, to the registry behind it."""

    async def act(site: Website) -> object:
        token = await token_of(site, role)
        given = {"host": "127.0.0.1:5000", **headers} | ({"authorization": f"Bearer {token}"} if token else {})
        behind = registry.create(None, refusals=site.refusals, clock=site.ports.services.clock)  # type: ignore[arg-type]  # unasked
        door = registry_door.create(behind, sign_in=site.sign_in, services=site.ports.services, own_password="own")
        return await ask(door, site.scope(method, path, headers=given))

    return act


def ambiguous(headers: dict[str, str]) -> Act:
    async def act(site: Website) -> object:
        scope = site.scope("POST", "/tasks", headers=headers)
        return await ask(Unambiguous(site.app, site.sign_in.unread), scope)

    return act


async def in_shadow(site: Website) -> object:
    now = site.ports.services.clock.now()
    standing = Standing(application="shop", phase=Phase.SHADOW, source="gate", since=now, by="test", imported_at=now)
    await site.ports.phases.put(standing)
    job: JsonObject = {"application": "shop", "description": "x", "job": [{"type": "resizeServerGroup"}]}
    return await site.post("/tasks", job)


async def cut_over_twice(site: Website) -> object:
    now = site.ports.services.clock.now()
    await site.ports.phases.put(
        Standing(application="shop", phase=Phase.LIVE, source="gate", since=now, by="test", imported_at=now)
    )
    return await site.post("/api/v1/imports/shop/cut-over")


async def judged_by_a_program(site: Website) -> object:
    stages: list[Json] = [{"type": "manualJudgment", "refId": "1", "name": "Go?", "preventSelfApproval": True}]
    config: JsonObject = {"application": "shop", "name": "Asks", "stages": stages, "executionId": "j1"}
    assert (await site.post("/orchestrate", config)).status == 200
    stage = (await site.get("/pipelines/j1")).json["stages"][0]["id"]
    robot = await token_of_account(site, "robot", "admin")
    return await site.call("PATCH", f"/pipelines/j1/stages/{stage}", json={"judgmentStatus": "continue"}, token=robot)


async def hooked(site: Website) -> object:
    saved: JsonObject = {"application": "shop", "name": "Hook", "stages": [], "triggers": [HOOK]}
    assert (await site.post("/pipelines", saved)).status == 200
    return await site.post("/webhooks/webhook/ci", {}, token=None)


async def unsigned(site: Website) -> object:
    saved: JsonObject = {"application": "shop", "name": "Build", "stages": [], "triggers": [GIT]}
    assert (await site.post("/pipelines", saved)).status == 200
    answer = await site.post("/webhooks/git/github", push(), token=None, headers={"x-github-event": "push"})
    assert answer.status == 401
    return answer


def basic(given: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(given.encode()).decode()}


CANCEL = ("PUT", "/pipelines/e1/cancel")
EVIL = {"origin": "http://evil.example"}
KINDS: dict[str, tuple[Act, Told]] = {
    "foreign name": (
        asking("GET", "/applications", headers={"host": "evil.example"}),
        ("access.refused", "anonymous", "request.foreign_host"),
    ),
    "foreign page": (asking(*CANCEL, headers=EVIL), ("access.refused", "anonymous", "request.foreign_origin")),
    "foreign page with credentials": (
        asking(*CANCEL, headers=EVIL, role="executor"),
        ("access.refused", "executor", "request.foreign_origin"),
    ),
    "foreign target": (
        asking("GET", "/auth/redirect?to=http://evil.example"),
        ("request.refused", "anonymous", "redirect.foreign"),
    ),
    "nobody": (asking(*CANCEL), ("access.refused", "anonymous", "request.not_signed_in")),
    "no right": (asking(*CANCEL, role="reader"), ("access.refused", "reader", "access.denied")),
    "no scope": (scoped(*CANCEL), ("access.refused", "admin", "access.out_of_scope")),
    "no right on a stage": (
        asking("POST", "/pipelines/shop/Ship", json={"runAsUser": "root"}, role="executor"),
        ("access.refused", "executor", "access.no_service_account"),
    ),
    "what isn't shown": (
        asking("GET", "/v2/canaries/canary/e1", role="outsider"),
        ("access.refused", "outsider", "access.denied"),
    ),
    "wrong password": (form("ada", "wrong"), ("sign_in.refused", "ada", "sign_in.wrong")),
    "wrong basic": (asking("GET", "/", headers=basic("ada:x")), ("sign_in.refused", "ada", "sign_in.wrong")),
    "too many passwords": (form("ada", "wrong", 6), ("sign_in.refused", "ada", "sign_in.wait")),
    "wrong token": (
        asking("GET", "/", headers={"x-spinnaker-token": "spk_x"}),
        ("sign_in.refused", "anonymous", "sign_in.token"),
    ),
    "another's token": (
        asking("GET", "/", headers={"authorization": "Bearer x"}),
        ("sign_in.refused", "anonymous", "sign_in.token"),
    ),
    "spent link": (asking("GET", "/ui/sign-in?once=spent"), ("sign_in.refused", "anonymous", "sign_in.link")),
    "second first person": (
        asking("GET", "/ui/first-person", role="admin"),
        ("request.refused", "admin", "sign_in.not_first"),
    ),
    "proxy's name": (by_proxy("a b"), ("sign_in.refused", "a b", "sign_in.no_person")),
    "proxy's disabled": (by_proxy("gone"), ("sign_in.refused", "gone", "sign_in.disabled")),
    "proxy's twice": (by_proxy("ada", 2), ("request.refused", "anonymous", "request.ambiguous_proxy")),
    "too long": (
        asking("POST", "/tasks", raw=b" " * 2_000, role="admin"),
        ("request.refused", "admin", "http.413"),
    ),
    "two lengths": (
        ambiguous({"transfer-encoding": "chunked", "content-length": "3"}),
        ("request.refused", "anonymous", "request.two_lengths"),
    ),
    "no host": (ambiguous({"host": "127.0.0.1:abc"}), ("request.refused", "anonymous", "request.no_host")),
    "shadow": (in_shadow, ("request.refused", "operator", "application.in_shadow")),
    "second cut-over": (cut_over_twice, ("request.refused", "operator", "cut_over.done")),
    "program as judge": (judged_by_a_program, ("access.refused", "robot", "judgment.service_account")),
    "unsigned": (unsigned, ("webhook.refused", "anonymous", "")),
    "trigger without rights": (hooked, ("execution.refused", "anonymous", "access.denied")),
    "registry, nobody": (
        at_registry("GET", "/v2/x/tags/list"),
        ("access.refused", "anonymous", "registry.not_signed_in"),
    ),
    "registry, no right": (
        at_registry("PUT", "/v2/x/manifests/1", role="outsider"),
        ("access.refused", "outsider", "access.denied"),
    ),
    "registry, no right to ask": (
        at_registry("GET", "/v2/", role="outsider"),
        ("access.refused", "outsider", "access.denied"),
    ),
    "registry, foreign name": (
        at_registry("GET", "/v2/x/tags/list", role="admin", host="evil.example"),
        ("access.refused", "admin", "registry.denied"),
    ),
    "registry, page": (
        at_registry("PUT", "/v2/x/manifests/1", role="admin", origin="http://evil.example"),
        ("push.refused", "admin", "registry.denied"),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_refusal_is_in_the_audit(kind: str) -> None:
    act, expected = KINDS[kind]

    async def work(site: Website) -> None:
        await site.sign_in.add_person("ada", "correct horse battery", (), by=OPERATOR)
        before = len(await records(site))
        await act(site)
        await site.refusals.settle()
        found = (await records(site))[before:]
        assert expected in {(one.action, one.actor, str(one.details.get("code", ""))) for one in found}, found
        assert "correct horse" not in str(found)

    visit(work, LONG)


async def records(site: Website) -> list[AuditEntry]:
    return [one.entry for one in await site.ports.services.audit.records(limit=10_000)]


def test_too_many_requests_are_in_the_audit_with_their_number() -> None:
    async def work(site: Website) -> None:
        token = await token_of(site, "reader")
        for _ in range(20):
            await site.get("/applications", token=token)
        await site.refusals.settle()
        found = [one for one in await records(site) if one.details.get("code") == "request.too_many"]
        assert [(one.actor, one.action, one.details.get("more")) for one in found] == [
            ("reader", "request.refused", None),
            ("reader", "request.refused", 9),
        ]

    visit(work, msgspec.structs.replace(SETTINGS, server=ServerSettings(requests_per_minute=10)))


def test_a_client_that_asks_the_registry_whether_it_has_to_sign_in_is_not_refused() -> None:
    async def work(site: Website) -> None:
        before = len(await records(site))
        assert await at_registry("GET", "/v2/")(site) == 401
        await site.refusals.settle()
        assert len(await records(site)) == before

    visit(work, LONG)


def test_what_is_recorded_of_a_request_says_from_where_it_came() -> None:
    async def work(site: Website) -> None:
        await asking("GET", "/applications", headers={"host": "evil.example"})(site)
        last = (await records(site))[-1]
        assert last.details == {
            "why": "This server doesn't answer to the name 'evil.example'.",
            "code": "request.foreign_host",
            "status": 403,
            "address": "127.0.0.1",
        }

    visit(work, LONG)


@pytest.mark.parametrize(
    "act",
    [
        asking("GET", "/applications", headers={"host": "x" * 60_000}),
        at_registry("GET", "/v2/x/tags/list", role="admin", host="x" * 60_000),
    ],
    ids=["server", "registry"],
)
def test_a_long_name_of_a_server_leaves_a_short_record(act: Act) -> None:
    async def work(site: Website) -> None:
        await act(site)
        await site.refusals.settle()
        last = (await records(site))[-1]
        assert last.action == "access.refused"
        assert len(encode(last)) < 1_000
        assert "x'." in str(last.details), "the sentence is whole: the name was cut, not it"

    visit(work, LONG)


def test_a_long_name_of_a_server_is_cut_in_the_answer() -> None:
    async def work(site: Website) -> None:
        answer = await site.get("/applications", token=None, headers={"host": "x" * 60_000})
        assert answer.status == 403
        assert len(answer.body) < 2_000

    visit(work, LONG)


def test_the_registry_without_a_door_records_whom_it_turns_away() -> None:
    async def work(site: Website) -> None:
        trail, clock = MemoryAuditTrail(), site.ports.services.clock
        behind = registry.create(None, refusals=Refusals(trail, clock), clock=clock)  # type: ignore[arg-type]  # unasked
        assert await ask(behind, site.scope("GET", "/v2/_catalog", headers={"host": "evil.example"})) == 403
        ((found),) = [one.entry for one in await trail.records()]
        assert (found.action, found.actor, found.subject) == (
            "access.refused",
            Principal(name="anonymous").name,
            "registry:GET /v2/_catalog",
        )

    visit(work, LONG)
