"""HTTPRoutes: which rules are ours, what stands in them, and what a Gateway says of them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.fakes.kubernetes_api import KubernetesApi

from gennaker.interfaces.routes import Routes
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic.backends import Backend, Names, Served
from gennaker.plugins.cluster_traffic.gateway import GatewayApi
from gennaker.plugins.cluster_traffic.objects import Objects
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer

API = GatewayApi()
OURS = Names(split=("old", "new"))
REDIRECT = {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}]}


def reference(name: str, weight: int = 1) -> dict[str, Any]:
    return {"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight}


def route(*rules: dict[str, Any], **parts: Any) -> JsonObject:
    spec = {"parentRefs": [{"name": "web"}], "rules": list(rules)}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "metadata": {"name": "shop", "generation": 3},
        "spec": spec,
        **parts,
    }


def backend(name: str, weight: int = 1) -> Backend:
    return Backend(name=name, key=f"p:s:{name}", weight=weight, addresses=("10.0.0.1:80",))


def split(*backends: Backend, routed: tuple[Backend, ...] = ()) -> Served:
    return Served(split=backends, routed=routed)


def test_rules_without_backends_and_those_with_ours_are_set_and_others_stay() -> None:
    theirs = {"matches": [{"path": {"value": "/api"}}], "backendRefs": [reference("api"), reference("old")]}
    headers = {"filters": [{"type": "RequestHeaderModifier"}]}
    before = route(theirs, {}, {"backendRefs": [reference("old")]}, REDIRECT, headers)

    found = API.with_backends(before, split(backend("new", 9), backend("old", 1)), Names(split=("old",)))

    wanted = {"backendRefs": [reference("new", 9), reference("old", 1)]}
    assert found == route(theirs, wanted, wanted, REDIRECT, {**headers, **wanted})
    assert API.without_backends(found, OURS) == route(theirs, {}, {}, REDIRECT, headers)
    assert API.is_serving(found, OURS)
    assert not API.is_serving(before, OURS)


def routed(name: str, **routes: Any) -> Backend:
    return Backend(name=name, key="p:s:new", weight=1, addresses=("10.0.0.2:80",), routes=Routes(**routes))


def test_who_is_routed_gets_copies_of_our_rules_and_copies_of_requests() -> None:
    path = {"path": {"type": "PathPrefix", "value": "/shop"}}
    theirs = {"backendRefs": [reference("api")]}
    filters = [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "log"}}}]
    before = route(theirs, {"name": "all", "matches": [path], "filters": filters, "timeouts": {"request": "5s"}}, {})
    canary = routed("canary", headers={"X-Canary": "yes"}, cookies={"t.x": "1.0"}, mirror_percent=30)
    names = Names(split=("old",), routed=("canary",))

    found = API.with_backends(before, split(backend("old"), routed=(canary,)), Names())

    header = {"name": "x-canary", "type": "Exact", "value": "yes"}
    cookie = {"name": "cookie", "type": "RegularExpression", "value": r"^(.*;\s*)?t\.x=1\.0(\s*;.*)?$"}
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": reference("canary"), "percent": 30}}
    del mirror["requestMirror"]["backendRef"]["weight"]  # type: ignore[index]  # as made there
    anywhere = {"path": {"type": "PathPrefix", "value": "/"}}
    ours, others = [reference("canary")], [reference("old")]
    assert found == route(
        theirs,
        {
            "matches": [{**path, "headers": [header]}, {**path, "headers": [cookie]}],
            "filters": filters,
            "timeouts": {"request": "5s"},
            "backendRefs": ours,
        },
        {
            "name": "all",
            "matches": [path],
            "filters": [*filters, mirror],
            "timeouts": {"request": "5s"},
            "backendRefs": others,
        },
        {"matches": [{**anywhere, "headers": [header]}, {**anywhere, "headers": [cookie]}], "backendRefs": ours},
        {"filters": [mirror], "backendRefs": others},
    )
    assert API.is_serving(found, names)
    assert not API.is_serving(found, Names(split=("old",), routed=("canary", "other")))
    assert API.without_backends(found, names) == before
    alone = API.with_backends(found, split(backend("old")), names)
    assert alone == API.with_backends(before, split(backend("old")), Names())


def test_a_rule_that_matches_by_the_same_header_and_too_many_rules_are_refused() -> None:
    taken = {"matches": [{"headers": [{"name": "X-Canary", "value": "no"}]}]}
    served = split(backend("old"), routed=(routed("canary", headers={"x-canary": "yes"}),))

    with pytest.raises(Refused, match="matches requests by the header x-canary itself"):
        API.with_backends(route(taken), served, Names())
    API.with_backends(route(*[{}] * 8), served, Names())
    with pytest.raises(Refused, match="would have 18 rules, and it can have 16"):
        API.with_backends(route(*[{}] * 9), served, Names())


@pytest.mark.parametrize("rule", [{"backendRefs": [reference("api")]}, REDIRECT])
def test_a_route_of_which_no_rule_is_ours_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="backends of their own, or redirect"):
        API.with_backends(route(rule), split(backend("new")), OURS)


def test_more_server_groups_than_a_rule_can_name_are_refused() -> None:
    API.with_backends(route({}), split(*(backend(str(number)) for number in range(16))), OURS)
    with pytest.raises(Refused, match="a rule can name 16"):
        API.with_backends(route({}), split(*(backend(str(number)) for number in range(17))), OURS)


def test_weights_that_the_api_would_refuse_are_made_smaller() -> None:
    found = API.with_backends(route({}), split(backend("a", 3_000_000), backend("b", 1_000_000)), OURS)

    assert found == route({"backendRefs": [reference("a", 1_000_000), reference("b", 333_333)]})


def conditions(accepted: str = "True", resolved: str = "True", *, seen: int = 3) -> dict[str, Any]:
    said = [("Accepted", accepted), ("ResolvedRefs", resolved)]
    return {
        "conditions": [
            {"type": kind, "status": is_so, "observedGeneration": seen, "message": "no listener"}
            for kind, is_so in said
        ]
    }


@pytest.mark.parametrize(
    ("parents", "is_followed"),
    [
        ([conditions()], True),
        ([], False),
        ([conditions(seen=2)], False),
        ([conditions(resolved="False")], False),
        ([{}], False),
    ],
)
def test_a_route_is_followed_when_its_gateway_has_seen_it_and_knows_its_services(
    parents: list[Any], is_followed: bool
) -> None:
    assert API.is_followed(route({}, status={"parents": parents})) is is_followed


def test_a_route_that_its_gateway_does_not_take_is_refused() -> None:
    with pytest.raises(Refused, match="doesn't take the route shop: no listener"):
        API.is_followed(route({}, status={"parents": [conditions("False")]}))


@pytest.mark.parametrize(
    ("parent", "address"),
    [
        ({"name": "web"}, "192.0.2.1:80"),
        ({"name": "web", "sectionName": "tls"}, "192.0.2.1:443"),
        ({"name": "web", "port": 443}, "192.0.2.1:443"),
        ({"name": "web", "sectionName": "other"}, ""),
        ({"name": "gone"}, ""),
        ({"name": "v6", "namespace": "edge"}, "[2001:db8::1]:80"),
        ({"name": "pending"}, ""),
    ],
)
def test_a_route_is_reached_at_its_gateways_address_and_its_listeners_port(
    parent: dict[str, Any], address: str
) -> None:
    api = KubernetesApi()
    listeners = [{"name": "plain", "port": 80}, {"name": "tls", "port": 443}]
    for name, namespace, host in (("web", "shop", "192.0.2.1"), ("v6", "edge", "2001:db8::1"), ("pending", "shop", "")):
        status = {"addresses": [{"value": host}]} if host else {}
        one = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": name}}
        api.put({**one, "spec": {"listeners": listeners}, "status": status}, namespace)
    access = Access(server="http://cluster", namespace="shop", user=User(token="t"))

    async def asked() -> str:
        server = HttpApiServer("prod", lambda: access, now=lambda: datetime(2026, 1, 1, tzinfo=UTC), transport=api)
        return await API.address(Objects(server, "shop"), route({}, spec={"parentRefs": [parent]}))

    assert asyncio.run(asked()) == address
