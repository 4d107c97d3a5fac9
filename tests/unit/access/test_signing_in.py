"""Signing in: passwords and their guessing, sessions, tokens, the first person, and what the cookies are like."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from tests.fakes.website import HOST, QUICK, TOKEN, Answer, Website
from tests.harness import Harness

from gennaker.access.credentials import Token
from gennaker.access.identities import ServiceAccount
from gennaker.access.passwords import Passwords
from gennaker.access.refusals import Refusals
from gennaker.access.signing_in import SignIn
from gennaker.interfaces.identity_providers import ForeignPerson
from gennaker.model.audit import AuditEntry
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.settings import Settings, SignInSettings

PASSWORD = "correct horse battery"
OPERATOR = Principal(name="operator", is_operator=True)
FORM = {"content-type": "application/x-www-form-urlencoded"}
BROWSER = {**FORM, "accept": "text/html", "origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}


def visit(work: Callable[[Website], Awaitable[None]], *, has_ada: bool = True) -> None:
    harness = Harness(settings=Settings(sign_in=SignInSettings(required=True)))

    async def main() -> None:
        async with harness.process() as core:
            site = Website(harness, core)
            if has_ada:
                await site.sign_in.add_person("ada", PASSWORD, ("Ops",), by=OPERATOR)
            await work(site)

    harness.time.run(main())


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


async def sign_in(
    site: Website, name: str, password: str, headers: dict[str, str] | None = None, to: str = ""
) -> Answer:
    raw = urlencode({"username": name, "password": password, "to": to}).encode()
    return await site.call("POST", "/login", token=None, raw=raw, headers=headers or FORM)


def cookie_of(answer: Answer) -> dict[str, str]:
    return {"cookie": answer.headers["set-cookie"].split(";")[0]}


async def status(site: Website, headers: dict[str, str] | None = None) -> int:
    return (await site.get("/applications", token=None, headers=headers)).status


def test_nobody_is_let_in_and_user_is_empty_as_gates_is() -> None:
    async def work(site: Website) -> None:
        answer = await site.get("/applications", token=None)
        assert (answer.status, answer.json["code"]) == (401, "request.not_signed_in")
        user = await site.get("/auth/user", token=None)
        assert (user.status, user.json) == (200, None)

    visit(work)


def test_basic_credentials_are_good_for_each_request() -> None:
    async def work(site: Website) -> None:
        user = (await site.get("/auth/user", token=None, headers=basic("Ada", PASSWORD))).json
        assert (user["username"], user["roles"], user["isAdmin"]) == ("ada", ["ops"], False)
        assert await status(site, basic("ada", "wrong horse")) == 401
        assert await status(site, basic("eve", PASSWORD)) == 401
        assert await status(site, {"authorization": "Basic !!"}) == 401

    visit(work)


def times(told: list[AuditEntry], code: str) -> int:
    """How often it was refused so: one by one, and counted."""
    return sum(int(str(one.details.get("more", 1))) for one in told if one.details["code"] == code)


def test_a_form_opens_a_session_that_ends_with_signing_out() -> None:
    async def work(site: Website) -> None:
        opened = await sign_in(site, "ada", PASSWORD)
        assert (opened.status, opened.json["username"]) == (200, "ada")
        session = cookie_of(opened)
        assert await status(site, session) == 200
        out = await site.get("/auth/logout", token=None, headers=session)
        assert (out.status, out.headers["location"]) == (302, "/auth/loggedOut")
        assert await status(site, session) == 401
        actions = [one.entry.action for one in await site.ports.services.audit.records()]
        assert actions[-3:] == ["sign_in.done", "sign_in.ended", "access.refused"]

    visit(work)


def test_a_sessions_cookie_is_kept_from_scripts_and_foreign_pages() -> None:
    async def work(site: Website) -> None:
        cookie = (await sign_in(site, "ada", PASSWORD)).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        session = cookie_of(await sign_in(site, "ada", PASSWORD))
        for foreign in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
            answer = await site.call("PUT", "/tasks/cancel", token=None, headers={**session, **foreign})
            assert (answer.status, answer.json["code"]) == (403, "request.foreign_origin")
            assert (await sign_in(site, "ada", PASSWORD, {**FORM, **foreign})).status == 403, "nor signs somebody in"

    visit(work)


def test_a_session_lasts_a_day_and_ends_when_the_password_changes_or_the_person_is_disabled() -> None:
    async def work(site: Website) -> None:
        session = cookie_of(await sign_in(site, "ada", PASSWORD))
        await asyncio.sleep(86_390)
        assert await status(site, session) == 200
        await asyncio.sleep(20)
        assert await status(site, session) == 401

        session = cookie_of(await sign_in(site, "ada", PASSWORD))
        ada = await site.sign_in.identities.person("ada")
        assert ada is not None
        await site.sign_in.change_password(ada, "another good one", by=OPERATOR)
        assert await status(site, session) == 401
        assert await status(site, basic("ada", PASSWORD)) == 401

    visit(work)


def test_who_guesses_waits_longer_each_time_and_only_where_they_guess_from() -> None:
    async def work(site: Website) -> None:
        for _ in range(5):
            assert (await sign_in(site, "ada", "wrong horse")).status == 401
        refused = await sign_in(site, "ada", PASSWORD)
        assert (refused.status, refused.json["code"]) == (429, "sign_in.wait")
        await site.sign_in.by_password("ada", PASSWORD, address="192.0.2.7", via="form")
        await asyncio.sleep(1.1)
        assert (await sign_in(site, "ada", "wrong horse")).status == 401
        await asyncio.sleep(1.1)
        assert (await sign_in(site, "ada", PASSWORD)).status == 429, "twice as long"
        await asyncio.sleep(1.1)
        assert (await sign_in(site, "ada", PASSWORD)).status == 200
        await site.refusals.settle()
        told = [one.entry for one in await site.ports.services.audit.records() if one.entry.action == "sign_in.refused"]
        assert {(code, times(told, code)) for code in ("sign_in.wrong", "sign_in.wait")} == {
            ("sign_in.wrong", 6),
            ("sign_in.wait", 2),
        }
        assert PASSWORD not in str(told)

    visit(work)


def test_one_address_cannot_try_one_password_on_all_names() -> None:
    async def work(site: Website) -> None:
        found = {(await sign_in(site, f"name{number}", "wrong horse")).status for number in range(50)}
        assert found == {401}
        assert (await sign_in(site, "ada", PASSWORD)).status == 429

    visit(work)


def test_tokens_end_are_revoked_and_go_with_their_holder() -> None:
    async def work(site: Website) -> None:
        now = site.ports.services.clock.now()
        robot = ServiceAccount(name="robot", roles=("ops",), since=now)
        await site.sign_in.identities.add_service_account(robot)
        wanted = Token(id="", name="ci", holder="robot", is_service_account=True, made_by="x", made_at=now, until=now)
        late = Token(id="", name="ci", holder="ada", made_by="x", made_at=now, until=now + timedelta(days=91))
        for impossible in (wanted, late):
            with pytest.raises(Refused, match="in the future"):
                await site.sign_in.new_token(impossible, by=OPERATOR)
        day = Token(
            id="", name="ci", holder="robot", is_service_account=True, made_by="x", made_at=now,
            until=now + timedelta(days=1),
        )  # fmt: skip
        secret, other = [await site.sign_in.new_token(day, by=OPERATOR) for _ in range(2)]
        assert secret.startswith("spk_")
        assert await status(site, {"x-spinnaker-token": secret}) == 200
        assert await status(site, {"authorization": f"Bearer {secret}"}) == 200
        assert secret not in str(site.ports.services.audit)
        listed = await site.sign_in.tokens_of("robot")
        await site.sign_in.revoke(listed[0], by=OPERATOR)
        assert sorted([await status(site, {"x-spinnaker-token": one}) for one in (secret, other)]) == [200, 401]
        await asyncio.sleep(86_401)
        assert {await status(site, {"x-spinnaker-token": one}) for one in (secret, other)} == {401}

    visit(work)


def test_the_first_link_makes_the_first_administrator_and_no_second() -> None:
    async def work(site: Website) -> None:
        before = await site.get("/ui/sign-in", token=None)
        assert b"Nobody can sign in yet" in before.body
        opened = await site.get(f"/ui/sign-in?once={site.doors.new_link()}", token=None)
        assert b"/ui/first-person" in opened.body
        link = cookie_of(opened)
        assert b"Create the first administrator" in (await site.get("/ui/first-person", token=None, headers=link)).body
        for password, again, said in (
            ("short", "short", b"10 to 1000 characters"),
            (PASSWORD, "something else", b"not the same"),
        ):
            raw = urlencode({"username": "ada", "password": password, "again": again}).encode()
            wrong = await site.call("POST", "/ui/first-person", token=None, raw=raw, headers={**BROWSER, **link})
            assert wrong.status == 422
            assert said in wrong.body
        raw = urlencode({"username": "ada", "password": PASSWORD, "again": PASSWORD}).encode()
        made = await site.call("POST", "/ui/first-person", token=None, raw=raw, headers={**BROWSER, **link})
        user = (await site.get("/auth/user", token=None, headers=cookie_of(made))).json
        assert (user["username"], user["isAdmin"]) == ("ada", True)
        assert (await site.get("/auth/user", token=None, headers=link)).json is None, "the link's session is over"
        again = await site.call("POST", "/ui/first-person", token=TOKEN, raw=raw, headers=FORM)
        assert again.status == 409

    visit(work, has_ada=False)


def test_a_browser_goes_on_to_a_page_of_this_server_only() -> None:
    async def work(site: Website) -> None:
        for to, goes in (
            ("/ui/#/x", "/ui/#/x"),
            ("//evil.example", "/ui/"),
            ("https://evil.example", "/ui/"),
            ("/\\evil.example", "/ui/"),
            ("/\t/evil.example", "/ui/"),
        ):
            shown = await sign_in(site, "ada", PASSWORD, BROWSER, to)
            assert f'content="0;url={goes}"'.encode() in shown.body, to

    visit(work)


def test_a_browser_sees_the_form_again_with_what_is_wrong_and_nothing_that_it_sent_becomes_markup() -> None:
    async def work(site: Website) -> None:
        shown = await sign_in(site, "<script>ada", "wrong horse", BROWSER)
        assert shown.status == 401
        assert b"Name or password are wrong." in shown.body
        assert b"<script>" not in shown.body
        assert b"wrong horse" not in shown.body

    visit(work)


def test_the_page_and_decks_redirect_send_browsers_to_the_form() -> None:
    async def work(site: Website) -> None:
        assert (await site.get("/ui/", token=None)).headers["location"] == "/ui/sign-in"
        deck = await site.get("/auth/redirect?to=http://localhost:9000/%23/x", token=None)
        assert deck.headers["location"].startswith("/ui/sign-in?to=%2Fauth%2Fredirect")

    visit(work)


class Directory:
    """Knows one person. Offers the port PasswordDirectory."""

    name = "ldap"

    def __init__(self) -> None:
        self.roles: tuple[str, ...] = ("Ops",)
        self.asked: list[str] = []

    async def check(self, name: str, password: str) -> ForeignPerson | None:
        self.asked.append(name)
        if (name.lower(), password) != ("eve", "of the directory"):
            return None
        return ForeignPerson(source=self.name, subject="cn=eve", name="eve", roles=self.roles)


def test_a_directory_is_asked_about_those_who_have_no_sign_in_here() -> None:
    directory = Directory()

    async def work(site: Website) -> None:
        asking = SignIn(
            people=site.sign_in.identities,
            documents=site.ports.services.documents,
            passwords=Passwords(clock=site.ports.services.clock, key=b"key", hasher=QUICK),
            audit=site.ports.services.audit,
            refusals=Refusals(site.ports.services.audit, site.ports.services.clock),
            clock=site.ports.services.clock,
            new_secret=lambda: "x",
            settings=site.ports.sign_in.settings,
            directory=directory,
        )

        async def by_password(name: str, password: str) -> Principal:
            return await asking.by_password(name, password, address="a", via="basic")

        eve = await by_password("Eve", "of the directory")
        assert (eve.name, eve.roles, eve.via) == ("eve", {"ops"}, "ldap")
        directory.roles = ("dev",)
        assert (await by_password("eve", "of the directory")).roles == {"dev"}
        assert (await by_password("ada", PASSWORD)).via == "basic"
        for name, password in (("eve", "wrong"), ("eve", ""), ("ada", "of the directory"), ("a b", "x")):
            with pytest.raises(Refused) as refused:
                await by_password(name, password)
            assert refused.value.status == 401
        assert directory.asked == ["Eve", "eve", "eve"], "not about ada, nor about what can't be right"

    visit(work)
