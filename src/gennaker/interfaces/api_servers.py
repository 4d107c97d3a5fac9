"""API servers of Kubernetes: JSON in, JSON out, by the API's own paths. What an account of the settings gives access to.

ApiFailure
├── ApiRefusal      it answered, and the answer is no; `status` and `reason` are the API's own
└── ApiUnavailable  it didn't answer, or said that it can't now: asking again later may help
"""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol
from urllib.parse import quote

import msgspec

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

GONE = 410
"""What was asked from is too old: begin anew."""


class ApiFailure(Exception):
    """A request to an API server had no success; the text says whose, and why."""


class ApiRefusal(ApiFailure):
    """The API server answered that it won't."""

    def __init__(self, message: str, *, status: int, reason: str = "", causes: tuple[JsonObject, ...] = ()) -> None:
        """`causes`: what the answer lists as `details.causes`, each with `reason`, `message` and `field`."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.causes = causes


class ApiUnavailable(ApiFailure):
    """Nobody answered, or not now."""

    def __init__(self, message: str, *, after_seconds: float = 0.0, may_be_done: bool = False) -> None:
        """`after_seconds`: when it wants to be asked again, if it said so; `may_be_done`: what was asked for is done, or it isn't."""
        super().__init__(message)
        self.after_seconds = after_seconds
        self.may_be_done = may_be_done


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """Where the API server has objects of a kind."""

    api_version: str
    kind: str
    plural: str
    is_namespaced: bool
    verbs: frozenset[str] = frozenset()

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of its objects, or of one; without a namespace those of all. Raises Refused for names that would lead elsewhere."""
        root = "/api/" if "/" not in self.api_version else "/apis/"
        middle = f"/namespaces/{_part(namespace)}" if namespace and self.is_namespaced else ""
        end = "".join(f"/{_part(one)}" for one in (name, subresource) if one)
        return f"{root}{self.api_version}{middle}/{self.plural}{end}"


def _part(name: str) -> str:
    """As it stands in a path. The API server allows no such names either."""
    if name in (".", "..") or "/" in name or "%" in name:
        raise Refused(
            Problem(
                code="kubernetes.name",
                message=f"{name!r} can't be the name of an object or a namespace.",
                remedy="Use letters, digits, hyphens and dots.",
            )
        )
    return quote(name, safe=":")


class ApiServer(Protocol):
    """One API server, with the credentials of an account."""

    @property
    def name(self) -> str:
        """The account's."""
        ...

    @property
    def namespace(self) -> str:
        """Where objects go that name none."""
        ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        media: str = "application/json",
    ) -> bytes:
        """The body of the answer, if it is a good one. Raises ApiFailure."""
        ...

    def watch(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[JsonObject]:
        """An empty event when the watch stands, then events as they come, until the server ends it.

        Raises ApiFailure; with the status `GONE` where the version is too old.
        """
        ...

    async def seen(self, path: str) -> Mapping[tuple[str, str], JsonObject]:
        """The objects below a path by namespace and name, as a watch that is shared by all keeps them. Raises ApiFailure."""
        ...

    async def resources(self, api_version: str, *, anew: bool = False) -> tuple[Resource, ...]:
        """The kinds of a group and version, remembered unless asked `anew`; none: it has no such version. Raises ApiFailure."""
        ...

    async def versions(self, group: str, *, anew: bool = False) -> tuple[str, ...]:
        """The API versions of a group (`""`: the core), the preferred one first; remembered as well. Raises ApiFailure."""
        ...


ApiServers = Mapping[str, ApiServer]
"""By account."""
