"""Gateway API: an HTTPRoute's rules split requests among Services by weight."""

from gennaker.interfaces import traffic
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import problems, routes
from gennaker.plugins.cluster_traffic.backends import PORT, Backend
from gennaker.plugins.cluster_traffic.objects import Objects

_MOST_BACKENDS = 16
_LARGEST_WEIGHT = 1_000_000
_REDIRECT = "RequestRedirect"
"""A filter that answers by itself; a rule with it may have no backends."""


class GatewayApi:
    """Offers RouteKind."""

    name = "gateway-api"
    title = "the Gateway API"
    group = "gateway.networking.k8s.io"
    kind = "HTTPRoute"
    plural = "httproutes"
    companion = ""

    def with_backends(self, route: JsonObject, backends: tuple[Backend, ...], ours: frozenset[str]) -> JsonObject:
        """With these in each rule that has none, or has only `ours`. Raises Refused where there is no such rule."""
        if len(backends) > _MOST_BACKENDS:
            raise Refused(problems.too_many(routes.named(route), len(backends), _MOST_BACKENDS))
        wanted = _references(backends)
        found = _rules(route)
        if not any(_is_ours(rule, ours) for rule in found):
            raise Refused(problems.no_rule(self.kind, routes.named(route)))
        return _with_rules(route, [{**rule, "backendRefs": wanted} if _is_ours(rule, ours) else rule for rule in found])

    def without_backends(self, route: JsonObject, ours: frozenset[str]) -> JsonObject:
        """As the user had it."""
        return _with_rules(
            route,
            [
                {key: value for key, value in rule.items() if key != "backendRefs"} if _is_ours(rule, ours) else rule
                for rule in _rules(route)
            ],
        )

    def is_serving(self, route: JsonObject, ours: frozenset[str]) -> bool:
        """Whether these, and only these, stand in a rule."""
        return any(_backends(rule) == ours for rule in _rules(route))

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
        parent = next(iter(foreign.mappings_at(route.get("spec"), "parentRefs")), {})
        namespace = foreign.text_at(parent, "namespace")
        version = foreign.text_at(route, "apiVersion")
        gateway = await objects.get(version, "gateways", foreign.text_at(parent, "name"), namespace=namespace)
        if gateway is None:
            return ""
        given = next(iter(foreign.mappings_at(gateway.get("status"), "addresses")), {})
        host = foreign.text_at(given, "value")
        listeners = [one for one in foreign.mappings_at(gateway.get("spec"), "listeners") if _is_meant(parent, one)]
        if not host or not listeners:
            return ""
        return f"{f'[{host}]' if ':' in host else host}:{listeners[0].get('port')}"


def _is_meant(parent: JsonObject, listener: JsonObject) -> bool:
    return parent.get("sectionName", listener.get("name")) == listener.get("name") and parent.get(
        "port", listener.get("port")
    ) == listener.get("port")


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


def _with_rules(route: JsonObject, rules: list[JsonObject]) -> JsonObject:
    listed: list[Json] = [*rules]
    return {**route, "spec": {**foreign.mapping(route.get("spec")), "rules": listed}}


def _is_ours(rule: JsonObject, ours: frozenset[str]) -> bool:
    redirects = any(one.get("type") == _REDIRECT for one in foreign.mappings_at(rule, "filters"))
    return not redirects and _backends(rule) <= ours


def _backends(rule: JsonObject) -> frozenset[str]:
    return frozenset(foreign.text_at(one, "name") for one in foreign.mappings_at(rule, "backendRefs"))
