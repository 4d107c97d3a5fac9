"""Routes whose controllers don't run here, on a real API server that has their kinds: it takes all that is written.

The kinds of Istio come from its Go module.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes import gateway_cluster
from tests.fakes.gateway_cluster import SLICES, GatewayCluster

from gennaker.interfaces.routes import Routes
from gennaker.interfaces.traffic import LoadBalancer, Share
from gennaker.plugins.cluster_traffic import backends
from gennaker.plugins.cluster_traffic.backends import Names
from gennaker.plugins.cluster_traffic.gateway import GatewayApi
from gennaker.plugins.cluster_traffic.istio import PLACEHOLDER, Istio
from gennaker.plugins.cluster_traffic.provider import RouteProvider
from gennaker.plugins.cluster_traffic.routes import RouteKind
from gennaker.traffic_settings import LoadBalancerSettings

pytestmark = [pytest.mark.slow, pytest.mark.go, pytest.mark.root, pytest.mark.xdist_group("cluster traffic")]
ISTIO = ("istio.io/api@v1.32.0", "h1:37mJvg9I0biYZAEQF+MATs4FNeCpXEIVO3LFpVb6iNM=")
NETWORKING = "/apis/networking.istio.io/v1/namespaces/default"
SERVICES = "/api/v1/namespaces/default/services"
OLD, NEW = "p:s:shop-v001", "p:s:shop-v002"
PORT = {"number": 80}
BOTH = {OLD: Share(weight=90, addresses=("10.0.0.1:8080",)), NEW: Share(weight=10, addresses=("10.0.0.2:8080",))}


@pytest.fixture(scope="module")
def istio(gateway: GatewayCluster) -> GatewayCluster:
    text = (gateway_cluster.module(*ISTIO) / "kubernetes" / "customresourcedefinitions.gen.yaml").read_text()
    for plural in ("virtualservices", "destinationrules"):
        name = f"{plural}.networking.istio.io"
        (crd,) = [one for one in text.split("\n---\n") if f"\n  name: {name}\n" in one]
        gateway_cluster.apply_crd(gateway.plane, name, crd.encode())
    for plural in ("virtualservices", "destinationrules"):
        gateway.plane.wait(lambda plural=plural: gateway.plane.request("GET", f"{NETWORKING}/{plural}") is not None)  # type: ignore[misc]  # mypy infers nothing of a lambda's default
    return gateway


def told(cluster: GatewayCluster, kind: RouteKind, story: Callable[[RouteProvider], Awaitable[None]]) -> None:
    wish = LoadBalancerSettings(provider=kind.name, account="prod", address="shop.example.org:80", settle_seconds=0)

    async def whole() -> None:
        server = gateway_cluster.account(cluster)
        try:
            places = gateway_cluster.places(cluster, kind.name, server, {"shop": wish})
            await story(RouteProvider(kind=kind, places=places))
        finally:
            await server.close()

    asyncio.run(whole())


def test_istio_splits_by_a_virtual_service_and_rules_beside_its_services(istio: GatewayCluster) -> None:
    plane = istio.plane
    marked = [{"destination": {"host": PLACEHOLDER}}]
    spec = {"hosts": ["shop.example.org"], "http": [{"timeout": "5s", "route": marked}]}
    one = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "shop"}, "spec": spec}
    plane.apply(f"{NETWORKING}/virtualservices/shop", one, manager="kubectl")

    def live(path: str) -> Any:
        return plane.request("GET", path)

    def named(path: str) -> list[str]:
        ours = f"?labelSelector={backends.OWNER}%3D{backends.owner('shop')}"
        return sorted(one["metadata"]["name"] for one in live(path + ours)["items"])

    async def story(provider: RouteProvider) -> None:
        await provider.ensure("shop")
        await provider.set_weights("shop", BOTH)

        old, new = backends.name("shop", OLD), backends.name("shop", NEW)
        (http,) = live(f"{NETWORKING}/virtualservices/shop")["spec"]["http"]
        assert http == {
            "timeout": "5s",
            "route": [
                {"destination": {"host": old, "port": PORT}, "weight": 90},
                {"destination": {"host": new, "port": PORT}, "weight": 10},
            ],
        }
        assert named(SERVICES) == named(f"{NETWORKING}/destinationrules") == [old, new]
        assert named(SLICES) == [f"{old}-8080", f"{new}-8080"]
        rule = live(f"{NETWORKING}/destinationrules/{new}")["spec"]
        assert rule == {"host": new, "trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}}
        plane.request("DELETE", f"{NETWORKING}/destinationrules/{old}")
        taken = await provider.describe("shop")
        assert taken is not None
        assert taken.shares == {}, "until it is mended"
        await provider.set_weights("shop", BOTH)
        assert named(f"{NETWORKING}/destinationrules") == [old, new]
        described = LoadBalancer(name="shop", address="shop.example.org:80", shares=BOTH)
        assert await provider.describe("shop") == described

        routes = Routes(headers={"X-Canary": "yes"}, cookies={"tester": "1"}, mirror_percent=5)
        await provider.set_weights("shop", {OLD: BOTH[OLD], NEW: replace(BOTH[NEW], weight=0, routes=routes)})
        routed, split = live(f"{NETWORKING}/virtualservices/shop")["spec"]["http"]
        beside = backends.name("shop", NEW, "routed")
        assert [one["destination"]["host"] for one in routed["route"]] == [beside]
        assert [next(iter(one["headers"])) for one in routed["match"]] == ["x-canary", "cookie"]
        assert split["mirrors"] == [{"destination": {"host": beside, "port": PORT}, "percentage": {"value": 5}}]
        assert named(SERVICES) == named(f"{NETWORKING}/destinationrules") == sorted([old, beside])

        await provider.set_weights("shop", {NEW: BOTH[NEW]})
        assert named(SERVICES) == named(f"{NETWORKING}/destinationrules") == [new]

        await provider.remove("shop")
        assert live(f"{NETWORKING}/virtualservices/shop")["spec"] == spec
        assert named(SERVICES) == named(f"{NETWORKING}/destinationrules") == named(SLICES) == []

    told(istio, Istio(), story)


def test_the_gateway_api_takes_rules_by_header_and_cookie_and_copies(gateway: GatewayCluster) -> None:
    plane = gateway.plane
    spec = {"parentRefs": [{"name": "away"}], "rules": [{"matches": [{"path": {"value": "/a"}}]}]}
    one = {"apiVersion": gateway_cluster.GATEWAY, "kind": "HTTPRoute", "metadata": {"name": "copied"}, "spec": spec}
    plane.apply(f"{gateway_cluster.ROUTES}/copied", one, manager="kubectl")
    api = GatewayApi()
    routes = Routes(headers={"X-Canary": "yes"}, cookies={"tester": "1"}, mirror_percent=5)
    share = Share(weight=1, addresses=("10.0.0.1:80",), routes=routes)

    found = api.with_backends(
        plane.request("GET", f"{gateway_cluster.ROUTES}/copied"), backends.served("copied", {NEW: share}), Names()
    )
    taken = plane.request("PUT", f"{gateway_cluster.ROUTES}/copied", found)

    assert taken["spec"] == found["spec"], "nothing was filled in, so it can be compared"
    plane.request("DELETE", f"{gateway_cluster.ROUTES}/copied")
