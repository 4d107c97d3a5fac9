"""One suite for every provider that people sign in by: what a browser is sent with, and whom is believed that it brings back."""

from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.fakes.issuer import CLIENT, ISSUER, Issuer

from gennaker.access.oauth2 import OAuth2Provider
from gennaker.access.oidc import OidcProvider
from gennaker.interfaces.identity_providers import IdentityProvider
from gennaker.model.problems import Refused
from gennaker.oauth2_settings import AccessTokens, OAuth2Settings
from gennaker.oidc_settings import OidcSettings
from gennaker.testing.virtual_time import VirtualTime
from gennaker.transport.http import GuardedClient

SUBJECTS: dict[str, type[IdentityProvider]] = {"oidc": OidcProvider, "oauth2": OAuth2Provider}
BASE = "https://cd.example.org"
MINE, THEIRS = "m" * 43, "t" * 43


class Bench:
    """A provider by whom `eve`, of the group `dev`, signs in."""

    def __init__(self, kind: str, secret: Path) -> None:
        secret.write_text("s3cret")
        self.time = VirtualTime()
        self.issuer = Issuer(self.time.now)
        self.issuer.user_info = {"sub": "e1", "preferred_username": "eve", "groups": ["dev"]}
        self._kind = kind
        self._secret = str(secret)
        self.provider = self.with_tokens("refused")

    def with_tokens(self, access_tokens: AccessTokens, clients: tuple[str, ...] = ()) -> IdentityProvider:
        if self._kind == "oidc":
            return OidcProvider(
                OidcSettings(
                    issuer=ISSUER,
                    client_id=CLIENT,
                    client_secret_file=self._secret,
                    access_tokens=access_tokens,
                    token_clients=clients,
                ),
                base_url=BASE,
                new_client=self._client,
                clock=self.time,
            )
        return OAuth2Provider(
            OAuth2Settings(
                authorization_url=f"{ISSUER}/auth",
                token_url=f"{ISSUER}/token",
                user_info_url=f"{ISSUER}/me",
                introspection_url=f"{ISSUER}/introspect",
                client_id=CLIENT,
                client_secret_file=self._secret,
                roles_claim="groups",
                access_tokens=access_tokens,
                token_clients=clients,
            ),
            base_url=BASE,
            new_client=self._client,
            clock=self.time,
        )

    def _client(self) -> GuardedClient:
        return GuardedClient(transport=self.issuer.transport(), resolve=self.issuer.resolve)


@pytest.fixture(params=SUBJECTS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(request.param, tmp_path / "secret")


def run(bench: Bench, work: Callable[[], Coroutine[None, None, None]]) -> None:
    bench.time.run(work())


async def status_of(asked: Awaitable[object]) -> int:
    with pytest.raises(Refused) as refused:
        await asked
    return refused.value.status


def test_a_browser_is_sent_with_pkce_and_a_state_of_its_own(bench: Bench) -> None:
    async def work() -> None:
        asked = []
        for secret in (MINE, MINE, THEIRS):
            address = await bench.provider.begin(secret)
            assert address.startswith(f"{ISSUER}/auth?")
            assert secret not in address
            asked.append({name: value for name, (value,) in parse_qs(urlsplit(address).query).items()})

        assert asked[0] == asked[1], "any server of a database finishes what another began"
        assert asked[0]["state"] != asked[2]["state"]
        assert asked[0]["code_challenge"] != asked[2]["code_challenge"]
        assert asked[0]["code_challenge_method"] == "S256"
        assert asked[0]["redirect_uri"] == f"{BASE}/login/oauth2/code/{bench.provider.name}"

    run(bench, work)


def test_who_comes_back_is_the_same_person_each_time(bench: Bench) -> None:
    async def work() -> None:
        found = [
            await bench.provider.finish(MINE, bench.issuer.answer_to(await bench.provider.begin(MINE))) for _ in "12"
        ]

        assert (found[0].name, [role.lower() for role in found[0].roles or ()]) == ("eve", ["dev"])
        assert found[0] == found[1]
        assert found[0].source == bench.provider.name
        assert bench.issuer.sent["code_verifier"]
        assert bench.issuer.sent["authorization"].startswith("Basic ")

    run(bench, work)


def test_an_answer_to_another_browsers_question_is_refused(bench: Bench) -> None:
    async def work() -> None:
        finish = bench.provider.finish
        mine = bench.issuer.answer_to(await bench.provider.begin(MINE))
        assert await status_of(finish(THEIRS, mine)) == 400
        assert await status_of(finish("", mine)) == 400
        assert await status_of(finish(MINE, {"code": "c1"})) == 400
        assert await status_of(finish(MINE, {**mine, "state": mine["state"] + "x"})) == 400
        assert await status_of(finish(MINE, {"state": mine["state"]})) == 401
        assert await status_of(finish(MINE, {"state": mine["state"], "error": "access_denied"})) == 401
        bench.issuer.answer_to(await bench.provider.begin(THEIRS))
        assert await status_of(finish(MINE, mine)) == 502, "the code was given for another verifier"

    run(bench, work)


def test_a_provider_that_does_not_answer_lets_nobody_in(bench: Bench) -> None:
    async def work() -> None:
        mine = bench.issuer.answer_to(await bench.provider.begin(MINE))
        tokens = bench.with_tokens("introspection")
        bench.issuer.is_down = True
        assert await status_of(bench.provider.finish(MINE, mine)) == 503
        assert await status_of(tokens.by_access_token("a1")) == 503
        bench.issuer.is_down = False
        assert await tokens.by_access_token("a1") is not None, "that it was down isn't remembered"

    run(bench, work)


def test_access_tokens_are_taken_where_the_settings_say_so(bench: Bench) -> None:
    async def work() -> None:
        assert await bench.provider.by_access_token("a1") is None
        assert bench.issuer.asked == [], "it isn't even sent"
        for kind in ("introspection", "user-info"):
            found = await bench.with_tokens(kind).by_access_token("a1")
            assert found is not None
            assert (found.source, found.name, found.roles) == (bench.provider.name, "eve", ("dev",))
            assert await bench.with_tokens(kind).by_access_token("another") is None

    run(bench, work)


def test_an_introspected_token_counts_only_if_it_was_made_for_a_named_client(bench: Bench) -> None:
    async def work() -> None:
        tokens = bench.with_tokens("introspection", ("spin",))
        bench.issuer.access_tokens |= {
            "of-spin": {"client_id": "spin", "sub": "e1"},
            "of-a-stranger": {"client_id": "stranger", "sub": "e1"},
            "of-nobody": {"sub": "e1"},
            "spent": {"client_id": "spin", "sub": "e1", "active": False},
            "odd": {"client_id": "spin", "sub": "e1", "active": "true"},
        }
        assert await tokens.by_access_token("of-spin") is not None
        for token in ("of-a-stranger", "of-nobody", "spent", "odd", "", "a\nb", "é", "x" * 20_000):
            assert await tokens.by_access_token(token) is None, token
        bench.issuer.access_tokens["of-spin-2"] = {"client_id": "spin", "sub": "somebody else"}
        assert await status_of(tokens.by_access_token("of-spin-2")) == 502

    run(bench, work)


def test_what_was_said_of_a_token_is_believed_for_a_minute(bench: Bench) -> None:
    async def work() -> None:
        tokens = bench.with_tokens("introspection")
        for _ in range(3):
            assert await tokens.by_access_token("a1") is not None
            assert await tokens.by_access_token("another") is None
        assert bench.issuer.asked.count("/introspect") == 2
        bench.issuer.access_tokens.clear()
        assert await tokens.by_access_token("a1") is not None
        bench.time.pass_by(61)
        assert await tokens.by_access_token("a1") is None

    run(bench, work)
