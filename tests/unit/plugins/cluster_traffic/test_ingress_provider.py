"""Load balancers that are Ingresses: the order of steps, being cut off, and what is somebody else's."""

import asyncio
from datetime import UTC, datetime

import httpx2
import pytest
from tests.fakes.kubernetes_api import KubernetesApi, Object

from gennaker.interfaces.traffic import Share
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends
from gennaker.plugins.cluster_traffic.ingress_provider import IngressProvider
from gennaker.plugins.cluster_traffic.places import Places
from gennaker.traffic_settings import LoadBalancerSettings
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer

API = "networking.k8s.io/v1"
OLD, NEW = "p:s:shop-v001", "p:s:shop-v002"
CANARY = backends.name("shop", "canary")
A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def shares(old: int, new: int, other: int = 0) -> dict[str, Share]:
    weights = {OLD: (old, A), NEW: (new, B), "p:s:shop-v003": (other, C)}
    return {key: Share(weight=weight, addresses=(f"{host}:80",)) for key, (weight, host) in weights.items()}


class Cut(Exception):
    """The server was killed."""


class Cluster:
    """An API server in memory that notes whom requests could go to after each change."""

    def __init__(self) -> None:
        self.api = KubernetesApi()
        self.api.behaviour = self.look
        self.calls_left = -1
        self.reached: list[set[str]] = []
        backend = {"service": {"name": "shop", "port": {"number": 80}}}
        rule = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        self.put("Ingress", API, "shop", spec={"ingressClassName": "nginx", "rules": [rule]})

    def put(self, kind: str, version: str, name: str, **parts: Object) -> None:
        self.api.put({"apiVersion": version, "kind": kind, "metadata": {"name": name}, **parts})

    def provider(self) -> IngressProvider:
        access = Access(server="http://cluster", namespace="shop", user=User(token="t"))
        now = datetime(2026, 1, 1, tzinfo=UTC)
        transport = httpx2.MockTransport(self.answer)
        server = HttpApiServer("prod", lambda: access, now=lambda: now, transport=transport)
        wish = LoadBalancerSettings(provider="ingress-nginx", account="prod", address="shop.example.org:80")

        async def sleep(_seconds: float) -> None:
            await asyncio.sleep(0)

        account = KubernetesAccountSettings(in_cluster=True)
        servers = {"prod": server}
        places = Places("ingress-nginx", configured={"shop": wish}, accounts={"prod": account}, servers=servers.get)
        return IngressProvider(places=places, sleep=sleep)

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.calls_left == 0:
            raise Cut
        self.calls_left -= 1
        return await self.api.handle_async_request(request)

    def look(self, _api: KubernetesApi, _what: str, _found: Object) -> None:
        main, canary, weight, total = self.state()
        self.reached.append((main if weight < total else set()) | (canary if weight else set()))

    def state(self) -> tuple[set[str], set[str], int, int]:
        """Hosts of both Services, and the canary's weight."""
        told = self.api.objects.get(("ingresses", "shop", "shop-canary"), {}).get("metadata", {})
        annotations = told.get("annotations", {})
        prefix = "nginx.ingress.kubernetes.io/canary-weight"
        weight, total = int(annotations.get(prefix, 0)), int(annotations.get(f"{prefix}-total", 100))
        return self.hosts("shop"), self.hosts(CANARY), weight, total

    def hosts(self, service: str) -> set[str]:
        return {
            host
            for (plural, _, _), one in self.api.objects.items()
            if plural == "endpointslices" and backends.service_of(one) == service
            for host in backends.hosts(one)
        }


STEPS = [
    shares(100, 0),
    shares(90, 10),
    shares(50, 50),
    shares(10, 90),
    shares(0, 100),
    shares(0, 80, 20),
    shares(10, 80, 10),
    shares(100, 0),
    shares(0, 0),
    shares(100, 0),
]


def test_in_no_moment_do_requests_go_to_whom_has_no_share_before_or_after() -> None:
    cluster = Cluster()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        had: set[str] = set()
        for step in STEPS:
            cluster.reached.clear()
            await provider.set_weights("shop", step)
            has = {one.addresses[0].partition(":")[0] for one in step.values() if one.weight}
            assert set().union(*cluster.reached) <= had | has
            main, canary, weight, _ = cluster.state()
            assert main | canary == has
            assert bool(weight) == bool(canary)
            described = await cluster.provider().describe("shop")
            assert described is not None
            assert described.shares == step
            had = has

    asyncio.run(story())


@pytest.mark.slow
def test_cut_off_anywhere_the_switch_is_seen_to_be_incomplete_and_a_repeated_call_ends_it() -> None:
    for calls in range(60):
        cluster = Cluster()

        async def story(cluster: Cluster = cluster, calls: int = calls) -> bool:
            await cluster.provider().ensure("shop")
            await cluster.provider().set_weights("shop", shares(90, 10))
            before = cluster.state()
            cluster.calls_left = calls
            try:
                await cluster.provider().set_weights("shop", shares(0, 80, 20))
            except Cut:
                was_cut = True
            else:
                was_cut = False
            cluster.calls_left = -1
            described = await cluster.provider().describe("shop")
            assert described is not None
            if was_cut and described.shares:
                assert cluster.state() == before
            if was_cut:
                # Whoever may have requests is not said to have none.
                assert {f"{host}:80" for host in before[0] | before[1]} <= set(
                    await cluster.provider().in_flight("shop")
                )
            await cluster.provider().set_weights("shop", shares(0, 80, 20))
            return was_cut

        was_cut = asyncio.run(story())

        assert cluster.state() == ({B}, {C}, 20, 100)
        if not was_cut:
            break
    assert 12 < calls < 59


def test_what_is_so_already_writes_nothing() -> None:
    cluster = Cluster()

    async def story() -> None:
        await cluster.provider().ensure("shop")
        await cluster.provider().set_weights("shop", shares(90, 10))
        cluster.api.asked.clear()
        await cluster.provider().set_weights("shop", shares(90, 10))

    asyncio.run(story())
    assert {one.partition(" ")[0] for one in cluster.api.asked} == {"GET"}


def test_a_slice_whose_port_somebody_changed_is_seen_to_be_other_and_made_again() -> None:
    cluster = Cluster()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", shares(90, 10))
        for name in cluster.api.names("endpointslices"):
            found = cluster.api.object("endpointslices", name)
            cluster.api.put({**found, "ports": [{**found["ports"][0], "port": 81}]})
        described = await provider.describe("shop")
        assert described is not None
        assert described.shares == {}
        await provider.set_weights("shop", shares(90, 10))
        described = await provider.describe("shop")
        assert described is not None
        assert described.shares == shares(90, 10)

    asyncio.run(story())
    slices = [cluster.api.object("endpointslices", name) for name in cluster.api.names("endpointslices")]
    assert 81 not in [one["ports"][0]["port"] for one in slices]


def test_what_was_removed_and_made_again_is_looked_at_anew() -> None:
    cluster = Cluster()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", shares(90, 10))
        await provider.describe("shop")
        await provider.remove("shop")
        await provider.ensure("shop")
        await provider.set_weights("shop", shares(90, 10))
        cluster.api.remove("services", cluster.api.names("services")[0])
        described = await provider.describe("shop")
        assert described is not None
        assert described.shares == {}

    asyncio.run(story())


def test_removing_leaves_the_ingress_and_nothing_else() -> None:
    cluster = Cluster()

    async def story() -> None:
        provider = cluster.provider()
        await provider.ensure("shop")
        await provider.set_weights("shop", shares(90, 10))
        await provider.remove("shop")
        await provider.remove("shop")
        assert await provider.describe("shop") is None

    asyncio.run(story())
    assert [(plural, name) for plural, _, name in cluster.api.objects] == [("ingresses", "shop")]


@pytest.mark.parametrize(("kind", "version", "name"), [("Service", "v1", "shop"), ("Ingress", API, "shop-canary")])
def test_a_service_or_canary_of_somebody_else_is_not_touched(kind: str, version: str, name: str) -> None:
    cluster = Cluster()
    cluster.put(kind, version, name, spec={"a": "b"})

    with pytest.raises(Refused, match=f"the {kind} {name} for itself"):
        asyncio.run(cluster.provider().ensure("shop"))
    assert len(cluster.api.objects) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/shop/services/shop",
        f"/api/v1/namespaces/shop/services/{CANARY}",
        "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/shop-80",
        f"/apis/{API}/namespaces/shop/ingresses/shop-canary",
    ],
)
def test_what_somebody_took_away_is_seen_to_be_gone_and_made_again(path: str) -> None:
    cluster = Cluster()

    async def story() -> None:
        await cluster.provider().ensure("shop")
        await cluster.provider().set_weights("shop", shares(90, 10))
        before = cluster.state()
        await cluster.answer(httpx2.Request("DELETE", f"http://cluster{path}"))
        described = await cluster.provider().describe("shop")
        assert described is not None
        assert described.shares == {}

        await cluster.provider().set_weights("shop", shares(90, 10))

        assert cluster.state() == before
        described = await cluster.provider().describe("shop")
        assert described is not None
        assert described.shares == shares(90, 10)

    asyncio.run(story())


def test_three_different_weights_are_refused_and_nothing_changes() -> None:
    cluster = Cluster()

    async def story() -> None:
        await cluster.provider().ensure("shop")
        await cluster.provider().set_weights("shop", shares(90, 10))
        with pytest.raises(Refused, match="would get 3 different weights"):
            await cluster.provider().set_weights("shop", shares(60, 30, 10))

    asyncio.run(story())
    assert cluster.state() == ({A}, {B}, 10, 100)
