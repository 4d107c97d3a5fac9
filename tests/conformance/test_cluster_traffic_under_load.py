"""What routes in a cluster promise under load, while servers drain and when they are killed: Traefik on a real control plane."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.fakes.gateway_cluster import IN_A_CLUSTER, ClusterWorld, GatewayCluster, cluster_world
from tests.fakes.traffic_stories import streams_and_sockets_outlive_a_switch, switches_and_a_kill

from gennaker.interfaces.traffic import Share

pytestmark = [pytest.mark.slow, pytest.mark.go, pytest.mark.root, pytest.mark.xdist_group("cluster traffic")]
Opened = Callable[[], AbstractAsyncContextManager[ClusterWorld]]


@pytest.fixture(params=IN_A_CLUSTER)
def opened(request: pytest.FixtureRequest, tmp_path: Path, gateway: GatewayCluster) -> Opened:
    @asynccontextmanager
    async def counting() -> AsyncIterator[ClusterWorld]:
        async with cluster_world(request.param, tmp_path, gateway) as here:
            here.gauge = "http_requests_in_flight"
            yield here

    return counting


def test_switches_under_load_break_nothing_and_a_killed_instance_costs_requests_until_its_address_is_taken_out(
    opened: Opened,
) -> None:
    async def story() -> None:
        async with opened() as here:

            async def take_out(staying: str) -> None:
                shares = {"a": Share(weight=1, addresses=(staying,)), "b": Share(weight=4, addresses=())}
                await here.provider().set_weights("shop", shares)

            await switches_and_a_kill(here, take_out, switches=5)

    asyncio.run(story())


def test_streams_and_sockets_end_while_their_server_drains(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            await streams_and_sockets_outlive_a_switch(here)

    asyncio.run(story())
