"""Kinds of routes: what the objects of an API that splits traffic have to offer to be load balancers."""

from typing import Protocol

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.plugins.cluster_traffic.backends import Backend
from gennaker.plugins.cluster_traffic.objects import Objects


class RouteKind(Protocol):
    """One API. The route is the user's; what its rules hand requests to is ours where they have nothing else."""

    name: str
    """Of the traffic provider."""
    title: str
    """Of the API, for people."""
    group: str
    kind: str
    plural: str
    companion: str
    """Plural of the kind of which each of our Services has an object beside it, in the same API version; empty: none."""

    def with_backends(self, route: JsonObject, backends: tuple[Backend, ...], ours: frozenset[str]) -> JsonObject:
        """With these in each rule that has none, or has only `ours`. Raises Refused where there is no such rule."""
        ...

    def without_backends(self, route: JsonObject, ours: frozenset[str]) -> JsonObject:
        """As the user had it."""
        ...

    def is_serving(self, route: JsonObject, ours: frozenset[str]) -> bool:
        """Whether these, and only these, stand in a rule."""
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


def named(manifest: JsonObject) -> str:
    """The object's name."""
    return foreign.text_at(foreign.mapping(manifest.get("metadata")), "name")
