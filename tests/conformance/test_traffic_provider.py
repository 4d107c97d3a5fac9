"""Conformance of traffic providers: what every implementation of the port TrafficProvider must do.

What only a real load balancer can show (load, drain, a kill) is in `test_traffic_under_load.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.conformance import subjects
from tests.fakes.faulty import FaultyTraffic
from tests.fakes.gateway_cluster import cluster_world
from tests.fakes.traffic import FakeTraffic
from tests.fakes.traffic_worlds import World, answers, is_split, until, world
from tests.free_ports import free_port

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routes, Routing
from gennaker.interfaces.traffic import Share, TrafficProvider
from gennaker.model.problems import Refused
from gennaker.plugins.caddy.provider import CaddyProvider
from gennaker.plugins.cluster_traffic.ingress_provider import IngressProvider
from gennaker.plugins.cluster_traffic.provider import RouteProvider
from gennaker.plugins.proxies.provider import ProxyProvider

pytestmark = pytest.mark.xdist_group("traffic")
"""Those in a cluster go to the process that has it (tests/grouping.py)."""

SUBJECTS: dict[str, type[TrafficProvider]] = {
    "fake": FakeTraffic,
    "without faults": FaultyTraffic,
    "caddy": CaddyProvider,
    "haproxy": ProxyProvider,
    "envoy": ProxyProvider,
    "nginx": ProxyProvider,
    "traefik": ProxyProvider,
    "gateway-api": RouteProvider,
    "ingress-nginx": IngressProvider,
}


IN_A_CLUSTER = ("gateway-api", "ingress-nginx")


@pytest.fixture(
    params=subjects.params(
        SUBJECTS,
        debian=("haproxy", "nginx"),
        slow=("caddy", "haproxy", "envoy", "nginx", "traefik", *IN_A_CLUSTER),
        root=IN_A_CLUSTER,
        go=IN_A_CLUSTER,
    )
)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[World]]:
    surroundings: AbstractAsyncContextManager[World] = (
        cluster_world(request.param, tmp_path, request.getfixturevalue("gateway"))
        if request.param in IN_A_CLUSTER
        else world(request.param, tmp_path)
    )

    @asynccontextmanager
    async def checked() -> AsyncIterator[World]:
        async with surroundings as here:
            assert type(here.provider()) is SUBJECTS[request.param]
            yield here

    return checked


Opened = Callable[[], AbstractAsyncContextManager[World]]


def test_ensuring_again_changes_nothing(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            first = await here.provider().ensure("shop-prod")
            again = await here.provider().ensure("shop-prod")
            with suppress(Refused):  # a route is where its gateway is
                await here.provider().ensure("shop-prod", f"127.0.0.1:{free_port()}")

            assert first == again == await here.provider().describe("shop-prod")
            assert first.shares == {}

    asyncio.run(story())


@pytest.mark.parametrize("is_first", [True, False])
def test_it_is_where_it_was_made_to_be_or_says_that_it_cannot_be(opened: Opened, *, is_first: bool) -> None:
    async def story() -> None:
        async with opened() as here:
            if not is_first:  # some gateways have an address only once there is a route that is followed
                await here.provider().ensure("shop-prod")
            address = f"127.0.0.1:{free_port()}"
            try:
                made = await here.provider().ensure("shop", address)
            except Refused:  # a route is where its gateway is: until it is asked for there it is left alone
                assert await here.provider().describe("shop") is None
            else:
                assert made.address == address
                assert await here.provider().describe("shop") == made

    asyncio.run(story())


def test_requests_are_split_by_the_shares(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            production, baseline, canary = await here.servers(3)
            balancer = await provider.ensure("shop")

            await provider.set_weights(
                "shop",
                {
                    "shop-v001": Share(weight=80, addresses=(production,)),
                    "shop-baseline-v000": Share(weight=10, addresses=(baseline,)),
                    "shop-canary-v000": Share(weight=10, addresses=(canary,)),
                },
            )

            await is_split(here, balancer, {production: 80, baseline: 10, canary: 10})

    asyncio.run(story())


def test_a_groups_weight_is_divided_among_its_instances(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            one, two, other = await here.servers(3)
            balancer = await provider.ensure("shop")

            await provider.set_weights(
                "shop", {"a": Share(weight=2, addresses=(one, two)), "b": Share(weight=2, addresses=(other,))}
            )

            await is_split(here, balancer, {one: 10, two: 10, other: 20})

    asyncio.run(story())


def test_a_group_of_weight_zero_gets_no_requests(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            old, new = await here.servers(2)
            balancer = await provider.ensure("shop")

            shares = {"old": Share(weight=0, addresses=(old,)), "new": Share(weight=100, addresses=(new,))}
            await provider.set_weights("shop", shares)
            await provider.set_weights("shop", shares)

            assert await answers(here, balancer, 10) == {new: 10}
            described = await provider.describe("shop")
            assert described is not None
            assert described.shares == shares

    asyncio.run(story())


def test_without_anybody_to_serve_the_answer_is_503(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            (server,) = await here.servers(1)
            balancer = await provider.ensure("shop")
            before = await here.get(balancer)
            await provider.set_weights("shop", {"a": Share(weight=1, addresses=(server,))})
            between = await here.get(balancer)
            await provider.set_weights("shop", {"a": Share(weight=1, addresses=())})

            assert (before, between, await here.get(balancer)) == ("503", server, "503")

    asyncio.run(story())


def test_another_object_goes_on_where_the_first_was_cut_off(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            one, two = await here.servers(2)
            balancer = await here.provider().ensure("shop")
            await here.provider().set_weights("shop", {"a": Share(weight=1, addresses=(one,))})
            assert await here.get(balancer) == one

            provider = here.provider()
            assert (await provider.ensure("shop")).address == balancer.address
            await provider.set_weights("shop", {"b": Share(weight=1, addresses=(two,))})

            assert await answers(here, balancer, 4) == {two: 4}

    asyncio.run(story())


def test_what_is_under_way_is_counted_also_after_its_removal(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            old, new = await here.servers(2)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"old": Share(weight=1, addresses=(old,))})

            async with here.held(balancer):
                before = await provider.in_flight("shop")
                await provider.set_weights("shop", {"new": Share(weight=1, addresses=(new,))})
                during = await provider.in_flight("shop")
                assert await here.get(balancer) == new

            after = await provider.in_flight("shop")
            if not here.is_counting:
                assert (before, during, after) == ({old: None}, {old: None, new: None}, {old: None, new: None})
                return
            assert (before, during, after) == ({old: 1}, {old: 1, new: 0}, {new: 0})

    asyncio.run(story())


YES = {"X-Canary": "yes"}
MATCHES = Routes(headers=YES, cookies={"canary": "always"})
"""What every provider can say that routes by header or cookie at all."""
COOKIES = Routes(cookies={"tester": "1.0", "group": "a:b"})


def test_requests_with_a_header_or_cookie_go_where_they_are_routed(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            stable, canary = await here.servers(2)
            balancer = await provider.ensure("shop")
            shares = {
                "stable": Share(weight=1, addresses=(stable,)),
                "canary": Share(weight=0, addresses=(canary,), routes=MATCHES),
            }
            if not provider.routing >= MATCHES.needs:
                with pytest.raises(Refused, match="which can't route by"):
                    await provider.set_weights("shop", shares)
                return

            await provider.set_weights("shop", shares)

            cookies = ["canary=always", "a=b; canary=always; c=d", "canary=alwayss", "xcanary=always", "canary=no"]
            headers = [YES, {"x-canary": "yes"}, {"X-Canary": "no"}, {"X-Canary": "yess"}, {"X-Canary-2": "yes"}, {}]
            assert [await here.get(balancer, one) for one in headers] == [canary] * 2 + [stable] * 4
            assert [await here.get(balancer, {"Cookie": one}) for one in cookies] == [canary] * 2 + [stable] * 3
            await provider.set_weights("shop", {"stable": shares["stable"]})
            await provider.set_weights("shop", {**shares, "canary": replace(shares["canary"], routes=COOKIES)})
            cookies = ["a=b; tester=1.0", "group=a:b; a=b", "tester=1x0", "group=a:bc", "group=1.0", "canary=always"]
            assert [await here.get(balancer, {"Cookie": one}) for one in cookies] == [canary] * 2 + [stable] * 4

    asyncio.run(story())


def test_what_is_routed_is_counted_and_goes_by_weight_when_there_is_nobody_to_route_to(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            if not provider.routing >= MATCHES.needs:
                return
            stable, canary = await here.servers(2)
            balancer = await provider.ensure("shop")
            all_else = {"stable": Share(weight=1, addresses=(stable,))}
            await provider.set_weights(
                "shop", {**all_else, "canary": Share(weight=0, addresses=(canary,), routes=MATCHES)}
            )

            async with here.held(balancer, YES):
                routed = await provider.in_flight("shop")
                await provider.set_weights(
                    "shop", {**all_else, "canary": Share(weight=0, addresses=(), routes=MATCHES)}
                )
                assert await here.get(balancer, YES) == stable
                await provider.set_weights("shop", all_else)
                leaving = await provider.in_flight("shop")
                assert await here.get(balancer, YES) == stable

            none: dict[str, int | None] = {stable: None, canary: None}
            assert routed == leaving == ({stable: 0, canary: 1} if here.is_counting else none)

    asyncio.run(story())


def test_requests_are_copied_and_copies_answer_nobody(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here, here.counting() as (copy, count):
            provider = here.provider()
            (stable,) = await here.servers(1)
            balancer = await provider.ensure("shop")

            def shares(percent: int) -> dict[str, Share]:
                routes = Routes(mirror_percent=percent)
                return {
                    "stable": Share(weight=1, addresses=(stable,)),
                    "canary": Share(weight=0, addresses=(copy,), routes=routes),
                }

            if Routing.MIRROR not in provider.routing - here.lacking:
                with pytest.raises(Refused, match="which can't copy requests"):
                    await provider.set_weights("shop", shares(100))
                return

            await provider.set_weights("shop", shares(100))
            every = await answers(here, balancer, 20)
            await until(lambda: count() == 20)
            if provider.routing >= MATCHES.needs:
                tested = Share(weight=0, addresses=(stable,), routes=MATCHES)
                await provider.set_weights("shop", {**shares(100), "tested": tested})
                assert [await here.get(balancer, YES) for _ in range(5)] == [stable] * 5
            await answers(here, balancer, 10)
            await until(lambda: count() >= 20 + 10)
            assert count() == 20 + 10, "what is routed isn't copied"
            await provider.set_weights("shop", shares(50))
            half = await answers(here, balancer, 100)
            await until(lambda: count() >= 30 + 25)
            await provider.set_weights("shop", {"stable": Share(weight=1, addresses=(stable,))})
            none = await answers(here, balancer, 20)

            assert (every, half, none) == ({stable: 20}, {stable: 100}, {stable: 20})
            # Five standard errors.
            assert count() <= 30 + 75

    asyncio.run(story())


def test_it_tells_who_gets_requests_now(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            stable, canary, resting = await here.servers(3)
            await provider.ensure("shop")
            before = await traffic.health_of(provider, "shop")
            is_routing = provider.routing >= MATCHES.needs
            tested = Share(
                weight=0 if is_routing else 1, addresses=(canary,), routes=MATCHES if is_routing else Routes()
            )
            all_else = {
                "stable": Share(weight=3, addresses=(stable,)),
                "resting": Share(weight=0, addresses=(resting,)),
            }

            await provider.set_weights("shop", {**all_else, "tested": tested})
            during = await traffic.health_of(provider, "shop")
            await provider.set_weights("shop", {"resting": Share(weight=1, addresses=(resting,))})
            after = await traffic.health_of(provider, "shop")

            told = Health.UNKNOWN if provider.name in _WITHOUT_A_WORD else Health.UP
            assert (before, during, after) == ({}, {stable: told, canary: told}, {resting: told})

    asyncio.run(story())


_WITHOUT_A_WORD = ("nginx",)
"""They can't be asked what they do."""


def test_removing_twice_is_no_error_and_what_is_gone_is_unknown(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            await provider.ensure("shop")
            await provider.remove("shop")
            await provider.remove("shop")

            assert await provider.describe("shop") is None
            for asked in (provider.set_weights("shop", {}), provider.in_flight("shop")):
                with pytest.raises(Refused) as refused:
                    await asked
                assert refused.value.status == 404

    asyncio.run(story())
