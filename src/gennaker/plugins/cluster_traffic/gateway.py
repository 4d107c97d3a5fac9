"""Gateway API: an HTTPRoute's rules split requests among Services by weight.

Requests by header or cookie have rules of their own, copies of the user's with one match more. A match with more headers goes
before one with fewer for the same path, says the API, so the order of rules decides nothing.
"""

from collections.abc import Iterator

from gennaker.interfaces import traffic
from gennaker.interfaces.routes import Routing
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import problems, routes
from gennaker.plugins.cluster_traffic.backends import PORT, Backend, Names, Served
from gennaker.plugins.cluster_traffic.objects import Objects
from gennaker.plugins.cluster_traffic.routes import Api

_MOST_BACKENDS = 16
_MOST_RULES = 16
_LARGEST_WEIGHT = 1_000_000
_REDIRECT = "RequestRedirect"
"""A filter that answers by itself; a rule with it may have no backends."""
_MIRROR = "RequestMirror"
_COPYING = frozenset({"HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"})
"""Features that the API leaves to controllers."""
_COPYING_SILENTLY = frozenset({"istio.io/gateway-controller", "gateway.envoyproxy.io/gatewayclass-controller"})
"""Controllers that copy, and list no features: they gave the field up while it was experimental (Istio 1.31, Envoy Gateway 1.9)."""
_ANY_PATH: JsonObject = {"path": {"type": "PathPrefix", "value": "/"}}
"""What the API server fills in where nothing is said."""


class GatewayApi:
    """Offers RouteKind."""

    name = "gateway-api"
    api = Api(
        title="the Gateway API",
        group="gateway.networking.k8s.io",
        kind="HTTPRoute",
        plural="httproutes",
        permitted_as=(("httproute.gateway.networking.k8s.io",),),
    )
    companion = ""

    def with_backends(self, route: JsonObject, served: Served, ours: Names) -> JsonObject:
        """With these in each rule that has none, or has only `ours`. Raises Refused where there is no such rule."""
        name = routes.named(route)
        if len(served.split) > _MOST_BACKENDS:
            raise Refused(problems.too_many(name, len(served.split), _MOST_BACKENDS))
        bare = _bare(route, ours)
        if not any(_is_ours(rule, ours) for rule in bare):
            raise Refused(problems.no_rule(self.api.kind, name))
        rules: list[JsonObject] = []
        for rule in bare:
            rules += _served(name, rule, served) if _is_ours(rule, ours) else [rule]
        if len(rules) > _MOST_RULES:
            raise Refused(problems.too_many_rules(name, len(rules), _MOST_RULES))
        return _with_rules(route, rules)

    def without_backends(self, route: JsonObject, ours: Names) -> JsonObject:
        """As the user had it."""
        return _with_rules(
            route,
            [
                {key: value for key, value in rule.items() if key != "backendRefs"} if _is_ours(rule, ours) else rule
                for rule in _bare(route, ours)
            ],
        )

    def is_serving(self, route: JsonObject, ours: Names) -> bool:
        """Whether all of these stand in it, and those among which it splits for themselves in a rule."""
        rules = _rules(route)
        found = frozenset(name for rule in rules for name in (*_backends(rule), *_mirrors(rule)))
        return any(_backends(rule) == frozenset(ours.split) for rule in rules) and found >= ours.all

    def is_followed(self, route: JsonObject) -> bool:
        """Whether each Gateway has seen this version, and knows its Services. Raises Refused where one doesn't take the route."""
        generation = foreign.mapping(route.get("metadata")).get("generation")
        parents = foreign.mappings_at(route.get("status"), "parents")
        if len(parents) < len(foreign.mappings_at(route.get("spec"), "parentRefs")):
            return False
        conditions = [one for parent in parents for one in foreign.mappings_at(parent, "conditions")]
        if not conditions or any(one.get("observedGeneration") != generation for one in conditions):
            return False
        for one in conditions:
            if one.get("type") == "Accepted" and one.get("status") == "False":
                said = foreign.text_at(one, "message") or foreign.text_at(one, "reason")
                raise Refused(problems.not_accepted(routes.named(route), said), status=502)
        return all(one.get("status") == "True" for one in conditions if one.get("type") == "ResolvedRefs")

    def companion_of(self, backend: Backend, load_balancer: str, version: str) -> JsonObject | None:
        """None: all that there is to say of a Service stands in the route."""
        return None

    async def address(self, objects: Objects, route: JsonObject) -> str:
        """The first address of its first Gateway, with the port of the listener that it names, else of the first."""
        parent, gateway = await _gateway(objects, route)
        given = next(iter(foreign.mappings_at(gateway.get("status"), "addresses")), {})
        host = foreign.text_at(given, "value")
        listeners = [one for one in foreign.mappings_at(gateway.get("spec"), "listeners") if _is_meant(parent, one)]
        if not host or not listeners:
            return ""
        return f"{f'[{host}]' if ':' in host else host}:{listeners[0].get('port')}"

    async def lacking(self, objects: Objects, route: JsonObject) -> frozenset[Routing]:
        """Copying, unless the GatewayClass says that it does, or says nothing and is known to. Headers are the API's own."""
        _, gateway = await _gateway(objects, route)
        name = foreign.text_at(foreign.mapping(gateway.get("spec")), "gatewayClassName")
        if not name:
            return frozenset({Routing.MIRROR})
        version = foreign.text_at(route, "apiVersion")
        listed = await objects.get(version, "gatewayclasses", name, is_cluster_wide=True)
        said = foreign.items(foreign.mapping((listed or {}).get("status")).get("supportedFeatures"))
        # Names alone until version 1.1 of the API, objects since then.
        features = {one if isinstance(one, str) else foreign.text_at(foreign.mapping(one), "name") for one in said}
        controller = foreign.text_at(foreign.mapping((listed or {}).get("spec")), "controllerName")
        copies = features >= _COPYING if features else controller in _COPYING_SILENTLY
        return frozenset() if copies else frozenset({Routing.MIRROR})


async def _gateway(objects: Objects, route: JsonObject) -> tuple[JsonObject, JsonObject]:
    """The reference to the first Gateway and the Gateway, empty where there is none."""
    parent = next(iter(foreign.mappings_at(route.get("spec"), "parentRefs")), {})
    namespace = foreign.text_at(parent, "namespace")
    version = foreign.text_at(route, "apiVersion")
    found = await objects.get(version, "gateways", foreign.text_at(parent, "name"), namespace=namespace)
    return parent, found or {}


def _is_meant(parent: JsonObject, listener: JsonObject) -> bool:
    return parent.get("sectionName", listener.get("name")) == listener.get("name") and parent.get(
        "port", listener.get("port")
    ) == listener.get("port")


def _served(name: str, rule: JsonObject, served: Served) -> list[JsonObject]:
    """A rule of ours, and before it those for who is routed by header or cookie."""
    found: list[JsonObject] = []
    for one in served.routed:
        if one.routes.has_matches:
            matches: list[Json] = [*_matches(name, rule, one)]
            # Two rules can't have one name.
            unnamed = {key: value for key, value in rule.items() if key != "name"}
            found.append({**unnamed, "matches": matches, "backendRefs": _references((one,))})
    copies: list[Json] = [_mirror(one) for one in served.routed if one.routes.mirror_percent]
    split: JsonObject = {**rule, "backendRefs": _references(served.split)}
    if copies:
        split["filters"] = [*foreign.items(rule.get("filters")), *copies]
    return [*found, split]


def _matches(name: str, rule: JsonObject, backend: Backend) -> Iterator[JsonObject]:
    """Each match of the rule, with each header and cookie."""
    for match in foreign.mappings_at(rule, "matches") or [_ANY_PATH]:
        headers = foreign.mappings_at(match, "headers")
        taken = {foreign.text_at(one, "name").lower() for one in headers}
        for one in routes.wanted(name, backend, taken):
            kind = "RegularExpression" if one.is_pattern else "Exact"
            both: list[Json] = [*headers, {"name": one.header, "type": kind, "value": one.value}]
            yield {**match, "headers": both}


def _mirror(backend: Backend) -> JsonObject:
    reference: JsonObject = {"group": "", "kind": "Service", "name": backend.name, "port": PORT}
    mirror: JsonObject = {"backendRef": reference, "percent": backend.routes.mirror_percent}
    return {"type": _MIRROR, "requestMirror": mirror}


def _references(backends: tuple[Backend, ...]) -> list[Json]:
    weights = {one.name: one.weight for one in backends}
    if (most := max(weights.values())) > _LARGEST_WEIGHT:
        weights = traffic.rounded(weights, sum(weights.values()) * _LARGEST_WEIGHT // most)
    # With what the API server would fill in, so that what is there can be compared with what should be.
    return [
        {"group": "", "kind": "Service", "name": one.name, "port": PORT, "weight": weights[one.name]}
        for one in backends
    ]


def _rules(route: JsonObject) -> list[JsonObject]:
    return foreign.mappings_at(route.get("spec"), "rules")


def _bare(route: JsonObject, ours: Names) -> list[JsonObject]:
    """The user's rules, without our copies of them and without our filters."""
    routed = frozenset(ours.routed)
    found: list[JsonObject] = []
    for rule in _rules(route):
        backends = _backends(rule)
        if backends and backends <= routed:
            continue
        filters: list[Json] = [one for one in foreign.mappings_at(rule, "filters") if _copied_to(one) not in routed]
        if len(filters) == len(foreign.mappings_at(rule, "filters")):
            found.append(rule)
        else:
            plain = {key: value for key, value in rule.items() if key != "filters"}
            found.append({**plain, "filters": filters} if filters else plain)
    return found


def _with_rules(route: JsonObject, rules: list[JsonObject]) -> JsonObject:
    listed: list[Json] = [*rules]
    return {**route, "spec": {**foreign.mapping(route.get("spec")), "rules": listed}}


def _is_ours(rule: JsonObject, ours: Names) -> bool:
    redirects = any(one.get("type") == _REDIRECT for one in foreign.mappings_at(rule, "filters"))
    return not redirects and _backends(rule) <= frozenset(ours.split)


def _backends(rule: JsonObject) -> frozenset[str]:
    return frozenset(foreign.text_at(one, "name") for one in foreign.mappings_at(rule, "backendRefs"))


def _mirrors(rule: JsonObject) -> frozenset[str]:
    return frozenset(_copied_to(one) for one in foreign.mappings_at(rule, "filters"))


def _copied_to(one: JsonObject) -> str:
    """The Service that a filter copies to; empty: it doesn't copy."""
    mirror = foreign.mapping(one.get("requestMirror"))
    return foreign.text_at(foreign.mapping(mirror.get("backendRef")), "name")
