"""OpenID Connect: the authorization code flow with PKCE, and what is believed of its answer.

What it shares with plain OAuth2 is in `authorization_code`.

    browser ── begin ──▶ provider ── code, state ──▶ finish ── code, verifier ──▶ provider ── ID token, verified here

Sources: OpenID Connect Core 1.0, Discovery 1.0 and RP-Initiated Logout 1.0; RFC 7636 (PKCE), RFC 9207 (issuer in the answer).
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from gennaker.access import authorization_code
from gennaker.access.access_tokens import AccessTokens
from gennaker.access.authorization_code import Client, derived, with_query
from gennaker.access.oidc_document import ALGORITHMS, Discovery, Document
from gennaker.access.provider_calls import ProviderCalls, untrustworthy
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.identity_providers import ForeignPerson
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.oidc_settings import OidcSettings
from gennaker.settings import Settings
from gennaker.transport.http import GuardedClient

CALLBACK = "/login/oauth2/code/oidc"
"""Where the provider sends browsers back to, below the server's own address: register it there."""
_SOURCE = "oidc"
_SHOWN = 300


class OidcProvider:
    """One provider, as the settings name it."""

    def __init__(
        self, settings: OidcSettings, *, base_url: str, new_client: Callable[[], GuardedClient], clock: Clock
    ) -> None:
        """`base_url`: under which browsers reach this server."""
        self._settings = settings
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._calls = ProviderCalls(_SOURCE, new_client)
        self._discovery = Discovery(settings.issuer, calls=self._calls, clock=clock)
        self._client = Client(
            section=_SOURCE,
            client_id=settings.client_id,
            client_secret_file=settings.client_secret_file,
            redirect_uri=self._base_url + CALLBACK,
        )
        self._tokens = AccessTokens(self._asked_about, clock)

    @property
    def name(self) -> str:
        """There is one kind of them."""
        return _SOURCE

    @property
    def label(self) -> str:
        """Of the settings."""
        return self._settings.label

    async def begin(self, secret: str) -> str:
        """Raises Refused (503) while the provider doesn't answer."""
        document = await self._discovery.document()
        question = {**self._client.question(secret, self._settings.scopes), "nonce": derived(secret, "nonce")}
        return with_query(document.authorization_endpoint, question)

    async def finish(self, secret: str, answer: Mapping[str, str]) -> ForeignPerson:
        """Raises Refused: 400 where the answer isn't to this browser's question, 401, 403, or 503."""
        self._client.check_state(secret, answer)
        document = await self._discovery.document()
        if answer.get("iss", document.issuer if not document.says_issuer else "") != document.issuer:
            raise untrustworthy("its answer names another issuer.")
        tokens = await self._client.tokens(
            self._calls,
            document.token_endpoint,
            secret=secret,
            code=self._client.code(secret, answer),
            secret_in_form=document.wants_secret_in_form,
        )
        claims = await self._verified(document, str(tokens.get("id_token", "")), nonce=derived(secret, "nonce"))
        return self._person(await self._complete(document, claims, str(tokens.get("access_token", ""))))

    async def by_access_token(self, token: str) -> ForeignPerson | None:
        """Raises Refused."""
        return None if self._settings.access_tokens == "refused" else await self._tokens.holder(token)

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
        return with_query(document.end_session_endpoint, back)

    async def _asked_about(self, token: str) -> ForeignPerson | None:
        settings, document = self._settings, await self._discovery.document()
        said: JsonObject = {}
        if settings.access_tokens == "introspection":
            if not document.introspection_endpoint:
                raise untrustworthy("it has no address at which it could be asked about access tokens.")
            clients = frozenset({settings.client_id, *settings.token_clients})
            is_form = document.wants_secret_in_form
            url = document.introspection_endpoint
            said = await self._client.holder(self._calls, url, token=token, secret_in_form=is_form)
            if not authorization_code.is_for_us(said, clients) or said.get("iss", document.issuer) != document.issuer:
                return None
        if not document.userinfo_endpoint:
            return self._person(said) if isinstance(said.get("sub"), str) else None
        info = await self._calls.is_taken(document.userinfo_endpoint, authorization=f"Bearer {token}")
        if info is None or not isinstance(info.get("sub"), str):
            return None
        if said.get("sub", info["sub"]) != info["sub"]:
            raise untrustworthy("its user info is about somebody else than its introspection.")
        return self._person(info)

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
        more = await self._calls.get(document.userinfo_endpoint, authorization=f"Bearer {access_token}")
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
            roles=authorization_code.roles_for(claims.get(settings.roles_claim), settings.roles)
            if settings.roles_claim
            else None,
        )


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
    issuer = settings.oidc.issuer
    if not authorization_code.is_safe_address(issuer) or urlsplit(issuer).query:
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
        "oidc.client-secret-file, which introspection takes": settings.oidc.access_tokens == "introspection"
        and not settings.oidc.client_secret_file,
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
