"""Identity providers: sign-ins elsewhere, to which a browser is sent and from which it comes back (OpenID Connect)."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class ForeignPerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom a provider has signed in."""

    source: str
    """Which kind of provider: `oidc`."""
    subject: str
    """The same person for ever at the same provider, whatever they are called; never two people's."""
    name: str
    roles: tuple[str, ...] | None
    """None: the provider says nothing of roles."""


class IdentityProvider(Protocol):
    """A sign-in by redirects. `secret` is a browser's own, for one attempt: 256 random bits that it keeps in a cookie."""

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
