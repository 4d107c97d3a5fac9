"""OpenID Connect: the authorization code flow with PKCE, and what is believed of its answer.

Nothing is kept between going and coming back: state, nonce and code verifier are derived from a secret in the browser's own
cookie, so that any server of a database can finish what another began, and requests of strangers fill nobody's memory.

    browser ── begin ──▶ provider ── code, state ──▶ finish ── code, verifier ──▶ provider ── ID token, verified here

Sources: OpenID Connect Core 1.0, Discovery 1.0 and RP-Initiated Logout 1.0; RFC 7636 (PKCE), RFC 9207 (issuer in the answer).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from gennaker.access.oidc_document import ALGORITHMS, Discovery, Document, untrustworthy
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.identity_providers import ForeignPerson
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.oidc_settings import OidcSettings
from gennaker.settings import Settings
from gennaker.transport.http import GuardedClient

CALLBACK = "/login/oauth2/code/oidc"
"""Where the provider sends browsers back to, below the server's own address: register it there."""
_SOURCE = "oidc"
_SHOWN = 300
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class OidcProvider:
    """One provider, as the settings name it."""

    def __init__(
        self, settings: OidcSettings, *, base_url: str, new_client: Callable[[], GuardedClient], clock: Clock
    ) -> None:
        """`base_url`: under which browsers reach this server."""
        self._settings = settings
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._discovery = Discovery(settings.issuer, new_client=new_client, clock=clock)

    @property
    def label(self) -> str:
        """Of the settings."""
        return self._settings.label

    async def begin(self, secret: str) -> str:
        """Raises Refused (503) while the provider doesn't answer."""
        document = await self._discovery.document()
        challenge = hashlib.sha256(_derived(secret, "verifier").encode()).digest()
        return _with_query(
            document.authorization_endpoint,
            {
                "response_type": "code",
                "client_id": self._settings.client_id,
                "redirect_uri": self._base_url + CALLBACK,
                "scope": " ".join(self._settings.scopes),
                "state": _derived(secret, "state"),
                "nonce": _derived(secret, "nonce"),
                "code_challenge": _base64url(challenge),
                "code_challenge_method": "S256",
            },
        )

    async def finish(self, secret: str, answer: Mapping[str, str]) -> ForeignPerson:
        """Raises Refused: 400 where the answer isn't to this browser's question, 401, 403, or 503."""
        if not secret or not hmac.compare_digest(answer.get("state", "").encode(), _derived(secret, "state").encode()):
            raise Refused(_not_asked())
        document = await self._discovery.document()
        if answer.get("iss", document.issuer if not document.says_issuer else "") != document.issuer:
            raise untrustworthy("its answer names another issuer.")
        if "error" in answer or not answer.get("code"):
            raise Refused(_declined(answer), status=401)
        tokens = await self._discovery.post(
            document.token_endpoint,
            {
                "grant_type": "authorization_code",
                "code": answer["code"],
                "redirect_uri": self._base_url + CALLBACK,
                "code_verifier": _derived(secret, "verifier"),
                **({} if self._settings.client_secret_file else {"client_id": self._settings.client_id}),
                **(self._secret_in_form() if document.wants_secret_in_form else {}),
            },
            authorization="" if document.wants_secret_in_form else self._basic(),
        )
        claims = await self._verified(document, str(tokens.get("id_token", "")), nonce=_derived(secret, "nonce"))
        return self._person(await self._complete(document, claims, str(tokens.get("access_token", ""))))

    async def sign_out(self) -> str | None:
        """None, too, while the provider doesn't answer: one is signed out here all the same."""
        if self._settings.keeps_signed_in_there:
            return None
        try:
            document = await self._discovery.document()
        except Refused:
            return None
        if not document.end_session_endpoint:
            return None
        back = {"client_id": self._settings.client_id, "post_logout_redirect_uri": f"{self._base_url}/auth/loggedOut"}
        return _with_query(document.end_session_endpoint, back)

    async def _verified(self, document: Document, token: str, *, nonce: str) -> JsonObject:
        """The claims of an ID token that this provider signed for this client and this browser, and that isn't too old."""
        keys = await self._discovery.keys(document, token)
        expected = JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=self._settings.leeway_seconds,
            iss={"essential": True, "value": document.issuer},
            aud={"essential": True, "value": self._settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            # A KeySet finds the key by the token's key id; algorithms are ours to choose, not the token's.
            decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            expected.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise untrustworthy(f"its ID token doesn't hold: {error}.") from error
        party = decoded.claims.get("azp", self._settings.client_id)
        several = isinstance(decoded.claims["aud"], list) and len(decoded.claims["aud"]) > 1
        if party != self._settings.client_id or (several and "azp" not in decoded.claims):
            raise untrustworthy("its ID token was made for another client.")
        claims: JsonObject = decoded.claims
        return claims

    async def _complete(self, document: Document, claims: JsonObject, access_token: str) -> JsonObject:
        """With what only the provider's user info says, if something that is needed isn't in the ID token."""
        settings = self._settings
        needed = {settings.name_claim, settings.roles_claim, "email" if settings.email_domains else ""} - {""}
        if needed <= claims.keys() or not document.userinfo_endpoint or not access_token:
            return claims
        more = await self._discovery.get(document.userinfo_endpoint, authorization=f"Bearer {access_token}")
        if more.get("sub") != claims["sub"]:
            raise untrustworthy("its user info is about somebody else than its ID token.")
        return {**more, **claims}

    def _person(self, claims: JsonObject) -> ForeignPerson:
        settings = self._settings
        email, is_verified = str(claims.get("email") or ""), claims.get("email_verified") is True
        domain = email.rpartition("@")[2].lower()
        if settings.email_domains and not (is_verified and domain in {one.lower() for one in settings.email_domains}):
            raise Refused(_foreign_email(email, is_verified=is_verified), status=403)
        name = claims.get(settings.name_claim)
        if not isinstance(name, str) or not name or (settings.name_claim == "email" and not is_verified):
            raise Refused(_nameless(settings.name_claim), status=403)
        return ForeignPerson(
            source=_SOURCE,
            subject=f"{settings.issuer} {claims['sub']}",
            name=name,
            roles=self._roles(claims.get(settings.roles_claim)) if settings.roles_claim else None,
        )

    def _roles(self, groups: Json) -> tuple[str, ...]:
        listed = groups if isinstance(groups, list) else [groups]
        names = [one for one in listed if isinstance(one, str)]
        if not self._settings.roles:
            return tuple(names)
        return tuple(role for name in names for role in self._settings.roles.get(name, ()))

    def _basic(self) -> str:
        """RFC 6749, 2.3.1: both parts are form-encoded before."""
        secret = self._secret()
        pair = f"{quote(self._settings.client_id, safe='')}:{quote(secret, safe='')}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}" if secret else ""

    def _secret_in_form(self) -> dict[str, str]:
        secret = self._secret()
        return {"client_id": self._settings.client_id, "client_secret": secret} if secret else {}

    def _secret(self) -> str:
        """Read each time, so that a new one needs no restart."""
        file = self._settings.client_secret_file
        try:
            return Path(file).read_text(encoding="utf-8").strip() if file else ""
        except (OSError, UnicodeDecodeError) as error:
            problem = Problem(
                code="oidc.secret",
                message=f"The file of the setting oidc.client-secret-file can't be read: {error}.",
                remedy="Put the client's secret there, readable for the server.",
            )
            raise Refused(problem, status=503) from error


def provider(settings: Settings, clock: Clock) -> OidcProvider | None:
    """That of the settings, if they name one; its own address may be inside the network."""
    if not settings.oidc.issuer:
        return None
    allowed = (*settings.webhook_hosts, settings.oidc.host)
    base_url = settings.server.base_url
    return OidcProvider(
        settings.oidc, base_url=base_url, new_client=lambda: GuardedClient(allowed=allowed), clock=clock
    )


def check(settings: Settings) -> None:
    """Raises Refused where a provider is named that can't be of use."""
    if not settings.oidc.issuer:
        return
    parts = urlsplit(settings.oidc.issuer)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not (parts.hostname and is_safe) or parts.query or parts.fragment:
        raise Refused(
            Problem(
                code="oidc.issuer",
                message=f"oidc.issuer is {settings.oidc.issuer!r}, which is no address of the form https://host/path.",
                remedy="Write it as the provider does in its discovery document; http: is good on this machine only.",
            )
        )
    missing = {
        "oidc.client-id to the name under which the provider knows Gennaker": not settings.oidc.client_id,
        "oidc.scopes to a list with openid": "openid" not in settings.oidc.scopes,
        "sign-in.required to true": not settings.sign_in.required,
        "server.base-url to the address at which browsers reach Gennaker": not settings.server.base_url,
    }
    if any(missing.values()):
        raise Refused(
            Problem(
                code="oidc.incomplete",
                message="oidc.issuer is set, but nobody could sign in by that provider.",
                remedy=f"Set {', and '.join(what for what, is_missing in missing.items() if is_missing)}.",
            )
        )


def _derived(secret: str, purpose: str) -> str:
    """43 characters, as PKCE wants at least."""
    return _base64url(hmac.digest(secret.encode(), purpose.encode(), hashlib.sha256))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _with_query(address: str, query: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def _not_asked() -> Problem:
    return Problem(
        code="oidc.state",
        message="This answer isn't to a sign-in that this browser began within the last ten minutes.",
        remedy="Sign in once more, in one window, with cookies allowed.",
    )


def _declined(answer: Mapping[str, str]) -> Problem:
    said = ": ".join(filter(None, (answer.get("error", "no code"), answer.get("error_description", ""))))
    return Problem(
        code="oidc.declined",
        message=f"The sign-in provider let nobody in ({said[:_SHOWN]}).",
        remedy="Sign in once more, or ask whoever looks after the provider.",
    )


def _foreign_email(email: str, *, is_verified: bool) -> Problem:
    what = f"The address {email[:_SHOWN]!r}" if email else "An account without an e-mail address"
    why = (
        "is none of the domains that may sign in here" if is_verified or not email else "isn't verified by the provider"
    )
    return Problem(
        code="oidc.email",
        message=f"{what} {why}.",
        remedy="Use another account, or ask an administrator (`oidc.email-domains`).",
    )


def _nameless(claim: str) -> Problem:
    return Problem(
        code="oidc.no_name",
        message=f"The sign-in provider gives no (verified) {claim!r}, by which people are known here.",
        remedy="Have the provider give it to this client, or set `oidc.name-claim` and `oidc.scopes` to what it gives.",
    )
