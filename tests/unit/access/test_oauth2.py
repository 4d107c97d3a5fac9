"""Signing in by a provider that knows OAuth2 only, by a browser and by a program that has its access token."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.fakes.issuer import CLIENT, ISSUER, Issuer
from tests.fakes.website import Answer, Website
from tests.harness import Harness

from gennaker import app
from gennaker.access.oauth2 import OAuth2Provider
from gennaker.model.codec import Json
from gennaker.model.problems import Refused
from gennaker.oauth2_settings import OAuth2Settings
from gennaker.oidc_settings import OidcSettings
from gennaker.settings import ServerSettings, Settings, SignInSettings
from gennaker.transport.http import GuardedClient

BROWSER = {"accept": "text/html"}
HUB = OAuth2Settings(
    name="hub",
    authorization_url=f"{ISSUER}/auth",
    token_url=f"{ISSUER}/token",
    user_info_url=f"{ISSUER}/me",
    client_id=CLIENT,
    subject_claim="id",
    name_claim="login",
)
"""As of a forge: people have a number and a login, and what they are of is listed elsewhere."""
Work = Callable[[Website, Issuer], Awaitable[None]]


def visit(work: Work, **settings: Any) -> None:
    harness = Harness(settings=Settings(sign_in=SignInSettings(required=True)))

    async def main() -> None:
        async with harness.process() as core:
            site, issuer = Website(harness, core), Issuer(harness.time.now)
            issuer.user_info = {"id": 17, "login": "eve"}
            site.sign_in.provider = OAuth2Provider(
                OAuth2Settings(**{name: getattr(HUB, name) for name in HUB.__struct_fields__} | settings),
                base_url="http://127.0.0.1:8084",
                new_client=lambda: GuardedClient(transport=issuer.transport(), resolve=issuer.resolve),
                clock=harness.time,
            )
            await work(site, issuer)

    harness.time.run(main())


async def signed_in(site: Website, issuer: Issuer) -> Answer:
    left = await site.get(f"/oauth2/authorization/hub?{urlencode({'to': '/ui/x'})}", token=None, headers=BROWSER)
    assert left.status == 302, left.body
    headers = {**BROWSER, "cookie": left.headers["set-cookie"].split(";")[0]}
    query = urlencode(issuer.answer_to(left.headers["location"]))
    return await site.get(f"/login/oauth2/code/hub?{query}", token=None, headers=headers)


async def who(site: Website, **headers: str) -> Json:
    return (await site.get("/auth/user", token=None, headers=headers)).json


def cookie_of(answer: Answer) -> str:
    return answer.headers["set-cookie"].split(";")[0]


async def told(site: Website, action: str) -> list[Json]:
    found = [one.entry for one in await site.ports.services.audit.records() if one.entry.action == action]
    return [one.details.get("via") for one in found]


def test_a_person_is_known_by_the_number_and_has_the_roles_of_the_groups_listed_elsewhere() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        issuer.groups = [{"slug": "deployers", "id": 1}, {"slug": "others"}, {"id": 3}, None]
        answer = await signed_in(site, issuer)
        assert answer.status == 200, answer.body
        assert "/ui/x" in answer.body.decode()
        user = await who(site, cookie=cookie_of(answer))
        assert isinstance(user, dict)
        assert (user["username"], user["roles"]) == ("eve", ["ops"])
        issuer.user_info = {"id": 18, "login": "eve"}
        assert (await signed_in(site, issuer)).status == 403, "somebody else who has taken the name over"
        assert (await site.get("/oauth2/authorization/oidc", token=None)).status == 404

    visit(work, groups_url=f"{ISSUER}/groups", groups_field="slug", roles={"deployers": ("ops",)})


def test_only_people_of_a_required_group_come_in_by_browser_and_by_token() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        issuer.user_info["teams"] = ["strangers"]
        refused = await signed_in(site, issuer)
        assert refused.status == 403
        assert "none of the provider&#x27;s groups" in refused.body.decode()
        assert (await site.get("/auth/user", token="a1")).status == 403
        issuer.user_info["teams"] = ["strangers", "staff"]
        assert (await signed_in(site, issuer)).status == 200

    visit(work, roles_claim="teams", required_groups=("staff",), access_tokens="user-info")


def test_what_the_provider_says_without_an_account_or_a_token_lets_nobody_in() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        for info in ({"login": "eve"}, {"id": True, "login": "eve"}, {"id": 17}, {"id": 17, "login": ""}):
            issuer.user_info = dict(info)
            assert (await signed_in(site, issuer)).status == 403, info
        issuer.token_answer = {"error": "bad_verification_code", "error_description": "It is spent."}
        refused = await signed_in(site, issuer)
        assert refused.status == 502
        assert "It is spent." in refused.body.decode()
        assert not await site.sign_in.identities.has_people()

    visit(work)


def test_a_program_comes_with_an_access_token_each_time_or_once_for_a_session() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        bearer = {"authorization": "Bearer a1"}
        user = await who(site, **bearer)
        assert isinstance(user, dict)
        assert (user["username"], user["isAdmin"]) == ("eve", False)
        for path in ("/login", "/login/oauth2/code/hub"):
            opened = await site.get(path, token=None, headers=bearer)
            assert opened.status == 200, opened.body
            user = await who(site, cookie=cookie_of(opened))
            assert isinstance(user, dict)
            assert user["username"] == "eve"
            with_both = await who(site, authorization="Bearer another", cookie=cookie_of(opened))
            assert isinstance(with_both, dict)
        assert not await told(site, "sign_in.refused"), "another token keeps nobody out whom a session lets in"
        assert await told(site, "sign_in.done") == ["access-token"] * 3, "not with each request"
        assert await who(site, authorization="Bearer spk_a1") is None
        assert await who(site, authorization="Bearer another") is None
        await site.refusals.settle()
        assert len(await told(site, "sign_in.refused")) == 2, "the first, and that there was another"
        assert "set-cookie" not in (await site.get("/login", token="another")).headers
        asked = len(issuer.asked)
        assert await who(site, authorization="Bearer spk_unknown") is None
        assert len(issuer.asked) == asked, "no other API token is shown to the provider"

    visit(work, access_tokens="user-info")


def test_who_guesses_access_tokens_waits_and_keeps_nobody_else_out() -> None:
    async def work(site: Website, issuer: Issuer) -> None:
        assert (await site.get("/auth/user", token="a1")).status == 200
        statuses = [(await site.get("/auth/user", token=f"guess{number}")).status for number in range(52)]
        assert statuses == [200] * 50 + [429] * 2
        assert issuer.asked.count("/me") == 51

    visit(work, access_tokens="user-info")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"token_url": ""}, r"oauth2\.token-url"),
        ({"user_info_url": "http://id.example.org/me"}, r"oauth2\.user-info-url"),
        ({"client_id": ""}, r"oauth2\.client-id"),
        ({"access_tokens": "introspection"}, r"oauth2\.introspection-url"),
        ({"access_tokens": "introspection", "introspection_url": f"{ISSUER}/i"}, r"oauth2\.client-secret-file"),
        ({"required_groups": ("staff",)}, r"oauth2\.groups-url"),
        ({"authorization_url": ""}, r"oauth2\.authorization-url"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed: dict[str, Any], said: str) -> None:
    given = OAuth2Settings(**{name: getattr(HUB, name) for name in HUB.__struct_fields__} | changed)
    good = {"sign_in": SignInSettings(required=True), "server": ServerSettings(base_url="https://cd.example.org")}

    with pytest.raises(Refused, match=said):
        app.check_addresses(Settings(oauth2=given, **good))

    app.check_addresses(Settings(oauth2=HUB, **good))
    with pytest.raises(Refused, match="one provider only"):
        app.check_addresses(Settings(oauth2=HUB, oidc=OidcSettings(issuer=ISSUER, client_id=CLIENT), **good))
