"""Istio: a VirtualService's HTTP routes split requests among Services by weight.

Istio's own validation wants each route to have a destination. So the user marks a route as Gennaker's by the host
`gennaker.invalid`, a name that can't be anybody's (RFC 2606), and gets it back when the load balancer is removed. The first route
that matches is taken, so those by header or cookie stand right before the route that they are copies of.
"""

from collections.abc import Iterator

from gennaker.interfaces.routes import Routing
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, problems, routes
from gennaker.plugins.cluster_traffic.backends import PORT, Backend, Names, Served
from gennaker.plugins.cluster_traffic.objects import Objects
from gennaker.plugins.cluster_traffic.routes import Api

PLACEHOLDER = "gennaker.invalid"
_ANSWERS = ("redirect", "directResponse", "delegate")
"""With one of these a route hands nothing to a destination."""


class Istio:
    """Offers RouteKind."""

    name = "istio"
    api = Api(
        title="Istio's networking API",
        group="networking.istio.io",
        kind="VirtualService",
        plural="virtualservices",
        permitted_as=(("virtualservice.networking.istio.io",), ("destinationrule.networking.istio.io",)),
    )
    companion = "destinationrules"

    def with_backends(self, route: JsonObject, served: Served, ours: Names) -> JsonObject:
        """With these in each HTTP route that has none, the placeholder, or only `ours`. Raises Refused where there is none."""
        name, bare = routes.named(route), _bare(route, ours)
        if not any(_is_ours(one, ours) for one in bare):
            raise Refused(problems.no_rule(self.api.kind, name))
        listed: list[Json] = []
        for one in bare:
            listed += _served(name, one, served) if _is_ours(one, ours) else [one]
        return _with_routes(route, listed)

    def without_backends(self, route: JsonObject, ours: Names) -> JsonObject:
        """With the placeholder."""
        marked: list[Json] = [{"destination": {"host": PLACEHOLDER}}]
        return _with_routes(
            route, [{**one, "route": marked} if _is_ours(one, ours) else one for one in _bare(route, ours)]
        )

    def is_serving(self, route: JsonObject, ours: Names) -> bool:
        """Whether all of these stand in it, and those among which it splits for themselves in an HTTP route."""
        listed = _routes(route)
        found = frozenset(host for one in listed for host in (*_hosts(one), *map(_host, _copies(one))))
        return any(_hosts(one) == frozenset(ours.split) for one in listed) and found >= ours.all

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

    async def lacking(self, objects: Objects, route: JsonObject) -> frozenset[Routing]:
        """Nothing: there is one controller only."""
        return frozenset()


def _served(name: str, one: JsonObject, served: Served) -> list[JsonObject]:
    """A route of ours, and before it those for who is routed by header or cookie."""
    found: list[JsonObject] = []
    for backend in served.routed:
        if backend.routes.has_matches:
            matches: list[Json] = [*_matches(name, one, backend)]
            unnamed = {key: value for key, value in one.items() if key != "name"}
            found.append({**unnamed, "match": matches, "route": [{"destination": _destination(backend)}]})
    split: list[Json] = [{"destination": _destination(backend), "weight": backend.weight} for backend in served.split]
    whole: JsonObject = {**one, "route": split}
    copies: list[Json] = [_copy(backend) for backend in served.routed if backend.routes.mirror_percent]
    if copies:
        if "mirror" in one:
            raise Refused(problems.old_mirror(name), status=409)
        whole["mirrors"] = [*foreign.items(one.get("mirrors")), *copies]
    return [*found, whole]


def _matches(name: str, one: JsonObject, backend: Backend) -> Iterator[JsonObject]:
    """Each match of the route, with each header and cookie."""
    for match in foreign.mappings_at(one, "match") or [{}]:
        headers = foreign.mapping(match.get("headers"))
        taken = {header.lower() for header in headers}
        for wanted in routes.wanted(name, backend, taken):
            by: JsonObject = {"regex" if wanted.is_pattern else "exact": wanted.value}
            yield {**match, "headers": {**headers, wanted.header: by}}


def _destination(backend: Backend) -> JsonObject:
    return {"host": backend.name, "port": {"number": PORT}}


def _copy(backend: Backend) -> JsonObject:
    return {"destination": _destination(backend), "percentage": {"value": backend.routes.mirror_percent}}


def _routes(route: JsonObject) -> list[JsonObject]:
    return foreign.mappings_at(route.get("spec"), "http")


def _bare(route: JsonObject, ours: Names) -> list[JsonObject]:
    """The user's HTTP routes, without our copies of them and without what copies requests to us."""
    routed = frozenset(ours.routed)
    found: list[JsonObject] = []
    for one in _routes(route):
        hosts = _hosts(one)
        if hosts and hosts <= routed:
            continue
        copies: list[Json] = [each for each in _copies(one) if _host(each) not in routed]
        if len(copies) == len(_copies(one)):
            found.append(one)
        else:
            plain = {key: value for key, value in one.items() if key != "mirrors"}
            found.append({**plain, "mirrors": copies} if copies else plain)
    return found


def _with_routes(route: JsonObject, listed: list[Json]) -> JsonObject:
    return {**route, "spec": {**foreign.mapping(route.get("spec")), "http": listed}}


def _is_ours(one: JsonObject, ours: Names) -> bool:
    return not any(key in one for key in _ANSWERS) and _hosts(one) <= frozenset(ours.split) | {PLACEHOLDER}


def _hosts(one: JsonObject) -> frozenset[str]:
    return frozenset(map(_host, foreign.mappings_at(one, "route")))


def _copies(one: JsonObject) -> list[JsonObject]:
    return foreign.mappings_at(one, "mirrors")


def _host(one: JsonObject) -> str:
    return foreign.text_at(foreign.mapping(one.get("destination")), "host")
