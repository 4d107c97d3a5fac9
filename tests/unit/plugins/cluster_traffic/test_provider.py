"""Load balancers that are routes: whose route it is, the order of steps, being cut off, and others who write."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from tests.fakes.kubernetes_api import KubernetesApi, Object

from gennaker.interfaces.routes import Routes
from gennaker.interfaces.traffic import LoadBalancer, Share
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends
from gennaker.plugins.cluster_traffic.gateway import GatewayApi
from gennaker.plugins.cluster_traffic.places import Places
from gennaker.plugins.cluster_traffic.provider import RouteProvider
from gennaker.traffic_settings import LoadBalancerSettings
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer

API = "gateway.networking.k8s.io/v1"
OLD, NEW = "p:s:shop-v001", "p:s:shop-v002"
BEFORE = {OLD: Share(weight=100, addresses=("10.0.0.1:80",))}
AFTER = {OLD: Share(weight=0, addresses=("10.0.0.1:80",)), NEW: Share(weight=100, addresses=("10.0.0.2:80",))}


class Cut(Exception):
    """The server was killed."""


class Cluster:
    """An API server in memory with a Gateway whose controller follows at once, unless it is away."""

    def __init__(self, *, namespaces: tuple[str, ...] = ()) -> None:
        self.api = KubernetesApi()
        self.api.behaviour = self.follow
        self.is_away = False
        self.calls_left = -1
        """Until a call is the last that is answered; negative: all are."""
        self.meanwhile: Callable[[], None] | None = None
        """Done once, after the route was read and before it is written."""
        self.pauses: list[Callable[[], Awaitable[None]]] = []
        """What happens while a provider waits, one thing each time."""
        self.account = KubernetesAccountSettings(in_cluster=True, namespaces=namespaces)

    def provider(self, **others: LoadBalancerSettings) -> RouteProvider:
        """Over this cluster as it is."""
        access = Access(server="http://cluster", namespace="shop", user=User(token="t"))
        transport = httpx2.MockTransport(self.answer)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        server = HttpApiServer("prod", lambda: access, now=lambda: now, transport=transport)
        wish = LoadBalancerSettings(provider="gateway-api", account="prod", address="shop.example.org:80")

        async def sleep(_seconds: float) -> None:
            await asyncio.sleep(0)
            if self.pauses:
                await self.pauses.pop(0)()

        return RouteProvider(
            kind=GatewayApi(),
            places=Places(
                "gateway-api",
                configured={"shop": wish, **others},
                accounts={"prod": self.account},
                servers={"prod": server}.get,
            ),
            sleep=sleep,
        )

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.calls_left == 0:
            raise Cut
        self.calls_left -= 1
        if request.method == "PUT" and self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
        return await self.api.handle_async_request(request)

    def follow(self, api: KubernetesApi, what: str, found: Object) -> None:
        metadata = found["metadata"]
        said = [{"type": "Accepted", "status": "True", "observedGeneration": metadata["generation"]}]
        status = {"parents": [{"conditions": said}]}
        is_route = found["kind"] == "HTTPRoute" and what != "DELETED"
        if is_route and not self.is_away and found.get("status", {}).get("parents") != status["parents"]:
            api.set_status("httproutes", metadata["name"], status)

    def put_route(self, *rules: Object, name: str = "shop") -> None:
        spec = {"parentRefs": [{"name": "web"}], "rules": list(rules) or [{}]}
        self.api.put({"apiVersion": API, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec})

    def served(self, name: str = "shop") -> dict[str, int]:
        """Weights of the Services that the route names."""
        (rule,) = self.api.object("httproutes", name)["spec"]["rules"]
        return {one["name"]: one["weight"] for one in rule.get("backendRefs", ())}

    def made(self) -> tuple[list[str], list[str]]:
        return sorted(self.api.names("services")), sorted(self.api.names("endpointslices"))


def told(story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story()

    asyncio.run(whole())


def test_a_switch_leaves_what_the_route_names_and_nothing_else() -> None:
    cluster = Cluster()
    cluster.put_route()
    old, new = backends.name("shop", OLD), backends.name("shop", NEW)

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", BEFORE)
        assert (cluster.served(), cluster.made()) == ({old: 100}, ([old], [f"{old}-80"]))
        await provider.set_weights("shop", AFTER)

        assert (cluster.served(), cluster.made()) == ({new: 100}, ([new], [f"{new}-80"]))
        described = LoadBalancer(name="shop", address="shop.example.org:80", shares=AFTER)
        assert await provider.describe("shop") == described
        assert await provider.in_flight("shop") == {"10.0.0.1:80": None, "10.0.0.2:80": None}

    told(story)


def test_services_are_there_before_the_route_names_them_and_go_after_it() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", BEFORE)
        cluster.api.asked.clear()
        await provider.set_weights("shop", AFTER)

    told(story)
    old, new = backends.name("shop", OLD), backends.name("shop", NEW)
    writes = [one for one in cluster.api.asked if not one.startswith("GET")]
    core, slices = "/api/v1/namespaces/shop/services", "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
    assert writes == [
        f"PATCH {core}/{new}",
        f"PATCH {slices}/{new}-80",
        f"PUT /apis/{API}/namespaces/shop/httproutes/shop",
        f"DELETE {slices}/{old}-80",
        f"DELETE {core}/{old}",
    ]


def test_what_is_so_already_writes_nothing() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        await cluster.provider().ensure("shop")
        await cluster.provider().set_weights("shop", AFTER)
        cluster.api.asked.clear()
        await cluster.provider().ensure("shop")
        await cluster.provider().set_weights("shop", AFTER)

    told(story)
    assert {one.partition(" ")[0] for one in cluster.api.asked} == {"GET"}


def test_an_instance_that_moves_to_another_port_is_served_there_alone() -> None:
    cluster = Cluster()
    cluster.put_route()
    old = backends.name("shop", OLD)

    async def story() -> None:
        await cluster.provider().ensure("shop")
        await cluster.provider().set_weights("shop", BEFORE)
        await cluster.provider().set_weights("shop", {OLD: Share(weight=100, addresses=("10.0.0.1:8080",))})

    told(story)
    assert cluster.made() == ([old], [f"{old}-8080"])


@pytest.mark.slow
def test_cut_off_anywhere_a_repeated_call_ends_as_if_it_had_not_been() -> None:
    for calls in range(40):
        cluster = Cluster()
        cluster.put_route()

        async def story(cluster: Cluster = cluster, calls: int = calls) -> bool:
            await cluster.provider().ensure("shop")
            await cluster.provider().set_weights("shop", BEFORE)
            cluster.calls_left = calls
            try:
                await cluster.provider().set_weights("shop", AFTER)
            except Cut:
                was_cut = True
            else:
                was_cut = False
            cluster.calls_left = -1
            # Whatever the route names is there at every moment.
            assert set(cluster.served()) <= set(cluster.made()[0])
            await cluster.provider().set_weights("shop", AFTER)
            return was_cut

        was_cut = asyncio.run(story())

        new = backends.name("shop", NEW)
        assert (cluster.served(), cluster.made()) == ({new: 100}, ([new], [f"{new}-80"]))
        if not was_cut:
            break
    assert 10 < calls < 39


def test_somebody_who_writes_in_between_loses_nothing() -> None:
    cluster = Cluster()
    cluster.put_route()

    def meanwhile() -> None:
        found = cluster.api.object("httproutes", "shop")
        cluster.api.put({**found, "spec": {**found["spec"], "hostnames": ["shop.example.org"]}})

    async def story() -> None:
        await cluster.provider().ensure("shop")
        cluster.meanwhile = meanwhile
        await cluster.provider().set_weights("shop", AFTER)

    told(story)
    assert cluster.served() == {backends.name("shop", NEW): 100}
    assert cluster.api.object("httproutes", "shop")["spec"]["hostnames"] == ["shop.example.org"]


def test_backends_that_somebody_took_away_are_seen_to_be_gone_and_set_again() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", AFTER)
        cluster.put_route()
        cluster.api.remove("services", backends.name("shop", NEW))
        described = await provider.describe("shop")
        assert described is not None
        assert described.shares == {}
        await provider.set_weights("shop", AFTER)

    told(story)
    new = backends.name("shop", NEW)
    assert (cluster.served(), cluster.made()) == ({new: 100}, ([new], [f"{new}-80"]))


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("/api/v1/namespaces/shop/services", ""),
        ("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices", "-80"),
    ],
)
def test_a_service_or_slice_that_somebody_took_away_is_seen_to_be_gone_and_made_again(path: str, ending: str) -> None:
    cluster = Cluster()
    cluster.put_route()
    old = backends.name("shop", OLD)

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", BEFORE)
        await cluster.answer(httpx2.Request("DELETE", f"http://cluster{path}/{old}{ending}"))
        for _ in range(2):
            described = await provider.describe("shop")
            assert described is not None
            assert described.shares == {}, "until it is mended"

        await provider.set_weights("shop", BEFORE)

        assert cluster.made() == ([old], [f"{old}-80"])
        described = await provider.describe("shop")
        assert described is not None
        assert described.shares == BEFORE

    told(story)


def test_services_are_looked_at_now_and_then_and_anew_once_removed() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", BEFORE)
        await provider.describe("shop")
        cluster.api.asked.clear()
        for _ in range(3):
            await provider.describe("shop")
        assert [one.rpartition("/")[2] for one in cluster.api.asked] == ["shop"] * 3
        await provider.remove("shop")
        await provider.ensure("shop")
        await provider.set_weights("shop", BEFORE)
        cluster.api.remove("services", backends.name("shop", OLD))
        described = await provider.describe("shop")
        assert described is not None
        assert described.shares == {}

    told(story)


def test_who_cleans_up_leaves_what_another_server_has_switched_to_meanwhile() -> None:
    cluster = Cluster()
    cluster.put_route()
    old, new = backends.name("shop", OLD), backends.name("shop", NEW)

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", AFTER)

        async def nothing() -> None:
            """Before the route is written."""

        async def other() -> None:
            await cluster.provider().set_weights("shop", AFTER)

        cluster.pauses = [nothing, other]
        await provider.set_weights("shop", BEFORE)

    told(story)
    assert cluster.served() == {new: 100}
    assert {new, f"{new}-80"} <= {name for listed in cluster.made() for name in listed}
    assert old not in cluster.served()


def test_a_controller_that_does_not_follow_is_said_and_nothing_is_deleted() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        await cluster.provider().ensure("shop")
        await cluster.provider().set_weights("shop", BEFORE)
        cluster.is_away = True
        with pytest.raises(Refused, match=r"within 30 s .* as it is now, and its Gateway isn't there"):
            await cluster.provider().set_weights("shop", AFTER)

    told(story)
    assert backends.name("shop", OLD) in cluster.made()[0]


def test_removing_gives_the_route_back_as_it_was() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", AFTER)
        await provider.remove("shop")
        await provider.remove("shop")
        assert await provider.describe("shop") is None

    told(story)
    assert (cluster.served(), cluster.made()) == ({}, ([], []))
    assert cluster.api.object("httproutes", "shop")["metadata"]["annotations"] == {}


def two(**keys: Any) -> LoadBalancerSettings:
    return LoadBalancerSettings(
        **{"provider": "gateway-api", "account": "prod", "address": "a:1", "route": "shop", **keys}
    )


def test_a_route_is_of_one_load_balancer_only() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        provider = cluster.provider(other=two())
        await provider.ensure("shop")
        with pytest.raises(Refused, match="that of the load balancer shop already"):
            await provider.ensure("other")
        assert await provider.describe("other") is None
        await provider.remove("other")
        assert cluster.served() == {backends.name("shop", ""): 1}

    told(story)


@pytest.mark.parametrize(
    ("name", "others", "said"),
    [
        ("shop", {}, "There is no HTTPRoute 'shop' in the namespace 'shop'"),
        ("unknown", {}, r"Write a section \[load-balancers.unknown\]"),
        ("other", {"account": "gone"}, "account 'gone' of the load balancer other isn't there"),
        ("other", {"namespace": "other"}, "which the account prod may not use"),
    ],
)
def test_what_is_missing_is_said(name: str, others: dict[str, str], said: str) -> None:
    cluster = Cluster(namespaces=("shop",))

    async def story() -> None:
        with pytest.raises(Refused, match=said):
            await cluster.provider(other=two(**others)).ensure(name)

    told(story)


def test_an_api_server_that_is_away_or_refuses_is_a_problem_that_says_so() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        cluster.api.refusals.append(httpx2.Response(503, json={}))
        with pytest.raises(Refused, match="doesn't answer"):
            await provider.describe("shop")
        cluster.api.refusals.append(httpx2.Response(403, json={"message": "no", "code": 403}))
        with pytest.raises(Refused, match="refused httproutes/shop") as refused:
            await provider.describe("shop")
        assert refused.value.status == 403

    told(story)


def test_an_address_of_its_own_is_refused() -> None:
    cluster = Cluster()
    cluster.put_route()

    async def story() -> None:
        provider = cluster.provider()
        with pytest.raises(Refused, match=r"is reached at shop.example.org:80, not at 127.0.0.1:80"):
            await provider.ensure("shop", "127.0.0.1:80")

    told(story)


def test_who_is_routed_has_a_service_of_its_own_that_goes_with_the_routes() -> None:
    cluster = Cluster()
    cluster.put_route()
    routes = Routes(headers={"X-Canary": "yes"})
    routed = {**BEFORE, NEW: Share(weight=0, addresses=("10.0.0.2:80",), routes=routes)}
    old, new = backends.name("shop", OLD), backends.name("shop", NEW, "routed")

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", routed)
        rules = cluster.api.object("httproutes", "shop")["spec"]["rules"]
        assert [[one["name"] for one in rule["backendRefs"]] for rule in rules] == [[new], [old]]
        assert cluster.made()[0] == sorted([old, new])
        described = await provider.describe("shop")
        assert described is not None
        assert described.shares == routed

        edited = cluster.api.object("httproutes", "shop")
        cluster.api.put({**edited, "spec": {**edited["spec"], "rules": rules[1:]}})
        lost = await provider.describe("shop")
        await provider.set_weights("shop", BEFORE)
        assert lost is not None
        assert lost.shares == {}, "so they are set again"
        assert (cluster.served(), cluster.made()[0]) == ({old: 100}, [old])

    told(story)


@pytest.mark.parametrize(
    ("controller", "features", "is_refused"),
    [
        ("", [], True),
        ("", ["HTTPRouteRequestMirror"], True),
        ("", ["HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror"], False),
        ("", [{"name": "HTTPRouteRequestMirror"}, {"name": "HTTPRouteRequestPercentageMirror"}], False),
        ("istio.io/gateway-controller", [], False),
        ("istio.io/gateway-controller", [{"name": "HTTPRouteRequestMirror"}], True),
    ],
)
def test_copies_are_refused_where_nobody_offers_them(controller: str, features: list[Any], is_refused: bool) -> None:
    cluster = Cluster()
    cluster.put_route()
    gateway = {"apiVersion": API, "kind": "Gateway", "metadata": {"name": "web"}}
    cluster.api.put({**gateway, "spec": {"gatewayClassName": "envoy"}})
    offered = {"apiVersion": API, "kind": "GatewayClass", "metadata": {"name": "envoy"}}
    spec = {"controllerName": controller}
    cluster.api.put({**offered, "spec": spec, "status": {"supportedFeatures": features}}, "")
    copied = {**BEFORE, NEW: Share(weight=0, addresses=("10.0.0.2:80",), routes=Routes(mirror_percent=5))}

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        if is_refused:
            with pytest.raises(Refused, match="a controller of the Gateway API, which can't copy requests"):
                await provider.set_weights("shop", copied)
            return
        await provider.set_weights("shop", copied)
        (rule,) = cluster.api.object("httproutes", "shop")["spec"]["rules"]
        (mirror,) = rule["filters"]
        assert mirror["requestMirror"]["percent"] == 5

    told(story)
