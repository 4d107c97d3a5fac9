"""Kinds of routes: what the objects of an API that splits traffic have to offer to be load balancers."""

import re
from collections.abc import Collection, Iterator
from typing import Protocol

import msgspec

from gennaker.interfaces.routes import Routing
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import problems
from gennaker.plugins.cluster_traffic.backends import Backend, Names, Served
from gennaker.plugins.cluster_traffic.objects import Objects


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """Of which a kind of routes is."""

    title: str
    """For people."""
    group: str
    kind: str
    plural: str
    permitted_as: tuple[tuple[str, ...], ...]
    """The kinds that are changed in it, each in all spellings by which an account's settings permit it, in small letters."""


class RouteKind(Protocol):
    """One API. The route is the user's; what its rules hand requests to is ours where they have nothing else."""

    name: str
    """Of the traffic provider."""
    api: Api
    companion: str
    """Plural of the kind of which each of our Services has an object beside it, in the same API version; empty: none."""

    def with_backends(self, route: JsonObject, served: Served, ours: Names) -> JsonObject:
        """With these in each rule that has none, or has only `ours`. Raises Refused where there is no such rule.

        Before each such rule stands a copy of it for each server group that gets requests by header or cookie.
        """
        ...

    def without_backends(self, route: JsonObject, ours: Names) -> JsonObject:
        """As the user had it."""
        ...

    def is_serving(self, route: JsonObject, ours: Names) -> bool:
        """Whether all of these stand in it, and those among which it splits for themselves in a rule."""
        ...

    def is_followed(self, route: JsonObject) -> bool:
        """Whether the controller says that it has seen this version; true where it says nothing ever. Raises Refused."""
        ...

    def companion_of(self, backend: Backend, load_balancer: str, version: str) -> JsonObject | None:
        """The object beside a Service, of the same name; None: there is none."""
        ...

    async def address(self, objects: Objects, route: JsonObject) -> str:
        """Where clients reach it, as the cluster says; empty: it doesn't. Raises Refused."""
        ...

    async def lacking(self, objects: Objects, route: JsonObject) -> frozenset[Routing]:
        """What the controller that serves the route doesn't say that it can. Raises Refused."""
        ...


def named(manifest: JsonObject) -> str:
    """The object's name."""
    return foreign.text_at(foreign.mapping(manifest.get("metadata")), "name")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A header by which a request is a server group's."""

    header: str
    value: str
    is_pattern: bool


def wanted(route: str, backend: Backend, taken: Collection[str]) -> Iterator[Wanted]:
    """The headers of what is routed to it, of which each will do. Raises Refused where the user's own match has (`taken`) one of them."""
    for kind, name, value in backend.routes.matches():
        is_cookie = kind is Routing.COOKIE
        header = "cookie" if is_cookie else name
        if header in taken:
            raise Refused(problems.same_header(route, header), status=409)
        yield Wanted(header=header, value=_cookie_pattern(name, value) if is_cookie else value, is_pattern=is_cookie)


def _cookie_pattern(name: str, value: str) -> str:
    """A regular expression for the header Cookie, of RE2; right whether the whole header has to match it or a part."""
    return rf"^(.*;\s*)?{re.escape(name)}={re.escape(value)}(\s*;.*)?$"
