"""What a switch of traffic costs the users of a load balancer: real servers, a real load balancer, clients that count everything.

Run: `python benchmarks/traffic.py [caddy|haproxy|envoy|nginx|traefik|gateway-api|ingress-nginx …, default all]`, also
`istio-gateway-api|istio|nginx-itself` (see `controllers.py`). One line of JSON each; status 1 if anything was cut or failed, if a
request followed old weights 100 ms after a switch, or if a split was off by more than one percentage point (by more than four
standard errors where the provider splits by chance).

Per provider: a quiet stretch, then the same load (`--rate` requests a second from keep-alive clients, 50 WebSockets that say
something each second, 20 answers that take `--slow` seconds) while the weights change 50 times, each time between all for one
instance, all for the other and a split; then 10,000 requests at 80/15/5.

Routes in a cluster are served by Traefik, on a real control plane: that needs root and Go. There a switch is also told from the
moment at which it stands at the API server (`--throttle`: Traefik's `providersThrottleDuration`, `--settle`: what Gennaker waits).
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import websockets

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.surroundings import worlds
from tests.fakes import gateway_cluster
from tests.fakes.gateway_cluster import IN_A_CLUSTER, ClusterWorld
from tests.fakes.traffic_worlds import PROGRAMS, RealWorld, real
from tests.fakes.web_client import Broken, WebClient

from gennaker.interfaces.traffic import LoadBalancer, Share
from gennaker.model.foreign import mapping

_NAME = "shop"
_CLIENTS = 40
_SOCKETS = 50
_SLOW = 20
_SWITCHES = 50
_LATE_SECONDS = 0.1
_QUIET_SECONDS = 10.0
_SPLIT = (80, 15, 5)
_SPLITS = dict.fromkeys(("ingress-nginx", "nginx-itself"), (80, 10, 10))
"""Where that can't be said: a canary has one weight."""
_COUNTED = 10_000
_KINDS = ("caddy", *PROGRAMS, *IN_A_CLUSTER)
_BY_THEMSELVES = worlds.KINDS
"""Only where they are named: the first time they are built."""


class Heard(msgspec.Struct):
    """What became of the requests of one stretch."""

    latencies: list[float] = []
    wrong: Counter[str] = msgspec.field(default_factory=Counter)
    late: int = 0
    """Answered by an instance without weight, though sent 100 ms after the switch had begun to be in force."""

    def percentile(self, part: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.latencies)
        return round(ordered[int(part * (len(ordered) - 1))] * 1000, 2) if ordered else 0.0


class Switch(msgspec.Struct):
    """One change of the weights."""

    wanted: frozenset[str] = frozenset()
    since: float = float("inf")
    """When Gennaker called it done."""
    stood: float = float("inf")
    """When all of it stood at the API server, if there is one."""
    last_other: float = 0.0
    """When the last request was sent that one without weight answered."""

    @property
    def outlasted(self) -> float:
        """So long after the change stood there was such a request."""
        return max(0.0, self.last_other - self.stood)

    def hear(self, address: str, began: float) -> bool:
        """Whether this answer came too late from one without weight."""
        if address in self.wanted:
            return False
        self.last_other = max(self.last_other, began)
        return began > self.since + _LATE_SECONDS


class Present(msgspec.Struct):
    """The weights in force, or on the way."""

    switch: Switch = msgspec.field(default_factory=Switch)


class Load:
    """Paced keep-alive clients; one that is behind its pace doesn't catch up."""

    def __init__(self, balancer: LoadBalancer, rate: float, present: Present) -> None:
        self._address = balancer.address
        self._pause = _CLIENTS / rate
        self._present = present
        self._is_over = False

    async def run(self, heard: Heard) -> None:
        """Until stopped."""
        self._is_over = False
        async with asyncio.TaskGroup() as group:
            for number in range(_CLIENTS):
                group.create_task(self._one(heard, self._pause * number / _CLIENTS))

    def stop(self) -> None:
        """No more requests."""
        self._is_over = True

    async def _one(self, heard: Heard, at_first: float) -> None:
        client = WebClient(self._address)
        await asyncio.sleep(at_first)
        while not self._is_over:
            began, switch = time.perf_counter(), self._present.switch
            try:
                status, body = await client.get()
            except Broken as error:
                heard.wrong[f"broken: {error}"] += 1
            else:
                took = time.perf_counter() - began
                heard.latencies.append(took)
                if status != 200:
                    heard.wrong[str(status)] += 1
                else:
                    heard.late += switch.hear(body, began)
            await asyncio.sleep(max(0.0, began + self._pause - time.perf_counter()))
        client.close()


class Surroundings(msgspec.Struct, frozen=True):
    """What only routes in a cluster have."""

    throttle_milliseconds: int
    settle_seconds: float


@asynccontextmanager
async def _world(kind: str, wished: Surroundings) -> AsyncIterator[RealWorld]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if kind not in (*IN_A_CLUSTER, *_BY_THEMSELVES):
            async with real(kind, folder) as here:
                yield here
            return
        throttle = f"{wished.throttle_milliseconds}ms"
        cluster = await asyncio.to_thread(stack.enter_context, gateway_cluster.running(folder, throttle=throttle))
        routed: ClusterWorld
        if kind in _BY_THEMSELVES:
            routed = await asyncio.to_thread(stack.enter_context, worlds.world(kind, folder, cluster))
        else:
            routed = IN_A_CLUSTER[kind](folder, cluster)
        routed.gauge, routed.settle_seconds = "http_requests_in_flight", wished.settle_seconds
        try:
            yield routed
        finally:
            await routed.close()


async def measure(kind: str, rate: float, slow_seconds: float, wished: Surroundings) -> dict[str, object]:
    """The figures of one provider."""
    async with _world(kind, wished) as here, asyncio.TaskGroup() as watches:
        provider = here.provider()
        servers = await here.programs(3)
        balancer = await provider.ensure(_NAME)
        present = Present()
        watching: list[asyncio.Task[None]] = []
        if isinstance(here, ClusterWorld):
            watching = [watches.create_task(_watch(here, path, present)) for path in here.switched_by]
        load = Load(balancer, rate, present)
        await _switch(here, servers, (1, 1, 0), present)
        quiet, busy = Heard(), Heard()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(quiet))
            await asyncio.sleep(_QUIET_SECONDS)
            load.stop()
        is_over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(busy))
            sockets = [group.create_task(_socket(balancer, is_over)) for _ in range(_SOCKETS)]
            slow = [group.create_task(_slow(balancer, slow_seconds)) for _ in range(_SLOW)]
            await asyncio.sleep(1)
            made: list[tuple[float, Switch]] = []
            for number in range(_SWITCHES):
                took = await _paced(here, servers, [(1, 0, 0), (0, 1, 0), (7, 3, 0)][number % 3], present)
                made.append((took, present.switch))
            await asyncio.gather(*slow)
            load.stop()
            is_over.set()
        under_way = [count for count in (await provider.in_flight(_NAME)).values() if count != 0]
        counted = await _counted(here, servers, balancer, _SPLITS.get(kind, _SPLIT))
        for one in watching:
            one.cancel()
    return {
        "provider": kind,
        "requests": len(busy.latencies),
        "per_second": round(len(quiet.latencies) / _QUIET_SECONDS),
        "wrong": dict(quiet.wrong + busy.wrong),
        "late": busy.late,
        "sockets_cut": sum(not one.result() for one in sockets),
        "slow_cut": sum(not one.result() for one in slow),
        "left_under_way": under_way,
        "split": counted,
        "is_random": here.is_random,
        "switch_ms": _summary([took for took, _ in made]),
        **({"outlasted_ms": _summary([one.outlasted for _, one in made])} if watching else {}),
        "p99_ms": {"quiet": quiet.percentile(0.99), "switching": busy.percentile(0.99)},
    }


async def _paced(here: RealWorld, servers: tuple[str, ...], weights: tuple[int, ...], present: Present) -> float:
    await asyncio.sleep(0.4)
    return await _switch(here, servers, weights, present)


async def _switch(here: RealWorld, servers: tuple[str, ...], weights: tuple[int, ...], present: Present) -> float:
    """How long it took."""
    began = time.perf_counter()
    pairs = list(zip(servers, weights, strict=True))
    switch = present.switch = Switch(wanted=frozenset(one for one, weight in pairs if weight))
    shares = {f"group-{number}": Share(weight=weight, addresses=(one,)) for number, (one, weight) in enumerate(pairs)}
    await here.provider().set_weights(_NAME, shares)
    switch.since = time.perf_counter()
    return switch.since - began


async def _watch(here: ClusterWorld, path: str, present: Present) -> None:
    """Notes when what is watched has become other, not only its status or annotations."""
    known: dict[str, object] = {}
    async for event in here.account.watch(path, query={}):
        if event:
            metadata = mapping(mapping(event["object"])["metadata"])
            uid, is_gone = str(metadata["uid"]), event["type"] == "DELETED"
            # Slices are deleted when nobody gets requests by them any longer.
            if path != gateway_cluster.SLICES if is_gone else known.get(uid) != metadata["generation"]:
                present.switch.stood = time.perf_counter()
            known[uid] = metadata["generation"]


async def _socket(balancer: LoadBalancer, is_over: asyncio.Event) -> bool:
    """Whether it lived to the end."""
    try:
        async with websockets.connect(
            f"ws://{balancer.address}/socket", compression=None, ping_interval=None
        ) as socket:
            while not is_over.is_set():
                await socket.send("still here")
                await asyncio.wait_for(socket.recv(), 5)
                await asyncio.sleep(1)
    except (OSError, TimeoutError, websockets.WebSocketException):
        return False
    return True


async def _slow(balancer: LoadBalancer, seconds: float) -> bool:
    """Whether the answer was whole."""
    client = WebClient(balancer.address, timeout_seconds=seconds + 30)
    tenths = round(seconds * 10)
    try:
        return await client.get(f"/slow/{tenths}") == (200, "tick\n" * tenths)
    except Broken:
        return False
    finally:
        client.close()


async def _counted(
    here: RealWorld, servers: tuple[str, ...], balancer: LoadBalancer, split: tuple[int, ...]
) -> list[float]:
    """Percent of many requests at each server."""
    await _switch(here, servers, split, Present())
    found: Counter[str] = Counter()

    async def some(count: int) -> None:
        client = WebClient(balancer.address)
        for _ in range(count):
            _, body = await client.get()
            found[body] += 1
        client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(some(_COUNTED // 20))
    return [round(100 * found[one] / _COUNTED, 2) for one in servers]


def _summary(seconds: list[float]) -> dict[str, float]:
    return {"median": _ms(sorted(seconds)[len(seconds) // 2]), "most": _ms(max(seconds))}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _is_good(figures: dict[str, object]) -> bool:
    split = figures["split"]
    assert isinstance(split, list)
    wanted = _SPLITS.get(str(figures["provider"]), _SPLIT)
    is_split = all(abs(found - part) <= _allowed(part, figures) for found, part in zip(split, wanted, strict=True))
    return is_split and not any(figures[key] for key in ("wrong", "late", "sockets_cut", "slow_cut", "left_under_way"))


def _allowed(part: int, figures: dict[str, object]) -> float:
    """In percentage points."""
    return 4 * (part * (100 - part) / _COUNTED) ** 0.5 if figures["is_random"] else 1.0


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("providers", nargs="*", choices=[*_KINDS, *_BY_THEMSELVES, []])
    parser.add_argument("--rate", type=float, default=2000, help="requests a second (default: 2000)")
    parser.add_argument("--slow", type=float, default=30, help="seconds of a slow answer (default: 30)")
    parser.add_argument("--throttle", type=int, default=10, help="milliseconds, of Traefik in a cluster (default: 10)")
    parser.add_argument("--settle", type=float, default=0.5, help="seconds, of routes in a cluster (default: 0.5)")
    asked = parser.parse_args()
    wished = Surroundings(asked.throttle, asked.settle)
    are_good = True
    for kind in asked.providers or _KINDS:
        figures = asyncio.run(measure(kind, asked.rate, asked.slow, wished))
        print(json.dumps(figures), flush=True)
        are_good = are_good and _is_good(figures)
    return 0 if are_good else 1


if __name__ == "__main__":
    sys.exit(main())
