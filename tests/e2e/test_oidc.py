"""Signing in by a real provider of OpenID Connect and OAuth2, at a real server, as a browser and as a client do it."""

import asyncio
import base64
import hashlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2
import pytest
from tests import node_packages
from tests.free_ports import free_port

from gennaker.access.oauth2 import OAuth2Provider
from gennaker.demo.server import DemoServer
from gennaker.oauth2_settings import OAuth2Settings
from gennaker.transport.http import GuardedClient
from gennaker.worker.clock import SystemClock

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("oidc")]

HERE = Path(__file__).resolve().parent / "oidc"
SECRET = "the client's secret"
_SETTINGS = """
[server]
port = {port}
base-url = "{base_url}"
[registry]
port = 0
[sign-in]
required = true
[oidc]
issuer = "{issuer}"
client-id = "gennaker"
client-secret-file = "{secret}"
email-domains = ["example.org"]
access-tokens = "introspection"
token-clients = ["spin"]
[oidc.roles]
cd-admins = ["admin"]
developers = ["dev"]
"""


class Provider:
    """Ends and starts anew; each time with a key of its own."""

    def __init__(self, base_url: str, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self._words = [str(port), f"{base_url}/login/oauth2/code/oidc", f"{base_url}/auth/loggedOut", SECRET]

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [str(node_packages.node()), str(HERE / "provider.mjs"), *self._words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                assert "ready\n" in iter(process.stdout.readline, ""), "the provider ended"
                yield
            finally:
                process.terminate()


class Browser:
    """Keeps cookies, follows redirects and fills in the forms of the provider."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._client = httpx2.Client(
            trust_env=False, follow_redirects=True, headers={"accept": "text/html"}, timeout=60
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str) -> httpx2.Response:
        return self._client.get(urljoin(self._base_url, path))

    def sign_in(self, name: str) -> httpx2.Response:
        """The page on which it ends: here again, or the form with what was wrong."""
        return self.sign_in_at(f"/oauth2/authorization/oidc?{urlencode({'to': '/auth/user'})}", name)

    def sign_in_at(self, address: str, name: str) -> httpx2.Response:
        """At an address that leads to the provider."""
        answer = self.get(address)
        for fields in ({"prompt": "login", "login": name, "password": "any"}, {"prompt": "consent"}):
            form = re.search(r'<form[^>]* action="(http[^"]+)"', answer.text)
            if form is None:
                return answer
            answer = self._client.post(form[1], data=fields)
        return answer

    def user(self) -> dict[str, object] | None:
        found: dict[str, object] | None = self.get("/auth/user").json()
        return found


def test_people_sign_in_by_a_real_provider_and_out_again(tmp_path: Path) -> None:
    secret, port = tmp_path / "secret", free_port()
    secret.write_text(SECRET)
    base_url = f"http://127.0.0.1:{port}"
    provider = Provider(base_url, free_port())
    node_packages.install(HERE)
    config = tmp_path / "gennaker.toml"
    config.write_text(_SETTINGS.format(port=port, base_url=base_url, issuer=provider.issuer, secret=secret))
    server = DemoServer(tmp_path / "data", config=config)
    try:
        server.start().close()
        _is_down(base_url)
        with provider.running():
            _comes_and_goes(base_url)
            _strangers_stay_outside(base_url)
            _a_client_comes_with_an_access_token(base_url, provider.issuer)
            _a_provider_without_openid_connect(base_url, provider.issuer, str(secret))
        with provider.running(), Browser(base_url) as browser:
            browser.sign_in("root")
            user = browser.user()
            assert user is not None, "the provider has a new key"
            assert (user["username"], user["isAdmin"]) == ("root", True)
            assert browser.get("/api/v1/people").json()["people"][0]["source"] == "oidc"
    finally:
        server.stop_everything()


def _comes_and_goes(base_url: str) -> None:
    with Browser(base_url) as browser:
        assert browser.user() is None
        went_on = browser.sign_in("eve")
        assert went_on.status_code == 200, went_on.text
        assert 'url=/auth/user"' in went_on.text
        user = browser.user()
        assert user is not None
        assert (user["username"], user["roles"], user["isAdmin"]) == ("eve", ["dev"], False)
        assert browser.get("/api/v1/people").status_code == 403

        left = browser.get("/auth/logout")
        assert "Do you want to sign-out" in left.text, "the provider asks whether it shall sign out, too"
        assert browser.user() is None


def _strangers_stay_outside(base_url: str) -> None:
    with Browser(base_url) as browser:
        refused = browser.sign_in("stranger")
        assert refused.status_code == 403
        assert "stranger@example.com" in refused.text
        assert browser.user() is None
        assert browser.get("/login/oauth2/code/oidc?code=x&state=y").status_code == 400


def _is_down(base_url: str) -> None:
    with Browser(base_url) as browser:
        refused = browser.sign_in("eve")
        assert refused.status_code == 503
        assert "can&#x27;t be asked" in refused.text


def _a_client_comes_with_an_access_token(base_url: str, issuer: str) -> None:
    """As Spinnaker's command line does: a client of its own at the provider, then `GET /login` once, or the token each time."""
    with httpx2.Client(trust_env=False, base_url=base_url, timeout=60) as client:
        for name, status in (("spin", 200), ("other", 401)):
            bearer = {"authorization": f"Bearer {_access_token(base_url, issuer, name)}"}
            assert client.get("/applications", headers=bearer).status_code == status, name
        client.get("/login", headers={"authorization": f"Bearer {_access_token(base_url, issuer, 'spin')}"})
        assert client.get("/auth/user").json()["username"] == "eve", "by the cookie alone"


def _access_token(base_url: str, issuer: str, client: str) -> str:
    verifier, redirect = "v" * 43, f"{base_url}/auth/loggedOut"
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    question = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": redirect,
        "scope": "openid profile email",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    with Browser(base_url) as browser:
        came = browser.sign_in_at(f"{issuer}/auth?{urlencode(question)}", "eve")
    form = {
        "grant_type": "authorization_code",
        "client_id": client,
        "redirect_uri": redirect,
        "code": came.url.params["code"],
        "code_verifier": verifier,
    }
    answer = httpx2.post(f"{issuer}/token", data=form, trust_env=False, timeout=60)
    token: str = answer.json()["access_token"]
    return token


def _a_provider_without_openid_connect(base_url: str, issuer: str, secret: str) -> None:
    host = issuer.removeprefix("http://")
    settings = OAuth2Settings(
        name="plain",
        authorization_url=f"{issuer}/auth",
        token_url=f"{issuer}/token",
        user_info_url=f"{issuer}/plain/user",
        groups_url=f"{issuer}/plain/groups",
        groups_field="slug",
        client_id="gennaker",
        client_secret_file=secret,
        scopes=("read",),
        subject_claim="id",
        name_claim="login",
    )

    async def main() -> None:
        provider = OAuth2Provider(
            settings,
            base_url=base_url,
            new_client=lambda: GuardedClient(allowed=(host,)),
            clock=SystemClock(),
        )
        mine = "m" * 43
        address = await provider.begin(mine)
        with Browser(base_url) as browser:
            came = await asyncio.to_thread(browser.sign_in_at, address, "eve")
        answer = dict(parse_qsl(urlsplit(str(came.url)).query))
        found = await provider.finish(mine, answer)
        assert (found.name, found.subject, found.roles) == ("eve", f"{issuer}/plain/user 3", ("developers",))

    asyncio.run(main())
