"""Places: where a load balancer may be, by what the settings allow the account."""

import asyncio
import itertools
from typing import Any

import pytest

from gennaker.interfaces.api_servers import ApiServer
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic.gateway import GatewayApi
from gennaker.plugins.cluster_traffic.places import Places
from gennaker.traffic_settings import LoadBalancerSettings

ALL = ("Service", "EndpointSlice.discovery.k8s.io", "HTTPRoute.gateway.networking.k8s.io")


class Api:
    """An API server that has every group."""

    namespace = "shop"

    async def versions(self, group: str, *, anew: bool = False) -> tuple[str, ...]:
        return (f"{group}/v1",)


def find(**account: Any) -> str:
    server: Any = Api()
    servers: dict[str, ApiServer] = {"prod": server}
    places = Places(
        "gateway-api",
        configured={"shop": LoadBalancerSettings(provider="gateway-api", account="prod", address="x:80")},
        accounts={"prod": KubernetesAccountSettings(in_cluster=True, **account)},
        servers=servers.get,
    )
    return asyncio.run(places.find("shop", GatewayApi.api)).version


@pytest.mark.parametrize("account", [{}, {"kinds": ALL}, {"kinds": ("svc", *ALL[1:])}, {"omit_kinds": ("deployment",)}])
def test_an_account_that_may_use_all_its_kinds_has_it(account: dict[str, Any]) -> None:
    assert find(**account) == "gateway.networking.k8s.io/v1"


@pytest.mark.parametrize(
    "account",
    [
        *({"omit_kinds": (one,)} for one in ALL),
        *({"kinds": two} for two in itertools.combinations(ALL, 2)),
        {"omit_kinds": ("SVC",)},
    ],
)
def test_one_that_may_not_use_one_of_them_is_refused_before_anything_is_changed(account: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="which the account prod may not use") as refused:
        find(**account)

    assert (refused.value.status, refused.value.problems[0].code) == (403, "cluster_traffic.kind")
