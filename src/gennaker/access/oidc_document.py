"""What an OpenID Connect provider says about itself: its discovery document and its keys, kept for a while."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from gennaker.interfaces.clock import Clock
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.problems import Problem, Refused
from gennaker.transport.http import GuardedClient, HttpAnswer, HttpFailure

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that are believed: those by a key that only the provider has."""
_KEPT = timedelta(hours=1)
_SHOWN = 300
_SIGNING = frozenset({"RSA", "EC"})


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of the discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    says_issuer: bool = msgspec.field(name="authorization_response_iss_parameter_supported", default=False)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)

    @property
    def wants_secret_in_form(self) -> bool:
        """Not in the header, where most take it."""
        known = self.token_endpoint_auth_methods_supported
        return "client_secret_basic" not in known and "client_secret_post" in known


class Discovery:
    """Asks the provider; what it said is kept for an hour, its keys until a token names one that isn't among them."""

    def __init__(self, issuer: str, *, new_client: Callable[[], GuardedClient], clock: Clock) -> None:
        """Nothing is asked yet: a server starts without its provider."""
        self._issuer = issuer
        self._new_client = new_client
        self._clock = clock
        self._document: tuple[datetime, Document] | None = None
        self._keys: KeySet | None = None

    async def document(self) -> Document:
        """Raises Refused (503)."""
        now = self._clock.now()
        if self._document is not None and self._document[0] > now:
            return self._document[1]
        found = await self.get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        try:
            document = msgspec.convert(found, Document)
        except msgspec.ValidationError as error:
            raise untrustworthy(f"its discovery document can't be used: {error}.") from error
        if document.issuer != self._issuer:
            raise untrustworthy(f"it calls itself {document.issuer!r}, not {self._issuer!r}, as `oidc.issuer` says.")
        self._document = (now + _KEPT, document)
        return document

    async def keys(self, document: Document, token: str) -> KeySet:
        """Those among which the token's is; asks again where it isn't, since providers change their keys. Raises Refused."""
        if self._keys is None or not _has_key_of(token, self._keys):
            found = (await self.get(document.jwks_uri)).get("keys")
            self._keys = KeySet([key for one in found for key in _usable(one)] if isinstance(found, list) else [])
        return self._keys

    async def get(self, url: str, *, authorization: str = "") -> JsonObject:
        """Raises Refused."""
        return await self._asked("GET", url, authorization, b"")

    async def post(self, url: str, form: Mapping[str, str], *, authorization: str) -> JsonObject:
        """Raises Refused."""
        return await self._asked("POST", url, authorization, urlencode(form).encode())

    async def _asked(self, method: str, url: str, authorization: str, body: bytes) -> JsonObject:
        headers = {"accept": "application/json"}
        if authorization:
            headers["authorization"] = authorization
        if body:
            headers["content-type"] = "application/x-www-form-urlencoded"
        client = self._new_client()
        try:
            answer = await client.request(method, url, headers=headers, body=body)
        except HttpFailure as failure:
            raise _unanswered(str(failure)) from failure
        finally:
            await client.close()
        return _read(answer, method)


def untrustworthy(why: str) -> Refused:
    """What the provider says can't be believed; `why` ends the sentence."""
    return Refused(
        Problem(
            code="oidc.untrustworthy",
            message=f"Nobody was signed in, because the sign-in provider can't be trusted: {why}",
            remedy="Sign in once more. If it stays so, compare the settings' section `oidc`, and the clock, with the provider's.",
        ),
        status=502,
    )


def _unanswered(why: str) -> Refused:
    return Refused(
        Problem(
            code="oidc.unanswered",
            message=f"The sign-in provider can't be asked: {why}",
            remedy="Try again later; who has a password or an API token can sign in without it.",
        ),
        status=503,
    )


def _read(answer: HttpAnswer, method: str) -> JsonObject:
    try:
        found = decode_json(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if answer.status >= 500 or (answer.status < 400 and not isinstance(found, dict)):
        raise _unanswered(
            f"it answered {answer.status} to {method} {answer.url.partition('?')[0]}, without JSON that is of use."
        )
    if answer.status >= 400 or not isinstance(found, dict):
        said = found.get("error_description") or found.get("error") if isinstance(found, dict) else None
        raise Refused(
            Problem(
                code="oidc.declined",
                message=f"The sign-in provider refused ({answer.status}): {str(said or 'it gives no reason')[:_SHOWN]}.",
                remedy="Sign in once more. If it stays so, compare oidc.client-id and oidc.client-secret-file with the provider's.",
            ),
            status=502,
        )
    return found


def _usable(one: Json) -> list[Key]:
    """A public key for signatures; what else a provider lists is none of ours."""
    if not isinstance(one, dict) or one.get("kty") not in _SIGNING or one.get("use", "sig") != "sig":
        return []
    try:
        return [JWKRegistry.import_key({name: value for name, value in one.items() if isinstance(value, str)})]
    except (JoseError, ValueError):
        return []


def _has_key_of(token: str, keys: KeySet) -> bool:
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError):
        return True  # no new key would make it one
    return any(key.kid == header.get("kid") for key in keys)
