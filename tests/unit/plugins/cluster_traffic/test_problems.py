"""What is wrong with where a route is reached: one that can't be had there, or nobody knows where yet, is left as it was."""

import pytest
from tests.fakes.kubernetes_api import KubernetesApi, Object
from tests.unit.plugins.cluster_traffic.test_provider import API, BEFORE, OLD, Cluster, told

from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends
from gennaker.traffic_settings import LoadBalancerSettings

PENDING = LoadBalancerSettings(provider="gateway-api", account="prod", route="shop")
"""Its settings leave the address to the Gateway."""


class LateCluster(Cluster):
    """One whose Gateway gets its address when its controller has followed a route, or never."""

    def __init__(self, *, address: str) -> None:
        super().__init__()
        self.address = address
        listeners = [{"name": "http", "port": 80}]
        gateway = {"apiVersion": API, "kind": "Gateway", "metadata": {"name": "web"}, "spec": {"listeners": listeners}}
        self.api.put(gateway)
        self.put_route()

    def follow(self, api: KubernetesApi, what: str, found: Object) -> None:
        super().follow(api, what, found)
        if found["kind"] == "HTTPRoute" and found["metadata"].get("annotations") and self.address:
            status = {"addresses": [{"value": self.address}]}
            if api.object("gateways", "web").get("status") != status:
                api.set_status("gateways", "web", status)


@pytest.mark.parametrize(
    ("address", "wanted", "said"),
    [
        ("", None, "doesn't say at which address clients reach"),
        ("", "10.0.0.9:80", "doesn't say at which address clients reach"),
        ("10.0.0.8", "10.0.0.9:80", "is reached at 10.0.0.8:80, not at 10.0.0.9:80"),
    ],
)
def test_a_route_that_is_refused_for_its_address_is_left_as_it_was(address: str, wanted: str | None, said: str) -> None:
    cluster = LateCluster(address=address)
    before = cluster.api.object("httproutes", "shop")["spec"]

    async def story() -> None:
        provider = cluster.provider(late=PENDING)
        with pytest.raises(Refused, match=said) as refused:
            await provider.ensure("late", wanted)
        assert refused.value.status == 409
        assert await provider.describe("late") is None

    told(story)
    assert cluster.api.object("httproutes", "shop")["spec"] == before
    assert cluster.made() == ([], [])


def test_a_route_whose_address_comes_late_is_taken_over_then() -> None:
    cluster = LateCluster(address="")

    async def story() -> None:
        provider = cluster.provider(late=PENDING)
        with pytest.raises(Refused):
            await provider.ensure("late")
        cluster.address = "10.0.0.8"
        assert (await provider.ensure("late", "10.0.0.8:80")).address == "10.0.0.8:80"

    told(story)
    assert cluster.served() == {backends.name("late", ""): 1}


def test_what_another_server_serves_by_it_meanwhile_stays() -> None:
    cluster = LateCluster(address="")

    async def story() -> None:
        async def nothing() -> None:
            """Before the route is written."""

        async def other() -> None:
            await cluster.provider(late=PENDING).set_weights("late", BEFORE)

        cluster.pauses = [nothing, other]
        with pytest.raises(Refused):
            await cluster.provider(late=PENDING).ensure("late")

    told(story)
    old = backends.name("late", OLD)
    assert (cluster.served(), cluster.made()) == ({old: 100}, ([old], [f"{old}-80"]))
