"""Identity providers: sign-ins elsewhere.

IdentityProvider      a browser is sent there and comes back: OpenID Connect, OAuth2; SAML would be one
PasswordDirectory     is asked whether a name and a password belong together: LDAP would be one; there is none yet
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class ForeignPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom a provider has signed in."""

    source: str
    """Which kind of provider: `oidc`, `oauth2`, or a directory's name."""
    subject: str
    """The same person for ever at the same provider, whatever they are called; never two people's."""
    name: str
    roles: tuple[str, ...] | None
    """None: the provider says nothing of roles."""


class IdentityProvider(Protocol):
    """A sign-in by redirects. `secret` is a browser's own, for one attempt: 256 random bits that it keeps in a cookie."""

    @property
    def name(self) -> str:
        """Ends the addresses of the sign-in by it."""
        ...

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    async def begin(self, secret: str) -> str:
        """The address that the browser is sent to. Raises Refused."""
        ...

    async def finish(self, secret: str, answer: Mapping[str, str]) -> ForeignPerson:
        """Who came back with this answer, as the parameters of its query. Raises Refused."""
        ...

    async def sign_out(self) -> str | None:
        """The address at which the browser is signed out there, too; None: it isn't."""
        ...

    async def by_access_token(self, token: str) -> ForeignPerson | None:
        """Whose access token of the provider this is; None: nobody's, or the settings don't take such tokens. Raises Refused."""
        ...


class PasswordDirectory(Protocol):
    """Somewhere else where names and passwords are known. It is asked only about people who don't sign in here otherwise.

    Clients with basic authentication send the password with each request: it is for the directory to remember right ones.
    """

    @property
    def name(self) -> str:
        """The source of its people: never empty, and never changed."""
        ...

    async def check(self, name: str, password: str) -> ForeignPerson | None:
        """Who it is; None: nobody of that name and password. An empty password is nobody's. Raises Refused where it doesn't answer."""
        ...
