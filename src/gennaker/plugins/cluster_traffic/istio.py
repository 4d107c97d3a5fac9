"""Istio: a VirtualService's HTTP routes split requests among Services by weight.

Istio's own validation wants each route to have a destination. So the user marks a route as Gennaker's by the host
`gennaker.invalid`, a name that can't be anybody's (RFC 2606), and gets it back when the load balancer is removed.
"""

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, problems, routes
from gennaker.plugins.cluster_traffic.backends import PORT, Backend
from gennaker.plugins.cluster_traffic.objects import Objects

PLACEHOLDER = "gennaker.invalid"
_ANSWERS = ("redirect", "directResponse", "delegate")
"""With one of these a route hands nothing to a destination."""


class Istio:
    """Offers RouteKind."""

    name = "istio"
    title = "Istio's networking API"
    group = "networking.istio.io"
    kind = "VirtualService"
    plural = "virtualservices"
    companion = "destinationrules"

    def with_backends(self, route: JsonObject, wanted: tuple[Backend, ...], ours: frozenset[str]) -> JsonObject:
        """With these in each HTTP route that has none, the placeholder, or only `ours`. Raises Refused where there is none."""
        destinations: list[Json] = [
            {"destination": {"host": one.name, "port": {"number": PORT}}, "weight": one.weight} for one in wanted
        ]
        if not any(_is_ours(one, ours) for one in _routes(route)):
            raise Refused(problems.no_rule(self.kind, routes.named(route)))
        return _with_destinations(route, destinations, ours)

    def without_backends(self, route: JsonObject, ours: frozenset[str]) -> JsonObject:
        """With the placeholder."""
        return _with_destinations(route, [{"destination": {"host": PLACEHOLDER}}], ours)

    def is_serving(self, route: JsonObject, ours: frozenset[str]) -> bool:
        """Whether these, and only these, stand in an HTTP route."""
        return any(_hosts(one) == ours for one in _routes(route))

    def is_followed(self, route: JsonObject) -> bool:
        """True: Istio tells nobody by itself what its proxies have."""
        return True

    def companion_of(self, backend: Backend, load_balancer: str, version: str) -> JsonObject | None:
        """Divides the group's requests evenly; Istio's usual way prefers instances that have few."""
        return {
            "apiVersion": version,
            "kind": "DestinationRule",
            "metadata": {"name": backend.name, "labels": backends.labels(load_balancer)},
            "spec": {"host": backend.name, "trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}},
        }

    async def address(self, objects: Objects, route: JsonObject) -> str:
        """Nothing: an ingress gateway is a Service like any other, and none where only the mesh uses the route."""
        return ""


def _routes(route: JsonObject) -> list[JsonObject]:
    return foreign.mappings_at(route.get("spec"), "http")


def _with_destinations(route: JsonObject, destinations: list[Json], ours: frozenset[str]) -> JsonObject:
    listed: list[Json] = [{**one, "route": destinations} if _is_ours(one, ours) else one for one in _routes(route)]
    return {**route, "spec": {**foreign.mapping(route.get("spec")), "http": listed}}


def _is_ours(one: JsonObject, ours: frozenset[str]) -> bool:
    return not any(key in one for key in _ANSWERS) and _hosts(one) <= ours | {PLACEHOLDER}


def _hosts(one: JsonObject) -> frozenset[str]:
    given = foreign.mappings_at(one, "route")
    return frozenset(foreign.text_at(foreign.mapping(each.get("destination")), "host") for each in given)
