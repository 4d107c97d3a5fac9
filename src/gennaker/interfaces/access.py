"""Access: what those who ask may do. One authoriser answers for routes, submissions, stages and lists."""

from collections.abc import Iterable
from typing import Protocol

from gennaker.model.permissions import Need
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem


class Authoriser(Protocol):
    """Decides by roles; while sign-in is off, everybody may do everything that comes in at all."""

    async def refusal(self, principal: Principal, *needs: Need) -> Problem | None:
        """Why the principal may not have all of this; None: it may."""
        ...

    async def readable(self, principal: Principal, applications: Iterable[str]) -> frozenset[str]:
        """Those of the applications, as they are spelled here, that the principal may read."""
        ...

    async def acting_as(self, name: str, *, via: str) -> Principal:
        """A person or service account with its present roles; who isn't known has none."""
        ...

    async def refusal_to_act_as(self, principal: Principal, name: str) -> Problem | None:
        """Why the principal may not have triggers, or what it starts, run as somebody else; None: it may."""
        ...
