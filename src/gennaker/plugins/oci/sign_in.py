"""Signing in to a registry: none, basic, or a bearer token from the place that the registry names.

As Spinnaker's clients do it: first with what worked before, then, told 401 (some say 400), with a token for the
repository. Tokens are kept without a time: one that has run out only means another 401.
Reference: distribution.github.io/distribution/spec/auth/token.
"""

import base64
import re

import httpx2
import msgspec

from gennaker.model.codec import JsonObject, decode
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.transport import http

_PARAMETER = re.compile(r'(?<![A-Za-z_])([A-Za-z_]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]++))')
"""Begins nowhere within a name and takes nothing back: a header of 30,000 letters held everything up for 27 s."""
_TOKEN_KEYS = ("bearer_token", "token", "access_token")
_LIMIT_BYTES = 1_000_000
_NOT_NOW = frozenset({429, 500, 502, 503, 504})


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """Name and password of an account."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password: logs and tracebacks show this."""
        return f"Credentials(username={self.username!r})"


class _Challenge(msgspec.Struct, frozen=True, kw_only=True):
    realm: str
    service: str = ""
    scope: str = ""


class SignIn:
    """The sign-in state of one account at one registry."""

    def __init__(self, client: httpx2.AsyncClient, registry: httpx2.URL, credentials: Credentials | None) -> None:
        self._client = client
        self._registry = registry
        self._credentials = credentials
        self._tokens: dict[str, str] = {}
        """By scope: one repository to be read, or to be written to."""

    def headers(self, scope: str) -> dict[str, str]:
        """What to send along at first."""
        token = self._tokens.get(scope)
        if token is not None:
            return {"authorization": f"Bearer {token}"}
        if self._credentials is None:
            return {}
        pair = f"{self._credentials.username}:{self._credentials.password}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}

    async def renew(self, scope: str, challenges: list[str]) -> bool:
        """Gets a token if the registry's refusal asks for one; True: try again with `headers`. Raises Refused.

        `scope` (`repository:shop:pull`) is asked for where the registry names none.
        """
        self._tokens.pop(scope, None)
        challenge = _challenge(challenges)
        if challenge is None:
            return False
        self._tokens[scope] = await self._fetch(challenge, scope)
        return True

    async def _fetch(self, challenge: _Challenge, scope: str) -> str:
        realm = self._checked_realm(challenge.realm)
        wanted = {"service": challenge.service, "scope": challenge.scope or scope}
        auth = httpx2.BasicAuth(self._credentials.username, self._credentials.password) if self._credentials else None
        try:
            params = {key: value for key, value in wanted.items() if value}
            async with self._client.stream("GET", realm, params=params, auth=auth, follow_redirects=False) as response:
                content = await http.bounded(response, _LIMIT_BYTES)
        except httpx2.HTTPError as error:
            raise _refused(
                f"the token service {realm.host} can't be reached: {str(error) or type(error).__name__}", UNAVAILABLE
            ) from error
        if response.status_code != 200 or content is None:
            status = UNAVAILABLE if response.status_code in _NOT_NOW else 401
            raise _refused(f"the token service {realm.host} answered {response.status_code}", status)
        try:
            answer: JsonObject = decode(content, dict)
        except msgspec.DecodeError as error:
            raise _refused(f"the token service {realm.host} gave an answer that can't be read", 502) from error
        token = next((answer[key] for key in _TOKEN_KEYS if answer.get(key)), None)
        if not isinstance(token, str):
            raise _refused(f"the token service {realm.host} gave no token", 401)
        return token

    def _checked_realm(self, text: str) -> httpx2.URL:
        try:
            realm = httpx2.URL(text).copy_with(query=None)
        except httpx2.InvalidURL as error:
            raise _refused(f"it names the token service {text!r}, which is no address", 502) from error
        if realm.scheme not in ("http", "https") or not realm.host:
            raise _refused(f"it names the token service {text!r}, which is no address", 502)
        if self._registry.scheme == "https" and realm.scheme == "http":
            raise _refused(f"it wants the password sent to {realm} without encryption", 502)
        return realm


def _challenge(headers: list[str]) -> _Challenge | None:
    for header in headers:
        kind, _, rest = header.strip().partition(" ")
        if kind.lower() == "bearer":
            found = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(rest)}
            if "realm" in found:
                return _Challenge(realm=found["realm"], service=found.get("service", ""), scope=found.get("scope", ""))
    return None


def _refused(what: str, status: int) -> Refused:
    return Refused(
        Problem(
            code="registry.unauthorized",
            message=f"Signing in to the registry failed: {what}.",
            remedy="Look at the account's address, username and password.",
        ),
        status=status,
    )
