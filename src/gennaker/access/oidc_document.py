"""What an OpenID Connect provider says about itself: its discovery document and its keys, kept for a while."""

from datetime import datetime, timedelta

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from gennaker.access.provider_calls import ProviderCalls, untrustworthy
from gennaker.interfaces.clock import Clock
from gennaker.model.codec import Json

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures that are believed: those by a key that only the provider has."""
_KEPT = timedelta(hours=1)
_SIGNING = frozenset({"RSA", "EC"})


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of the discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    introspection_endpoint: str = ""
    says_issuer: bool = msgspec.field(name="authorization_response_iss_parameter_supported", default=False)
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)

    @property
    def wants_secret_in_form(self) -> bool:
        """Not in the header, where most take it."""
        known = self.token_endpoint_auth_methods_supported
        return "client_secret_basic" not in known and "client_secret_post" in known


class Discovery:
    """Asks the provider; what it said is kept for an hour, its keys until a token names one that isn't among them."""

    def __init__(self, issuer: str, *, calls: ProviderCalls, clock: Clock) -> None:
        """Nothing is asked yet: a server starts without its provider."""
        self._issuer = issuer
        self._calls = calls
        self._clock = clock
        self._document: tuple[datetime, Document] | None = None
        self._keys: KeySet | None = None

    async def document(self) -> Document:
        """Raises Refused (503)."""
        now = self._clock.now()
        if self._document is not None and self._document[0] > now:
            return self._document[1]
        found = await self._calls.get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
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
            found = (await self._calls.get(document.jwks_uri)).get("keys")
            self._keys = KeySet([key for one in found for key in _usable(one)] if isinstance(found, list) else [])
        return self._keys


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
