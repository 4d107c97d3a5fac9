"""OAuth2 without OpenID Connect: the authorization code flow with PKCE, and whom the provider's user info names.

There is no ID token, so nothing is signed: what is believed came by TLS from the addresses of the settings, in answer to a code
that only this browser's verifier could redeem.

    browser ── begin ──▶ provider ── code, state ──▶ finish ── code, verifier ──▶ provider ── access token ──▶ user info, groups
"""

from collections.abc import Callable, Mapping

from gennaker.access import authorization_code
from gennaker.access.access_tokens import AccessTokens
from gennaker.access.authorization_code import Client
from gennaker.access.provider_calls import ProviderCalls
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.identity_providers import ForeignPerson
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.oauth2_settings import OAuth2Settings
from gennaker.settings import Settings
from gennaker.transport.http import GuardedClient

_SECTION = "oauth2"


class OAuth2Provider:
    """One provider, as the settings name it."""

    def __init__(
        self, settings: OAuth2Settings, *, base_url: str, new_client: Callable[[], GuardedClient], clock: Clock
    ) -> None:
        """`base_url`: under which browsers reach this server."""
        self._settings = settings
        self._calls = ProviderCalls(_SECTION, new_client)
        self._client = Client(
            section=_SECTION,
            client_id=settings.client_id,
            client_secret_file=settings.client_secret_file,
            redirect_uri=f"{base_url.rstrip('/')}/login/oauth2/code/{settings.name}",
        )
        self._tokens = AccessTokens(self._asked_about, clock)

    @property
    def name(self) -> str:
        """Of the settings."""
        return self._settings.name

    @property
    def label(self) -> str:
        """Of the settings."""
        return self._settings.label

    async def begin(self, secret: str) -> str:
        """Asks nobody: the address is the settings'."""
        question = self._client.question(secret, self._settings.scopes)
        return authorization_code.with_query(self._settings.authorization_url, question)

    async def finish(self, secret: str, answer: Mapping[str, str]) -> ForeignPerson:
        """Raises Refused: 400 where the answer isn't to this browser's question, 401, 403, 502 or 503."""
        code = self._client.code(secret, answer)
        found = await self._client.tokens(
            self._calls, self._settings.token_url, secret=secret, code=code, secret_in_form=self._secret_in_form
        )
        token = found.get("access_token")
        if not isinstance(token, str) or not token:  # some providers say with 200 that they refuse
            said = found.get("error_description") or found.get("error") or "there is no access token in its answer"
            raise self._calls.declined(str(said), status=200)
        info = await self._calls.get(self._settings.user_info_url, authorization=f"Bearer {token}")
        return await self._person(info, token)

    async def sign_out(self) -> None:
        """OAuth2 has no way to sign somebody out elsewhere."""
        return

    async def by_access_token(self, token: str) -> ForeignPerson | None:
        """Raises Refused."""
        return None if self._settings.access_tokens == "refused" else await self._tokens.holder(token)

    async def _asked_about(self, token: str) -> ForeignPerson | None:
        settings = self._settings
        said: JsonObject = {}
        if settings.access_tokens == "introspection":
            url, clients = settings.introspection_url, frozenset({settings.client_id, *settings.token_clients})
            said = await self._client.holder(self._calls, url, token=token, secret_in_form=self._secret_in_form)
            if not authorization_code.is_for_us(said, clients):
                return None
        info = await self._calls.is_taken(settings.user_info_url, authorization=f"Bearer {token}")
        if info is None:
            return None
        if settings.subject_claim == "sub" and said.get("sub", info.get("sub")) != info.get("sub"):
            raise self._calls.untrustworthy("its user info is about somebody else than its introspection.")
        return await self._person(info, token)

    async def _person(self, info: JsonObject, token: str) -> ForeignPerson:
        settings = self._settings
        subject, name = info.get(settings.subject_claim), info.get(settings.name_claim)
        if not isinstance(subject, str | int) or isinstance(subject, bool) or subject == "":
            raise Refused(_lacking(settings.subject_claim, "subject-claim"), status=403)
        if not isinstance(name, str) or not name:
            raise Refused(_lacking(settings.name_claim, "name-claim"), status=403)
        groups = await self._groups(info, token)
        if settings.required_groups and (groups is None or set(settings.required_groups).isdisjoint(groups)):
            raise Refused(_outsider(name), status=403)
        return ForeignPerson(
            source=_SECTION,
            subject=f"{settings.user_info_url} {subject}",
            name=name,
            roles=None if groups is None else authorization_code.roles_for(list[Json](groups), settings.roles),
        )

    async def _groups(self, info: JsonObject, token: str) -> tuple[str, ...] | None:
        """None: the provider says nothing of groups."""
        settings = self._settings
        own = authorization_code.group_names(info.get(settings.roles_claim)) if settings.roles_claim else ()
        if not settings.groups_url:
            return own if settings.roles_claim else None
        listed = await self._calls.get_list(settings.groups_url, authorization=f"Bearer {token}")
        field = settings.groups_field
        names = [one.get(field) if field and isinstance(one, dict) else one for one in listed]
        return (*own, *authorization_code.group_names(names))

    @property
    def _secret_in_form(self) -> bool:
        return self._settings.client_authentication == "form"


def provider(settings: Settings, clock: Clock) -> OAuth2Provider | None:
    """That of the settings, if they name one; its own addresses may be inside the network."""
    if not settings.oauth2.authorization_url:
        return None
    allowed = (*settings.webhook_hosts, *settings.oauth2.hosts)
    return OAuth2Provider(
        settings.oauth2,
        base_url=settings.server.base_url,
        new_client=lambda: GuardedClient(allowed=allowed),
        clock=clock,
    )


def check(settings: Settings) -> None:
    """Raises Refused where a provider is named that can't be of use."""
    given = settings.oauth2
    if not given.authorization_url:
        if given != OAuth2Settings():
            raise Refused(_incomplete("oauth2.authorization-url to the provider's address for browsers"))
        return
    if settings.oidc.issuer:
        raise Refused(
            Problem(
                code="oauth2.second",
                message="Both oidc.issuer and oauth2.authorization-url are set, but people can sign in by one provider only.",
                remedy="Leave one of the sections out: `oidc` where the provider has a discovery document, else `oauth2`.",
            )
        )
    addresses = {
        "authorization-url": given.authorization_url,
        "token-url": given.token_url,
        "user-info-url": given.user_info_url,
        **({"groups-url": given.groups_url} if given.groups_url else {}),
        **({"introspection-url": given.introspection_url} if given.access_tokens == "introspection" else {}),
    }
    for key, address in addresses.items():
        if not authorization_code.is_safe_address(address):
            raise Refused(
                Problem(
                    code="oauth2.address",
                    message=f"oauth2.{key} is {address!r}, which is no address of the form https://host/path.",
                    remedy="Write the provider's address; http: is good on this machine only.",
                )
            )
    missing = {
        "oauth2.client-id to the name under which the provider knows Gennaker": not given.client_id,
        "oauth2.client-secret-file, which introspection takes": given.access_tokens == "introspection"
        and not given.client_secret_file,
        "oauth2.roles-claim or oauth2.groups-url, which oauth2.required-groups takes": bool(given.required_groups)
        and not (given.roles_claim or given.groups_url),
        "sign-in.required to true": not settings.sign_in.required,
        "server.base-url to the address at which browsers reach Gennaker": not settings.server.base_url,
    }
    if any(missing.values()):
        raise Refused(_incomplete(", and ".join(what for what, is_missing in missing.items() if is_missing)))


def _incomplete(what: str) -> Problem:
    return Problem(
        code="oauth2.incomplete",
        message="The section oauth2 is set, but nobody could sign in by that provider.",
        remedy=f"Set {what}.",
    )


def _lacking(claim: str, key: str) -> Problem:
    return Problem(
        code="oauth2.incomplete_user",
        message=f"The sign-in provider's user info has no {claim!r}, by which people are known here.",
        remedy=f"Set `oauth2.{key}` to what it has, or `oauth2.scopes` to what it gives that for.",
    )


def _outsider(name: str) -> Problem:
    return Problem(
        code="oauth2.outsider",
        message=f"{name[:100]!r} is in none of the provider's groups that may sign in here.",
        remedy="Use another account, or ask an administrator (`oauth2.required-groups`).",
    )
