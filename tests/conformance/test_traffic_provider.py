"""Conformance of traffic providers: what every implementation of the port TrafficProvider must do.

A `World` is one provider's surroundings: how to send a request through a load balancer, how to hold one in flight, how
to get a new provider object over the same state, as after the server was killed.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
import websockets
from tests.conformance import subjects
from tests.fakes.documents import MemoryStore
from tests.fakes.faulty import Faults, FaultyTraffic
from tests.fakes.traffic import FakeBalancer, FakeTraffic
from tests.fakes.web_client import Load, WebClient

from gennaker.interfaces.traffic import LoadBalancer, Share, TrafficProvider
from gennaker.model.problems import Refused
from gennaker.plugins.caddy.program import CaddyProgram
from gennaker.plugins.caddy.provider import CaddyProvider
from gennaker.settings import CaddySettings
from gennaker.transport import ports
from gennaker.transport.processes import Processes, ProcessSpec

APP = Path(__file__).parents[1] / "fakes" / "image" / "app" / "server.py"


class World(Protocol):
    """What a test needs of a provider's surroundings."""

    def provider(self) -> TrafficProvider:
        """A new provider object over the same state."""
        ...

    async def servers(self, count: int) -> tuple[str, ...]:
        """Addresses of that many running servers."""
        ...

    async def get(self, balancer: LoadBalancer) -> str:
        """The address of the server that answered a request, or "503"."""
        ...

    def held(self, balancer: LoadBalancer) -> AbstractAsyncContextManager[None]:
        """A request that is under way as long as the context lasts (at least 0.3 s)."""
        ...


class FakeWorld:
    """In memory."""

    def __init__(self) -> None:
        self._state: dict[str, FakeBalancer] = {}

    def provider(self) -> TrafficProvider:
        return FakeTraffic(self._state)

    async def servers(self, count: int) -> tuple[str, ...]:
        return tuple(f"127.0.0.1:{20_000 + number}" for number in range(count))

    async def get(self, balancer: LoadBalancer) -> str:
        return self._state[balancer.name].choose() or "503"

    @asynccontextmanager
    async def held(self, balancer: LoadBalancer) -> AsyncIterator[None]:
        found = self._state[balancer.name]
        address = found.choose()
        assert address is not None
        found.in_flight[address] += 1
        yield
        found.in_flight[address] -= 1


class FaultlessWorld(FakeWorld):
    """Behind faults, of which there are none."""

    def provider(self) -> TrafficProvider:
        return FaultyTraffic(super().provider(), Faults())


class CaddyWorld:
    """A real Caddy and real servers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = MemoryStore()
        self._clients: dict[str, WebClient] = {}
        self.processes = Processes(folder / "servers")
        self.program = self._program()

    def _program(self) -> CaddyProgram:
        return CaddyProgram(self._folder / "caddy", self._store("caddy.program"), CaddySettings())

    def provider(self) -> CaddyProvider:
        return CaddyProvider(documents=self._store("caddy.load-balancers"), program=self._program(), configured={})

    async def servers(self, count: int) -> tuple[str, ...]:
        addresses = []
        for number in range(count):
            port = ports.free(f"{self._folder}/{number}")
            spec = ProcessSpec(
                argv=("python3", str(APP)), working_folder="/", environment={"PORT": str(port)}, drain_seconds=5
            )
            await self.processes.start(str(port), spec)
            addresses.append(f"127.0.0.1:{port}")
        for address in addresses:
            await until_answering(address)
        return tuple(addresses)

    async def get(self, balancer: LoadBalancer) -> str:
        client = self._clients.setdefault(balancer.address, WebClient(balancer.address))
        status, body = await client.get()
        return f"127.0.0.1{body}" if status == 200 else str(status)

    @asynccontextmanager
    async def held(self, balancer: LoadBalancer) -> AsyncIterator[None]:
        client = WebClient(balancer.address)
        async with asyncio.TaskGroup() as group:
            slow = group.create_task(client.get("/slow/10"))
            await asyncio.sleep(0.3)
            yield
            assert await slow == (200, "tick\n" * 10)
        client.close()

    async def close(self) -> None:
        for client in self._clients.values():
            client.close()
        await self.program.stop(timedelta(seconds=5))
        await self.processes.stop_all(timedelta(seconds=5))


async def until_answering(address: str) -> None:
    """Returns when the server accepts connections."""
    for _ in range(500):
        if not ports.is_free("127.0.0.1", int(address.rpartition(":")[2])):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"no server at {address}")


@asynccontextmanager
async def world(kind: str, folder: Path) -> AsyncIterator[World]:
    if kind != "caddy":
        yield FakeWorld() if kind == "fake" else FaultlessWorld()
        return
    caddy = CaddyWorld(folder)
    try:
        yield caddy
    finally:
        await caddy.close()


SUBJECTS: dict[str, type[TrafficProvider]] = {
    "fake": FakeTraffic,
    "without faults": FaultyTraffic,
    "caddy": CaddyProvider,
}


@pytest.fixture(params=subjects.params(SUBJECTS, slow=("caddy",)))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[World]]:
    @asynccontextmanager
    async def checked() -> AsyncIterator[World]:
        async with world(request.param, tmp_path) as here:
            assert type(here.provider()) is SUBJECTS[request.param]
            yield here

    return checked


Opened = Callable[[], AbstractAsyncContextManager[World]]


async def answers(surroundings: World, balancer: LoadBalancer, count: int) -> Counter[str]:
    return Counter([await surroundings.get(balancer) for _ in range(count)])


def test_ensuring_again_changes_nothing(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            first = await here.provider().ensure("shop-prod")
            again = await here.provider().ensure("shop-prod")

            assert first == again == await here.provider().describe("shop-prod")
            assert first.shares == {}

    asyncio.run(story())


def test_shares_are_exact_over_a_hundred_requests(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            production, baseline, canary = await here.servers(3)
            balancer = await provider.ensure("shop-prod")

            await provider.set_weights(
                "shop-prod",
                {
                    "shop-v001": Share(weight=80, addresses=(production,)),
                    "shop-baseline-v000": Share(weight=10, addresses=(baseline,)),
                    "shop-canary-v000": Share(weight=10, addresses=(canary,)),
                },
            )

            assert await answers(here, balancer, 100) == {production: 80, baseline: 10, canary: 10}

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

            assert await answers(here, balancer, 40) == {one: 10, two: 10, other: 20}

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

            assert (before, during) == ({old: 1}, {old: 1, new: 0})
            assert await provider.in_flight("shop") == {new: 0}

    asyncio.run(story())


def test_removing_twice_is_no_error_and_what_is_gone_is_unknown(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider = here.provider()
            await provider.ensure("shop")
            await provider.remove("shop")
            await provider.remove("shop")

            assert await provider.describe("shop") is None
            with pytest.raises(Refused):
                await provider.set_weights("shop", {})

    asyncio.run(story())


@pytest.mark.slow
def test_caddy_switches_under_load_without_any_error(tmp_path: Path) -> None:
    async def story() -> None:
        async with world("caddy", tmp_path) as here:
            provider = here.provider()
            first, second = await here.servers(2)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"a": Share(weight=1, addresses=(first,))})
            load = Load(balancer.address, clients=20, pause_seconds=0.005)

            async with asyncio.TaskGroup() as group:
                group.create_task(load.run())
                for number in range(50):
                    await asyncio.sleep(0.02)
                    await provider.set_weights(
                        "shop",
                        {
                            "a": Share(weight=number % 3, addresses=(first,)),
                            "b": Share(weight=(number + 1) % 4 + 1, addresses=(second,)),
                        },
                    )
                load.stop()

            assert load.broken == []
            assert set(load.statuses) == {200}
            assert set(load.bodies) == {first.removeprefix("127.0.0.1"), second.removeprefix("127.0.0.1")}

    asyncio.run(story())


@pytest.mark.slow
def test_caddy_lets_streams_and_sockets_end_while_their_server_drains(tmp_path: Path) -> None:
    async def story() -> None:
        async with world("caddy", tmp_path) as here:
            assert isinstance(here, CaddyWorld)
            provider = here.provider()
            old, new = await here.servers(2)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"old": Share(weight=1, addresses=(old,))})
            load = Load(balancer.address, clients=5, pause_seconds=0.005)
            stream = WebClient(balancer.address)

            async with asyncio.TaskGroup() as group:
                group.create_task(load.run())
                slow = group.create_task(stream.get("/slow/30"))
                async with websockets.connect(f"ws://{balancer.address}/socket", compression=None) as socket:
                    await socket.send("before")
                    assert await socket.recv() == "before"
                    await provider.set_weights("shop", {"new": Share(weight=1, addresses=(new,))})
                    await provider.ensure("another")  # The one change that makes Caddy load a new configuration.
                    assert (await provider.in_flight("shop"))[old] == 2
                    await here.processes.stop(old.rpartition(":")[2])
                    await socket.send("after")
                    assert await socket.recv() == "after"
                assert await slow == (200, "tick\n" * 30)
                load.stop()
            stream.close()

            ended = await here.processes.wait(old.rpartition(":")[2], timedelta(seconds=5))
            assert ended is not None
            assert ended.exit_status == 0
            assert set(load.statuses) == {200}
            assert await provider.in_flight("shop") == {new: 0}

    asyncio.run(story())


@pytest.mark.slow
def test_a_killed_caddy_comes_back_with_what_was_desired(tmp_path: Path) -> None:
    async def story() -> None:
        async with world("caddy", tmp_path) as here:
            assert isinstance(here, CaddyWorld)
            provider = here.provider()
            (server,) = await here.servers(1)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"a": Share(weight=1, addresses=(server,))})
            was_kept = await provider.is_kept()
            await here.program.kill(timedelta(seconds=5))

            again = here.provider()
            is_kept = await again.is_kept()
            await again.reconcile()

            assert (was_kept, is_kept) == (True, False)
            assert await again.describe("shop") == await provider.describe("shop")
            assert await answers(here, balancer, 3) == {server: 3}

    asyncio.run(story())


@pytest.mark.slow
def test_a_port_that_is_in_use_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def story() -> None:
        async with world("caddy", tmp_path) as here:
            provider = here.provider()
            (server,) = await here.servers(1)
            await provider.ensure("shop")

            with pytest.raises(Refused, match=f"can't listen on {server}"):
                await provider.ensure("other", server)

            assert await provider.describe("other") is None

    asyncio.run(story())
