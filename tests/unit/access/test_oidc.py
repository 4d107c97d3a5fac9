"""Signing in by an OpenID Connect provider: what is asked, what is believed, and what is said when it can't be."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest
from tests.fakes.issuer import CLIENT, ISSUER, Issuer
from tests.fakes.website import Answer, Website
from tests.harness import Harness

from gennaker import app
from gennaker.access.oidc import OidcProvider
from gennaker.model.codec import Json
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.oidc_settings import OidcSettings
from gennaker.settings import ServerSettings, Settings, SignInSettings
from gennaker.transport.http import GuardedClient

BASE = "http://127.0.0.1:8084"
BROWSER = {"accept": "text/html"}
OPERATOR = Principal(name="operator", is_operator=True)
Work = Callable[[Website, Issuer], Awaitable[None]]


def visit(work: Work, **settings: Any) -> None:
    harness = Harness(settings=Settings(sign_in=SignInSettings(required=True)))

    async def main() -> None:
        async with harness.process() as core:
            site, issuer = Website(harness, core), Issuer(harness.time.now)
            given = OidcSettings(issuer=ISSUER, client_id=CLIENT, **settings)
            site.sign_in.provider = OidcProvider(
                given,
                base_url=BASE,
                new_client=lambda: GuardedClient(transport=issuer.transport(), resolve=issuer.resolve),
                clock=harness.time,
            )
            await work(site, issuer)

    harness.time.run(main())


async def begun(site: Website, to: str = "/ui/") -> Answer:
    return await site.get(f"/oauth2/authorization/oidc?{urlencode({'to': to})}", token=None, headers=BROWSER)


async def come_back(site: Website, left: Answer, answer: dict[str, str]) -> Answer:
    headers = {**BROWSER, "cookie": left.headers["set-cookie"].split(";")[0]}
    return await site.get(f"/login/oauth2/code/oidc?{urlencode(answer)}", token=None, headers=headers)


async def signed_in(site: Website, issuer: Issuer, to: str = "/ui/") -> Answer:
    left = await begun(site, to)
    assert left.status == 302, left.body
    return await come_back(site, left, issuer.answer_to(left.headers["location"]))


async def who(site: Website, answer: Answer) -> Json:
    assert answer.status == 200, answer.body
    return (await site.get("/auth/user", token=None, headers=session_of(answer))).json


def session_of(answer: Answer) -> dict[str, str]:
    cookie = answer.headers["set-cookie"].split(";")[0]
    assert cookie.startswith("gennaker_session="), cookie
    return {"cookie": cookie}


async def refusals(site: Website) -> list[Json]:
    found = [one.entry for one in await site.ports.services.audit.records() if one.entry.action == "sign_in.refused"]
    return [one.details["why"] for one in found]


def test_the_provider_is_asked_with_pkce_state_and_nonce_and_says_who_it_is() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        left = await begun(site, "/ui/executions/e1")
        asked = {name: value for name, (value,) in parse_qs(urlsplit(left.headers["location"]).query).items()}
        answer = await come_back(site, left, issuer.answer_to(left.headers["location"]))

        assert len({asked[one] for one in ("state", "nonce", "code_challenge")}) == 3
        assert (asked["code_challenge_method"], asked["redirect_uri"]) == ("S256", f"{BASE}/login/oauth2/code/oidc")
        assert "httponly" in left.headers["set-cookie"].lower()
        assert "samesite=lax" in left.headers["set-cookie"].lower()
        assert "/ui/executions/e1" in answer.body.decode()
        user = await who(site, answer)
        assert isinstance(user, dict)
        assert (user["username"], user["roles"], user["isAdmin"]) == ("eve", ["dev"], False)
        assert (issuer.sent["client_id"], issuer.sent["authorization"]) == (CLIENT, ""), "a public client"
        person = await site.sign_in.identities.person("eve")
        assert person is not None
        assert (person.source, person.subject) == ("oidc", f"{ISSUER} e1")

    visit(work)


def test_groups_stand_for_roles_and_follow_the_provider(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3 cret\n")

    async def work(site: Website, issuer: Issuer) -> None:
        issuer.claims = {"preferred_username": "eve"}
        issuer.user_info = {"sub": "e1", "groups": ["cd-admins", "others"]}
        user = await who(site, await signed_in(site, issuer))
        assert isinstance(user, dict)
        assert (user["roles"], user["isAdmin"]) == (["admin", "dev"], True)
        assert issuer.sent["authorization"] == "Basic Z2VubmFrZXI6czMlMjBjcmV0", "form-encoded, then base64"
        issuer.user_info = {"sub": "e1", "groups": []}
        user = await who(site, await signed_in(site, issuer))
        assert isinstance(user, dict)
        assert (user["roles"], user["isAdmin"]) == ([], False)
        issuer.user_info = {"sub": "somebody-else", "groups": ["cd-admins"]}
        assert (await signed_in(site, issuer)).status == 502

    visit(work, roles={"cd-admins": ("admin", "dev")}, client_secret_file=str(secret))


def test_an_answer_that_this_browser_did_not_ask_for_is_refused() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        mine, theirs = await begun(site), await begun(site)
        answer = issuer.answer_to(theirs.headers["location"])
        for given in (answer, {"code": "c1"}, {**answer, "state": ""}):
            assert (await come_back(site, mine, given)).status == 400, given
        without = await site.get(f"/login/oauth2/code/oidc?{urlencode(answer)}", token=None, headers=BROWSER)
        assert without.status == 400
        stolen = issuer.answer_to(theirs.headers["location"])
        wrong = await come_back(
            site, mine, {**issuer.answer_to(mine.headers["location"]), "iss": "https://evil.example"}
        )
        assert wrong.status == 502
        issuer.answer_to(theirs.headers["location"])
        injected = {**stolen, "state": parse_qs(urlsplit(mine.headers["location"]).query)["state"][0]}
        refused = await come_back(site, mine, injected)
        assert refused.status == 502, "the code belongs to another verifier"
        assert "invalid_grant" in refused.body.decode()

    visit(work)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"]},
        {"azp": "another"},
        {"iss": "https://evil.example"},
        {"sub": None},
        {"exp": 1},
        {"exp": None},
        {"iat": 4_000_000_000},
    ],
)
def test_an_id_token_that_does_not_hold_lets_nobody_in(claims: dict[str, Json]) -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        issuer.claims |= claims
        answer = await signed_in(site, issuer)
        assert answer.status == 502
        assert "trusted" in answer.body.decode()
        assert not await site.sign_in.identities.has_people()

    visit(work)


def test_clocks_may_differ_by_the_leeway_and_no_more() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        true = issuer.now
        issuer.now = lambda: true() + timedelta(seconds=55)
        assert (await signed_in(site, issuer)).status == 200
        issuer.now = lambda: true() - timedelta(seconds=355)
        assert (await signed_in(site, issuer)).status == 200
        issuer.now = lambda: true() + timedelta(seconds=65)
        early = await signed_in(site, issuer)
        issuer.now = lambda: true() - timedelta(seconds=365)
        late = await signed_in(site, issuer)
        assert (early.status, late.status) == (502, 502)
        assert "clock" in late.body.decode()

    visit(work)


def test_a_new_key_of_the_provider_is_asked_for_once_and_an_old_one_no_longer_believed() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        assert [(await signed_in(site, issuer)).status for _ in range(2)] == [200, 200]
        old = issuer.key
        issuer.rotate()
        assert [(await signed_in(site, issuer)).status for _ in range(2)] == [200, 200]
        assert issuer.asked.count("/keys") == 2
        new = issuer.key
        issuer.key = type(old).import_key({**old.as_dict(private=True), "kid": new.kid})
        assert (await signed_in(site, issuer)).status == 502, "another's key under the known name"

    visit(work)


def test_while_the_provider_is_down_the_form_says_so_and_passwords_are_good() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        await site.sign_in.add_person("ada", "correct horse battery", (), by=OPERATOR)
        issuer.is_down = True
        answer = await begun(site)
        assert answer.status == 503
        assert "can&#x27;t be asked" in answer.body.decode()
        assert "Sign in with single sign-on" in answer.body.decode()
        assert (
            await site.get(
                "/auth/user", token=None, headers={"authorization": "Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ=="}
            )
        ).json
        issuer.is_down = False
        left = await begun(site)
        issuer.is_down = True
        assert (await come_back(site, left, issuer.answer_to(left.headers["location"]))).status == 503
        assert (await site.get("/auth/logout", token=None, headers=BROWSER)).status == 302

    visit(work)


def test_a_discovery_document_of_somebody_else_is_not_believed() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        issuer.document = {**issuer.document, "issuer": "https://evil.example"}
        assert (await begun(site)).status == 502
        issuer.document = {"issuer": ISSUER}
        assert (await begun(site)).status == 502

    visit(work)


@pytest.mark.parametrize(
    ("email", "is_verified", "status"),
    [
        ("eve@Example.org", True, 200),
        ("eve@example.org", False, 403),
        ("eve@example.com", True, 403),
        ("eve@sub.example.org", True, 403),
        ("", True, 403),
    ],
)
def test_only_verified_addresses_of_the_named_domains_may_come(email: str, is_verified: bool, status: int) -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        issuer.claims |= {"email": email, "email_verified": is_verified}
        assert (await signed_in(site, issuer)).status == status

    visit(work, email_domains=("example.org",))


def test_a_name_belongs_to_who_had_it_first() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        await site.sign_in.add_person("eve", "correct horse battery", ("admin",), by=OPERATOR)
        taken = await signed_in(site, issuer)
        assert taken.status == 403
        issuer.claims |= {"preferred_username": "bob"}
        assert (await signed_in(site, issuer)).status == 200
        issuer.claims |= {"sub": "another"}
        assert (await signed_in(site, issuer)).status == 403, "the provider has given the name to another person"
        for impossible in ("operator", "a b", ""):
            issuer.claims |= {"preferred_username": impossible}
            assert (await signed_in(site, issuer)).status in (400, 403), impossible
        told = await refusals(site)
        assert len(told) == 5
        assert "eve" in str(told[0])

    visit(work)


def test_who_is_disabled_here_may_not_come_from_there() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        came = await signed_in(site, issuer)
        person = await site.sign_in.identities.person("eve")
        assert person is not None
        off = msgspec.structs.replace(person, is_disabled=True)
        await site.sign_in.change_person(off, before=person, by=OPERATOR)
        assert await who(site, came) is None
        assert (await signed_in(site, issuer)).status == 403

    visit(work)


def test_a_browser_that_signs_out_is_signed_out_at_the_provider_and_a_program_is_not() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        came = await signed_in(site, issuer)
        program = await site.get("/auth/logout", token=None)
        assert program.headers["location"] == "/auth/loggedOut"
        left = await site.get("/auth/logout", token=None, headers={**session_of(came), **BROWSER})
        query = urlencode({"client_id": CLIENT, "post_logout_redirect_uri": f"{BASE}/auth/loggedOut"})
        assert left.headers["location"] == f"{ISSUER}/bye?{query}"
        assert await who(site, came) is None

    visit(work)


def test_the_way_on_leads_nowhere_else() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        answer = await signed_in(site, issuer, "https://evil.example/")
        assert "evil" not in answer.body.decode()
        declined = await begun(site)
        state = issuer.answer_to(declined.headers["location"])["state"]
        answer = await come_back(
            site, declined, {"state": state, "error": "access_denied", "error_description": "<b>no</b>"}
        )
        assert answer.status == 401
        assert "&lt;b&gt;no&lt;/b&gt;" in answer.body.decode()

    visit(work)


def test_settings_that_cannot_work_are_refused() -> None:
    for issuer in ("http://id.example.org", "id.example.org", "https://id.example.org?x=1"):
        with pytest.raises(Refused, match=r"oidc\.issuer"):
            app.check_addresses(Settings(oidc=OidcSettings(issuer=issuer)))
    with pytest.raises(Refused, match=r"oidc.client-id .*oidc.scopes .*sign-in.required .*server.base-url"):
        app.check_addresses(Settings(oidc=OidcSettings(issuer=ISSUER, scopes=("email",))))
    app.check_addresses(
        Settings(
            oidc=OidcSettings(issuer=ISSUER, client_id=CLIENT),
            sign_in=SignInSettings(required=True),
            server=ServerSettings(base_url="https://cd.example.org"),
        )
    )
