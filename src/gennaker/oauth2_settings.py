"""Settings of signing in by a provider of OAuth2 that knows no OpenID Connect: the section `oauth2`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gennaker import addresses

AccessTokens = Literal["refused", "introspection", "user-info"]
"""Whether a provider's own access tokens are credentials here, and who says for whom one was made.

`introspection`: the provider, asked by RFC 7662, and only tokens of named clients. `user-info`: nobody says for which client, so that
whoever runs any client of that provider can come as whoever has signed in there.
"""


class OAuth2Settings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The provider that people sign in with, and what is taken from it."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")] = "oauth2"
    """Ends the addresses of the sign-in: /login/oauth2/code/NAME is to be registered at the provider."""
    authorization_url: str = ""
    """Where browsers are sent; empty: there is no such provider."""
    token_url: str = ""
    user_info_url: str = ""
    """Says in JSON whose an access token is."""
    introspection_url: str = ""
    """RFC 7662; for `access-tokens = "introspection"`."""
    client_id: str = ""
    client_secret_file: str = ""
    """File that holds the client's secret and nothing else; empty: a public client, which PKCE alone protects."""
    client_authentication: Literal["basic", "form"] = "basic"
    """How the secret is sent: in the header, as RFC 6749 has it, or among the form's fields."""
    label: str = "single sign-on"
    """What the button says after `Sign in with`."""
    scopes: tuple[str, ...] = ()
    subject_claim: str = "sub"
    """What in the user info stays the same for ever, whatever the person is called; `id` at many providers."""
    name_claim: str = "preferred_username"
    """What in the user info is the person's name here; `login` at some providers."""
    roles_claim: str = ""
    """What in the user info lists groups; empty: roles are given here, unless `groups-url` is set."""
    groups_url: str = ""
    """Where else a person's groups are listed, in JSON; asked with the person's access token."""
    groups_field: str = ""
    """What of each listed group is its name; empty: texts are listed."""
    roles: dict[str, tuple[str, ...]] = {}
    """By group: the roles that it stands for. A group that isn't listed stands for none; with no list at all each is a role."""
    required_groups: tuple[str, ...] = ()
    """Only people of one of these groups; empty: everybody whom the provider lets in."""
    access_tokens: AccessTokens = "refused"
    token_clients: tuple[str, ...] = ()
    """The provider's names of the clients whose access tokens are taken, `spin`'s say; Gennaker's own always are."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """`host:port` of all that is asked."""
        asked = (self.token_url, self.user_info_url, self.introspection_url, self.groups_url)
        return tuple(dict.fromkeys(addresses.of_url(url) for url in asked if url))
