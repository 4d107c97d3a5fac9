"""The registry's door: who may push and pull once anybody has to sign in, told as registries' clients want to be told."""

import base64
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest
from tests.fakes.website import Website
from tests.unit.web.test_access import OPERATOR, SETTINGS, token_of, visit

from gennaker.model.permissions import Right
from gennaker.model.principal import Principal
from gennaker.settings import AccountSettings, Settings
from gennaker.web import registry_door

OWN = "the server's own password"
ACCOUNT = {"READ": ("reader", "writer"), "WRITE": ("writer",)}
PASSWORD = "correct horse battery"
Message = MutableMapping[str, Any]


class Registry:
    """What is behind the door: keeps who came in."""

    def __init__(self) -> None:
        self.principals: list[Principal] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.principals.append(scope["state"]["principal"])
        await send({"type": "http.response.start", "status": 200, "headers": []})


class Door:
    """Knocks at the door of a site."""

    def __init__(self, site: Website) -> None:
        self.registry = Registry()
        self._app = registry_door.create(
            self.registry, sign_in=site.sign_in, services=site.ports.services, own_password=OWN
        )

    async def knock(self, authorization: str = "", method: str = "GET") -> tuple[int, dict[str, str], Any]:
        sent: list[Message] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            raise AssertionError("who isn't let in isn't listened to")

        headers = [(b"authorization", authorization.encode())] if authorization else []
        scope: Any = {
            "type": "http",
            "method": method,
            "path": "/v2/shop/x",
            "headers": headers,
            "client": ("1.2.3.4", 1),
        }
        await self._app(scope, receive, send)
        body = b"".join(one.get("body", b"") for one in sent)
        given = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        return sent[0]["status"], given, json.loads(body) if body else None

    async def status(self, authorization: str = "", method: str = "GET") -> int:
        return (await self.knock(authorization, method))[0]


def basic(name: str, password: str | None) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def at_door(work: Callable[[Website, Door], Awaitable[None]]) -> None:
    accounts = {**SETTINGS.accounts, "local-registry": AccountSettings(permissions=ACCOUNT)}  # type: ignore[arg-type]  # of str

    async def knocking(site: Website) -> None:
        await site.sign_in.add_person("ada", PASSWORD, ("writer",), by=OPERATOR)
        await work(site, Door(site))

    visit(knocking, Settings(sign_in=SETTINGS.sign_in, accounts=accounts))


def test_nobody_is_let_in_and_clients_are_asked_to_sign_in() -> None:
    async def work(_: Website, door: Door) -> None:
        for given in ("", "Basic !!", basic("", ""), basic("ada", "wrong horse"), "Bearer spk_x", basic("x", "spk_x")):
            status, headers, body = await door.knock(given)
            assert (status, headers["www-authenticate"]) == (401, 'Basic realm="gennaker"'), given
            assert body["errors"][0]["code"] == "UNAUTHORIZED"
        assert door.registry.principals == []

    at_door(work)


@pytest.mark.parametrize("form", ["bearer", "password"])
def test_pulling_takes_read_and_pushing_takes_write_on_the_registrys_account(form: str) -> None:
    async def work(site: Website, door: Door) -> None:
        seen = {}
        for name in ("outsider", "reader", "writer", "admin"):
            token = await token_of(site, name)
            given = f"Bearer {token}" if form == "bearer" else basic("anything", token)
            seen[name] = [
                await door.status(given, method) for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")
            ]
        assert seen == {
            "outsider": [403] * 6,
            "reader": [200, 200, 403, 403, 403, 403],
            "writer": [200] * 6,
            "admin": [200] * 6,
        }
        assert {one.name for one in door.registry.principals} == {"reader", "writer", "admin"}
        refusals = [
            one.entry for one in await site.ports.services.audit.records() if one.entry.action == "access.refused"
        ]
        assert ("reader", "registry:PUT /v2/shop/x") in {(one.actor, one.subject) for one in refusals}

    at_door(work)


def test_people_sign_in_by_their_passwords_and_the_server_by_its_own() -> None:
    async def work(_: Website, door: Door) -> None:
        assert await door.status(basic("ada", PASSWORD), "PUT") == 200
        assert await door.status(basic("gennaker", OWN), "PUT") == 200
        assert [one.name for one in door.registry.principals] == ["ada", "gennaker"]

    at_door(work)


def test_a_tokens_scopes_count_here_too() -> None:
    async def work(site: Website, door: Door) -> None:
        token = f"Bearer {await token_of(site, 'admin', scopes=(Right.READ,))}"
        assert [await door.status(token), await door.status(token, "PUT")] == [200, 403]

    at_door(work)


def test_who_guesses_has_to_wait_and_what_was_right_is_soon_looked_at_again() -> None:
    async def work(site: Website, door: Door) -> None:
        assert await door.status(basic("ada", PASSWORD)) == 200
        ada = await site.sign_in.identities.person("ada")
        assert ada is not None
        await site.sign_in.change_password(ada, "another good one", by=OPERATOR)
        await site.ports.services.clock.sleep_until(site.ports.services.clock.now() + registry_door.REMEMBERED)
        found = [await door.status(basic("ada", PASSWORD)) for _ in range(6)]
        assert found == [401] * 5 + [429]

    at_door(work)


def test_without_sign_in_there_is_no_door() -> None:
    async def work(site: Website) -> None:
        registry = Registry()
        made = registry_door.create(registry, sign_in=site.sign_in, services=site.ports.services, own_password=OWN)
        assert made is registry

    visit(work, Settings())
