"""The sign-ins of `spin`'s configuration, as it sends them, at a server where one has to sign in: what each may, and may not."""

import base64
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from tests import make
from tests.fakes.spin import Spin
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.access.credentials import Token
from gennaker.model.codec import JsonObject
from gennaker.model.permissions import Right
from gennaker.model.principal import Principal
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import Settings, SignInSettings
from gennaker.web.proxies import Proxied

PASSWORD = "correct horse battery"
OPERATOR = Principal(name="operator", is_operator=True)
SETTINGS = Settings(
    sign_in=SignInSettings(
        required=True, proxy_socket="/run/gennaker.sock", proxy_certificate_header="X-Client-Subject"
    )
)
PIPELINE: JsonObject = {
    "application": "shop",
    "name": "Deliver",
    "stages": [make.stage_json("a", type="wait", waitTime=1)],
}
SHOP: JsonObject = {
    "name": "shop",
    "email": "ada@example.org",
    "permissions": {"READ": ["dev"], "WRITE": ["dev"], "EXECUTE": ["dev"]},
}
Enter = Callable[[Website, str], Awaitable[Spin]]


async def basic(site: Website, name: str) -> Spin:
    given = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    return Spin(site, {"authorization": f"Basic {given}"})


async def ldap(site: Website, name: str) -> Spin:
    spin = Spin(site)
    await spin.sign_in(name, PASSWORD)
    return spin


async def api_token(site: Website, name: str) -> Spin:
    return Spin(site, {"x-spinnaker-token": await token(site, name)})


async def bearer(site: Website, name: str) -> Spin:
    """As its sections for OAuth2 and Google: once to /login, in newer ones with every call."""
    spin = Spin(site, {"authorization": f"Bearer {await token(site, name)}"})
    assert (await spin.ask("GET", "/login"))["username"] == name
    return spin


async def x509(site: Website, name: str) -> Spin:
    """The proxy that ends TLS has checked its certificate."""
    site.app = Proxied(site.app)
    return Spin(site, {"x-client-subject": f"CN={name},O=Example"})


async def token(site: Website, name: str) -> str:
    now = site.ports.services.clock.now()
    made = Token(id="", name="spin", holder=name, made_by=name, made_at=now, until=now + timedelta(days=1))
    return await site.sign_in.new_token(made, by=OPERATOR)


def run(work: Callable[[Website], Awaitable[None]]) -> None:
    async def main(site: Website) -> None:
        await site.sign_in.add_person("ada", PASSWORD, ("dev",), by=OPERATOR)
        await site.sign_in.add_person("eve", PASSWORD, (), by=OPERATOR)
        await work(site)

    visit(main, harness=Harness(flow.plugin, definitions.plugin, settings=SETTINGS))


@pytest.mark.parametrize("enter", [basic, ldap, api_token, bearer, x509], ids=lambda one: one.__name__)
def test_commands_work_for_whoever_may_and_are_refused_to_others(enter: Enter) -> None:
    async def work(site: Website) -> None:
        ada = await enter(site, "ada")
        assert (await ada.ask("GET", "/auth/user"))["username"] == "ada"
        await ada.do("shop", "Create Application: shop", {"type": "createApplication", "application": SHOP})
        await ada.ask("POST", "/pipelines", PIPELINE)
        assert "ref" in await ada.ask("POST", "/pipelines/shop/Deliver", {}, wants=202)
        assert [one["name"] for one in await ada.ask("GET", "/applications")] == ["shop"]

        eve = await enter(site, "eve")
        assert await eve.refused("POST", "/pipelines/shop/Deliver", {}, wants=202) == 403
        assert await eve.ask("GET", "/applications") == []

    run(work)


def test_whoever_signs_in_by_nothing_or_by_something_wrong_gets_nothing() -> None:
    async def work(site: Website) -> None:
        wrong = Spin(site)
        await wrong.sign_in("ada", "wrong horse")
        for spin in (Spin(site), wrong, Spin(site, {"authorization": "Bearer ya29.foreign"})):
            assert await spin.refused("GET", "/applications") == 401

    run(work)


def test_whoever_submits_a_job_may_follow_it_where_nobody_may_read_its_application() -> None:
    """One that deletes the application, and one of projects, which names an application that nobody saves."""

    async def work(site: Website) -> None:
        ada, eve = await basic(site, "ada"), await basic(site, "eve")
        await ada.do("shop", "Create Application: shop", {"type": "createApplication", "application": SHOP})
        project: JsonObject = {"name": "web", "email": "ada@example.org"}
        job: JsonObject = {"type": "upsertProject", "project": project, "user": "ada@example.org"}
        saved = await ada.do("spinnaker", "Create Project: web", job, project="web")

        gone = {"type": "deleteApplication", "application": {"name": "shop"}}
        deleted = await ada.do("shop", "Delete Application: shop", gone)

        for task in (saved, deleted):
            assert await eve.refused("GET", f"/tasks/{task['id']}") == 403
        narrow = Token(
            id="",
            name="starts",
            holder="ada",
            made_by="ada",
            made_at=site.ports.services.clock.now(),
            until=site.ports.services.clock.now() + timedelta(days=1),
            scopes=(Right.EXECUTE,),
        )
        spin = Spin(site, {"x-spinnaker-token": await site.sign_in.new_token(narrow, by=OPERATOR)})
        assert await spin.refused("GET", f"/tasks/{saved['id']}") == 403

    run(work)
