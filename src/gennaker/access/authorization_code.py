"""The authorization code flow with PKCE: what OpenID Connect and plain OAuth2 have in common.

State, nonce and code verifier are derived from a secret in the browser's own cookie, so that any server of a database can
finish what another began, and requests of strangers fill nobody's memory.

Sources: RFC 6749 (OAuth2), RFC 7636 (PKCE), RFC 7662 (introspection).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from gennaker.access.provider_calls import ProviderCalls
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused

_SHOWN = 300
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Gennaker as the provider knows it."""

    section: str
    """Of the settings."""
    client_id: str
    client_secret_file: str
    redirect_uri: str

    def question(self, secret: str, scopes: tuple[str, ...]) -> dict[str, str]:
        """What the browser is sent to the provider with."""
        challenge = hashlib.sha256(derived(secret, "verifier").encode()).digest()
        return {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            **({"scope": " ".join(scopes)} if scopes else {}),
            "state": derived(secret, "state"),
            "code_challenge": _base64url(challenge),
            "code_challenge_method": "S256",
        }

    def code(self, secret: str, answer: Mapping[str, str]) -> str:
        """That of the browser's answer. Raises Refused: 400 where it isn't to this browser's question, 401 where there is none."""
        self.check_state(secret, answer)
        if "error" in answer or not answer.get("code"):
            raise Refused(self._declined(answer), status=401)
        return answer["code"]

    def check_state(self, secret: str, answer: Mapping[str, str]) -> None:
        """Raises Refused (400)."""
        if not secret or not hmac.compare_digest(answer.get("state", "").encode(), derived(secret, "state").encode()):
            raise Refused(self._not_asked())

    async def tokens(
        self, calls: ProviderCalls, url: str, *, secret: str, code: str, secret_in_form: bool
    ) -> JsonObject:
        """What the provider gives for the code. Raises Refused."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": derived(secret, "verifier"),
        }
        return await self.asked(calls, url, form, secret_in_form=secret_in_form)

    async def holder(self, calls: ProviderCalls, url: str, *, token: str, secret_in_form: bool) -> JsonObject:
        """What the provider says of an access token, by introspection. Raises Refused."""
        form = {"token": token, "token_type_hint": "access_token"}
        return await self.asked(calls, url, form, secret_in_form=secret_in_form)

    async def asked(
        self, calls: ProviderCalls, url: str, form: Mapping[str, str], *, secret_in_form: bool
    ) -> JsonObject:
        """Posts a form as this client. Raises Refused."""
        secret = self._secret()
        if not secret:
            return await calls.post(url, {**form, "client_id": self.client_id}, authorization="")
        if secret_in_form:
            known = {"client_id": self.client_id, "client_secret": secret}
            return await calls.post(url, {**form, **known}, authorization="")
        # RFC 6749, 2.3.1: both parts are form-encoded before.
        pair = f"{quote(self.client_id, safe='')}:{quote(secret, safe='')}"
        return await calls.post(url, form, authorization=f"Basic {base64.b64encode(pair.encode()).decode()}")

    def _secret(self) -> str:
        """Read each time, so that a new one needs no restart."""
        file = self.client_secret_file
        try:
            return Path(file).read_text(encoding="utf-8").strip() if file else ""
        except (OSError, UnicodeDecodeError) as error:
            problem = Problem(
                code=f"{self.section}.secret",
                message=f"The file of the setting {self.section}.client-secret-file can't be read: {error}.",
                remedy="Put the client's secret there, readable for the server.",
            )
            raise Refused(problem, status=503) from error

    def _not_asked(self) -> Problem:
        return Problem(
            code=f"{self.section}.state",
            message="This answer isn't to a sign-in that this browser began within the last ten minutes.",
            remedy="Sign in once more, in one window, with cookies allowed.",
        )

    def _declined(self, answer: Mapping[str, str]) -> Problem:
        said = ": ".join(filter(None, (answer.get("error", "no code"), answer.get("error_description", ""))))
        return Problem(
            code=f"{self.section}.declined",
            message=f"The sign-in provider let nobody in ({said[:_SHOWN]}).",
            remedy="Sign in once more, or ask whoever looks after the provider.",
        )


def derived(secret: str, purpose: str) -> str:
    """43 characters, as PKCE wants at least."""
    return _base64url(hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256))


def with_query(address: str, query: Mapping[str, str]) -> str:
    """The address with these parameters added."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def is_for_us(said: JsonObject, clients: frozenset[str]) -> bool:
    """Whether an introspected token holds, and was made for one of these clients. Without a client's name it is nobody's."""
    return said.get("active") is True and said.get("client_id") in clients


def roles_for(groups: Json, roles: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Those that the groups stand for; with no table each group is the role of its name."""
    names = group_names(groups)
    return tuple(role for name in names for role in roles.get(name, ())) if roles else names


def group_names(groups: Json) -> tuple[str, ...]:
    """Of one group or a list of them."""
    listed = groups if isinstance(groups, list) else [groups]
    return tuple(one for one in listed if isinstance(one, str))


def is_safe_address(url: str) -> bool:
    """Whether what goes there can be read by nobody else: https, or this machine itself."""
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return bool(parts.hostname and is_safe) and not parts.fragment


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
