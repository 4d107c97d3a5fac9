"""A proxy in front: its headers are believed through its own socket, and from nobody else."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from litestar.types import ASGIApp
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker import app
from gennaker.access.identities import Person
from gennaker.model.problems import Refused
from gennaker.settings import Settings, SignInSettings
from gennaker.transport import ports
from gennaker.web.proxies import Proxied

SETTINGS = SignInSettings(
    required=True,
    proxy_socket="/run/gennaker.sock",
    proxy_user_header="X-Spinnaker-User",
    proxy_roles_header="X-Roles",
    proxy_certificate_header="X-Client-Subject",
)


def visit(work: Callable[[Website], Awaitable[None]], *, is_proxied: bool = True) -> None:
    harness = Harness(settings=Settings(sign_in=SETTINGS))

    async def main() -> None:
        async with harness.process() as core:
            site = Website(harness, core)
            for name, is_disabled in (("ada", False), ("gone", True)):
                person = Person(name=name, roles=("ops",), is_disabled=is_disabled, since=harness.time.now())
                await site.sign_in.identities.add_person(person)
            if is_proxied:
                site.app = Proxied(site.app)
            await work(site)

    harness.time.run(main())


async def who(site: Website, **headers: str) -> tuple[str, list[str]] | None:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    user = (await site.get("/auth/user", token=None, headers=given)).json
    return None if user is None else (user["username"], user["roles"])


def test_the_proxy_says_who_it_is_with_which_roles() -> None:
    async def work(site: Website) -> None:
        assert await who(site, x_spinnaker_user="bob", x_roles="Dev, ops,") == ("bob", ["dev", "ops"])
        assert await who(site, x_spinnaker_user="ada") == ("ada", []), "no roles are said: it has none"
        for nobody in ("gone", "operator", "anonymous", "gennaker", "a b", "\t"):
            assert await who(site, x_spinnaker_user=nobody) is None, nobody
        told = [one.entry for one in await site.ports.services.audit.records() if one.entry.action == "sign_in.done"]
        assert [(one.actor, one.details["via"]) for one in told] == [("bob", "proxy"), ("ada", "proxy")]

    visit(work)


def test_a_certificates_subject_is_a_person_with_the_roles_that_are_known() -> None:
    async def work(site: Website) -> None:
        assert await who(site, x_client_subject="CN=ada,O=Example") == ("ada", ["ops"])
        assert await who(site, x_client_subject="O=Example,CN=unknown") == ("unknown", [])
        assert await who(site, x_client_subject="O=Example") is None
        for forged in ("O=CN=ada,CN=eve", "O=x\\,CN=ada,CN=eve"):
            assert await who(site, x_client_subject=forged) == ("eve", []), forged
        assert await who(site, x_client_subject="CN=operator") is None

    visit(work)


def test_a_header_that_comes_twice_names_nobody() -> None:
    """As behind a proxy that adds its header to the client's."""

    async def work(site: Website) -> None:
        for name in (b"x-spinnaker-user", b"x-roles", b"x-client-subject"):
            headers = {} if name == b"x-client-subject" else {"x-spinnaker-user": "bob"}
            twice = Doubling(site.app, (name, b"ada"), (name, b"eve"))
            site.app, before = twice, site.app
            answer = await site.get("/applications", token=None, headers=headers)
            site.app = before
            assert answer.status == 400, name
            assert name in answer.body.lower()

    visit(work)


class Doubling:
    """Adds headers to each request."""

    def __init__(self, app: ASGIApp, *headers: tuple[bytes, bytes]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "headers": [*scope["headers"], *self._headers]}, receive, send)


def test_nobody_else_is_believed() -> None:
    async def work(site: Website) -> None:
        given = {"x_spinnaker_user": "ada", "x_roles": "admin", "x_client_subject": "CN=ada", "is_proxied": "true"}
        assert await who(site, **given) is None

    visit(work, is_proxied=False)


def test_headers_without_a_socket_and_patterns_without_a_group_are_refused() -> None:
    with pytest.raises(Refused, match="proxy-socket"):
        app.check_addresses(Settings(sign_in=SignInSettings(proxy_user_header="X-User")))
    with pytest.raises(ValueError, match="no group"):
        SignInSettings(certificate_pattern="CN=.*")


def test_the_socket_is_its_owners_and_groups_and_a_dead_servers_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "proxy.sock"
    ports.listening_at(str(path)).close()

    with ports.listening_at(str(path)), socket.socket(socket.AF_UNIX) as client:
        assert path.stat().st_mode & 0o777 == 0o660
        client.connect(str(path))
        with pytest.raises(Refused, match="somebody listens there already"):
            ports.listening_at(str(path))
    with pytest.raises(Refused, match="proxy-socket"):
        ports.listening_at(str(tmp_path / "none" / "proxy.sock"))
