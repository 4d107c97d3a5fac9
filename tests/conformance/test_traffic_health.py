"""What load balancers tell of an instance that is killed: nothing by themselves, and Down where an operator has them check.

Those that Gennaker starts have no checks of their own (docs/decisions/0067), so operators are played here.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests import waiting
from tests.fakes.gateway_cluster import SLICES, GatewayCluster, GatewayWorld, cluster_world
from tests.fakes.traffic_worlds import RealWorld, answers, real

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.traffic import LoadBalancer, Share

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster traffic")]


async def two_of_which_one_is_killed(
    here: RealWorld, first: Callable[[], Awaitable[None]]
) -> tuple[LoadBalancer, str, str]:
    """`first`: before the second is killed."""
    provider = here.provider()
    staying, killed = await here.programs(2)
    balancer = await provider.ensure("shop")
    both = {"a": Share(weight=1, addresses=(staying,)), "b": Share(weight=1, addresses=(killed,))}
    await provider.set_weights("shop", both)
    await first()
    await here.processes.stop(killed.rpartition(":")[2], is_immediate=True)
    assert await here.processes.wait(killed.rpartition(":")[2], timedelta(minutes=5)) is not None
    return balancer, staying, killed


@pytest.mark.parametrize("name", ["caddy", "traefik"])
def test_what_an_operator_has_them_check_is_down_when_it_is_killed(name: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with real(name, tmp_path) as here:

            async def checked() -> None:
                await (_check_by_caddy if name == "caddy" else _check_by_traefik)(tmp_path)

            balancer, staying, killed = await two_of_which_one_is_killed(here, checked)

            wanted = {staying: Health.UP, killed: Health.DOWN}

            async def is_told() -> bool:
                # Caddy counts what it can't deliver; Traefik asks by itself.
                assert await here.get(balancer) == staying
                return await traffic.health_of(here.provider(), "shop") == wanted

            await waiting.until_found(is_told, f"{name} to tell that one is down")

    asyncio.run(story())


async def _check_by_caddy(folder: Path) -> None:
    """Failures are counted for a minute, at its admin API."""
    admin = await asyncio.to_thread(_admin, folder)
    async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=60) as client:
        configuration = (await client.get(f"{admin}/config/")).json()
        for proxy in _handlers(configuration, "reverse_proxy"):
            proxy["health_checks"] = {"passive": {"fail_duration": "60s", "max_fails": 1_000_000}}
        answer = await client.post(f"{admin}/load", json=configuration)
        assert answer.status_code == httpx2.codes.OK, answer.text


def _admin(folder: Path) -> str:
    (file,) = folder.glob("caddy/runs/*/caddy.json")
    return f"http://{json.loads(file.read_bytes())['admin']['listen']}"


def _handlers(part: Any, kind: str) -> list[dict[str, Any]]:
    """All of a kind in a configuration of Caddy's."""
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    own = [part] if isinstance(part, dict) and part.get("handler") == kind else []
    return [*own, *(found for one in inner for found in _handlers(one, kind))]


async def _check_by_traefik(folder: Path) -> None:
    """It asks every instance twenty times a second, by its file of routes."""
    await asyncio.to_thread(_write_check, folder)


def _write_check(folder: Path) -> None:
    (file,) = folder.glob("proxies/**/routes.yaml")
    routes = json.loads(file.read_bytes())
    check = {"path": "/", "interval": "50ms", "timeout": "5s"}
    routes["http"]["services"]["instances"]["loadBalancer"]["healthCheck"] = check
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(routes))
    fresh.replace(file)


@pytest.mark.go
@pytest.mark.root
def test_what_a_slice_calls_unready_is_down_and_gets_no_requests(tmp_path: Path, gateway: GatewayCluster) -> None:
    async def story() -> None:
        async with cluster_world("gateway-api", tmp_path, gateway) as here:
            assert isinstance(here, GatewayWorld)
            provider = here.provider()
            staying, other = await here.servers(2)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"a": Share(weight=1, addresses=(staying, other))})
            assert await provider.health("shop") == {staying: Health.UP, other: Health.UP}

            _say_unready(gateway, other.rpartition(":")[0])
            await here.served_by({f"http://{staying}"})

            assert await provider.health("shop") == {staying: Health.UP, other: Health.DOWN}
            assert await answers(here, balancer, 6) == {staying: 6}

    asyncio.run(story())


def _say_unready(gateway: GatewayCluster, host: str) -> None:
    """As whoever looks after a slice may."""
    for one in gateway.plane.request("GET", SLICES)["items"]:  # type: ignore[index]  # JSON of the API server
        hosts = [each for endpoint in one["endpoints"] or () for each in endpoint["addresses"]]
        if host in hosts:
            one["endpoints"][hosts.index(host)]["conditions"] = {"ready": False}
            gateway.plane.request("PUT", f"{SLICES}/{one['metadata']['name']}", one)
