"""Settings of signing in by an OpenID Connect provider: the section `oidc`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gennaker import addresses
from gennaker.oauth2_settings import AccessTokens


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The provider that people sign in with, and what is taken from it."""

    issuer: str = ""
    """The provider's address, as it names itself; empty: there is none. What it offers is read from its discovery document."""
    client_id: str = ""
    client_secret_file: str = ""
    """File that holds the client's secret and nothing else; empty: a public client, which PKCE alone protects."""
    label: str = "single sign-on"
    """What the button says after `Sign in with`."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    """The claim that is the person's name here; `email` counts only once the provider has verified it."""
    roles_claim: str = "groups"
    """The claim that lists groups; empty: roles are given here, as of other people."""
    roles: dict[str, tuple[str, ...]] = {}
    """By group: the roles that it stands for. A group that isn't listed stands for none; with no list at all each is a role."""
    email_domains: tuple[str, ...] = ()
    """Only people with a verified e-mail address in one of these; empty: everybody whom the provider lets in."""
    leeway_seconds: Annotated[int, Meta(ge=0, le=300)] = 60
    """So far the provider's clock and this machine's may differ."""
    access_tokens: AccessTokens = "refused"
    """Whether the provider's access tokens are credentials here."""
    token_clients: tuple[str, ...] = ()
    """The provider's names of the clients whose access tokens are taken, `spin`'s say; Gennaker's own always are."""
    keeps_signed_in_there: bool = False
    """True: signing out here signs nobody out at the provider, even where that offers it."""

    @property
    def host(self) -> str:
        """The issuer's `host:port`; empty: there is none."""
        return addresses.of_url(self.issuer)
