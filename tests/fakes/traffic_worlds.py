"""Surroundings of traffic providers in tests: servers behind a load balancer, and clients in front of it.

A `World` is one provider's surroundings: how to send a request through a load balancer, how to hold one in flight, how
to get a new provider object over the same state, as after the server was killed.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import websockets
from tests import waiting
from tests.fakes.documents import MemoryStore
from tests.fakes.faulty import Faults, FaultyTraffic
from tests.fakes.traffic import FakeBalancer, FakeTraffic
from tests.fakes.web_client import NO_HEADERS, WebClient
from tests.free_ports import free_port

from gennaker.interfaces.routes import Routing
from gennaker.interfaces.traffic import LoadBalancer, TrafficProvider
from gennaker.plugins.caddy.program import CaddyProgram
from gennaker.plugins.caddy.provider import CaddyProvider
from gennaker.plugins.cluster_traffic.ingress_provider import IngressProvider
from gennaker.plugins.cluster_traffic.provider import RouteProvider
from gennaker.plugins.proxies.envoy import Envoy
from gennaker.plugins.proxies.haproxy import HAProxy
from gennaker.plugins.proxies.nginx import Nginx
from gennaker.plugins.proxies.program import ProxyProgram
from gennaker.plugins.proxies.provider import ProxyProvider
from gennaker.plugins.proxies.traefik import Traefik
from gennaker.settings import CaddySettings
from gennaker.transport import ports
from gennaker.transport.processes import Processes, ProcessSpec

APP = Path(__file__).parent / "image" / "app" / "server.py"


class World(Protocol):
    """What a test needs of a provider's surroundings."""

    is_random: bool
    """Whether it splits by chance, so that shares hold over many requests only."""
    is_counting: bool
    """Whether it can tell what is under way."""
    lacking: frozenset[Routing]
    """What the provider could route by, but not here."""

    def provider(self) -> TrafficProvider:
        """A new provider object over the same state."""
        ...

    async def servers(self, count: int) -> tuple[str, ...]:
        """Addresses of that many running servers."""
        ...

    async def get(self, balancer: LoadBalancer, headers: Mapping[str, str] = NO_HEADERS) -> str:
        """The address of the server that answered a request, or "503"."""
        ...

    def held(
        self, balancer: LoadBalancer, headers: Mapping[str, str] = NO_HEADERS
    ) -> AbstractAsyncContextManager[None]:
        """A request that is under way as long as the context lasts."""
        ...

    def counting(self) -> AbstractAsyncContextManager[tuple[str, Callable[[], int]]]:
        """A server that counts requests: its address, and how many there were."""
        ...


class FakeWorld:
    """In memory."""

    is_random = False
    is_counting = True
    lacking: frozenset[Routing] = frozenset()

    def __init__(self) -> None:
        self._state: dict[str, FakeBalancer] = {}

    def provider(self) -> TrafficProvider:
        return FakeTraffic(self._state)

    async def servers(self, count: int) -> tuple[str, ...]:
        return tuple(f"127.0.0.1:{20_000 + number}" for number in range(count))

    async def get(self, balancer: LoadBalancer, headers: Mapping[str, str] = NO_HEADERS) -> str:
        return self._chosen(balancer, headers) or "503"

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[tuple[str, Callable[[], int]]]:
        address = "127.0.0.1:30000"
        yield address, lambda: sum(one.copied[address] for one in self._state.values())

    def _chosen(self, balancer: LoadBalancer, headers: Mapping[str, str]) -> str | None:
        cookies = dict(pair.split("=") for pair in headers.get("Cookie", "").split("; ") if pair)
        plain = {name.lower(): value for name, value in headers.items()}
        return self._state[balancer.name].choose(plain, cookies)

    @asynccontextmanager
    async def held(self, balancer: LoadBalancer, headers: Mapping[str, str] = NO_HEADERS) -> AsyncIterator[None]:
        found = self._state[balancer.name]
        address = self._chosen(balancer, headers)
        assert address is not None
        found.in_flight[address] += 1
        yield
        found.in_flight[address] -= 1


class FaultlessWorld(FakeWorld):
    """Behind faults, of which there are none."""

    def provider(self) -> TrafficProvider:
        return FaultyTraffic(super().provider(), Faults())


class RealWorld:
    """A real load balancer and real servers."""

    is_random = False
    is_counting = True
    lacking: frozenset[Routing] = frozenset()

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = MemoryStore()
        self._clients: dict[str, WebClient] = {}
        self.processes = Processes(folder / "servers")

    def provider(self) -> CaddyProvider | ProxyProvider | RouteProvider | IngressProvider:
        raise NotImplementedError

    async def kill(self) -> None:
        """Ends the load balancers' processes at once, behind the providers' backs."""
        raise NotImplementedError

    def host(self, number: int) -> str:
        """The address that a server listens at, so that the load balancer reaches it."""
        return "127.0.0.1"

    async def servers(self, count: int) -> tuple[str, ...]:
        return await self.programs(count)

    async def programs(self, count: int) -> tuple[str, ...]:
        """As `servers`, a process of its own each, called like its port."""
        addresses = []
        for number in range(count):
            port, host = free_port(), self.host(number)
            environment = {"PORT": str(port), "HOST": host, "VERSION": host}
            spec = ProcessSpec(
                argv=("python3", str(APP)), working_folder="/", environment=environment, drain_seconds=120
            )
            await self.processes.start(str(port), spec)
            addresses.append(f"{host}:{port}")
        for address in addresses:
            await until_answering(address)
        return tuple(addresses)

    async def get(self, balancer: LoadBalancer, headers: Mapping[str, str] = NO_HEADERS) -> str:
        client = self._clients.setdefault(balancer.address, WebClient(balancer.address))
        status, body = await client.get(headers=headers)
        return body if status == 200 else str(status)

    @asynccontextmanager
    async def held(self, balancer: LoadBalancer, headers: Mapping[str, str] = NO_HEADERS) -> AsyncIterator[None]:
        address = f"ws://{balancer.address}/socket"
        async with websockets.connect(address, compression=None, additional_headers=headers) as socket:
            await socket.send("here")
            assert await socket.recv() == "here"
            yield
            await socket.send("still here")
            assert await socket.recv() == "still here"

        async def is_let_go() -> bool:
            return not any((await self.provider().in_flight(balancer.name)).values())

        await waiting.until_found(is_let_go, "the socket to be no longer counted")

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[tuple[str, Callable[[], int]]]:
        found = itertools.count()
        count = next(found)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            await reader.readuntil(b"\r\n\r\n")
            count = next(found)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ncopy")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", lambda: count

    async def close(self) -> None:
        for client in self._clients.values():
            client.close()
        await self.kill()
        await self.processes.stop_all(timedelta(seconds=5))


class CaddyWorld(RealWorld):
    """With Caddy."""

    def provider(self) -> CaddyProvider:
        return CaddyProvider(documents=self._store("caddy.load-balancers"), program=self._program(), configured={})

    async def kill(self) -> None:
        await self._program().kill(timedelta(minutes=5))

    def _program(self) -> CaddyProgram:
        return CaddyProgram(self._folder / "caddy", self._store("caddy.program"), CaddySettings())


class ProxyWorld(RealWorld):
    """With one of the other programs."""

    def __init__(self, folder: Path, program: ProxyProgram) -> None:
        super().__init__(folder)
        self._program = program
        self.is_random = program.name in _RANDOM

    def provider(self) -> ProxyProvider:
        return ProxyProvider(
            program=self._program, documents=self._store("proxies"), folder=self._folder / "proxies", configured={}
        )

    async def kill(self) -> None:
        await self.provider().close()


_RANDOM = ("nginx",)
_MANY = 4
"""Times as many requests are counted where chance splits them."""
PROGRAMS: dict[str, ProxyProgram] = {program.name: program for program in (HAProxy(), Envoy(), Nginx(), Traefik())}


async def until_answering(address: str) -> None:
    """Returns when the server accepts connections."""
    host, _, port = address.rpartition(":")
    await waiting.until(lambda: not ports.is_free(host, int(port)), f"a server at {address}")


@asynccontextmanager
async def world(kind: str, folder: Path) -> AsyncIterator[World]:
    """The surroundings of a subject of the suite."""
    if kind in ("fake", "without faults"):
        yield FakeWorld() if kind == "fake" else FaultlessWorld()
        return
    async with real(kind, folder) as here:
        yield here


@asynccontextmanager
async def real(kind: str, folder: Path) -> AsyncIterator[RealWorld]:
    """Surroundings with a real program."""
    here = CaddyWorld(folder) if kind == "caddy" else ProxyWorld(folder, PROGRAMS[kind])
    try:
        yield here
    finally:
        await here.close()


async def until(claim: Callable[[], bool]) -> None:
    """Returns when the claim holds; fails if it never does."""
    await waiting.until(claim, "it to come to be")


async def answers(surroundings: World, balancer: LoadBalancer, count: int) -> Counter[str]:
    """Who answers so many requests, one after another."""
    return Counter([await surroundings.get(balancer) for _ in range(count)])


async def is_split(surroundings: World, balancer: LoadBalancer, wanted: Mapping[str, int]) -> None:
    """Fails unless as many requests are split just so; within five standard errors of many times as many where it is by chance."""
    total = sum(wanted.values()) * (_MANY if surroundings.is_random else 1)
    found = await answers(surroundings, balancer, total)
    if not surroundings.is_random:
        assert found == wanted
        return
    assert set(found) == set(wanted)
    for address, part in wanted.items():
        chance = part / sum(wanted.values())
        assert abs(found[address] - total * chance) <= 5 * (total * chance * (1 - chance)) ** 0.5
