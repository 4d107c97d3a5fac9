"""What a switch of traffic costs the users of a load balancer: real servers, a real load balancer, clients that count everything.

Run: `python benchmarks/traffic.py [caddy|haproxy|envoy|nginx|traefik …, default all]`. One line of JSON each; status 1 if
anything was cut or failed, if a request followed old weights 100 ms after a switch, or if a split was off by more than one
percentage point (by more than four standard errors where the provider splits by chance).

Per provider: a quiet stretch, then the same load (`--rate` requests a second from keep-alive clients, 50 WebSockets that say
something each second, 20 answers that take `--slow` seconds) while the weights change 50 times, each time between all for one
instance, all for the other and a split; then 10,000 requests at 80/15/5.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec
import websockets

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.fakes.traffic_worlds import PROGRAMS, RealWorld, real
from tests.fakes.web_client import Broken, WebClient

from gennaker.interfaces.traffic import LoadBalancer, Share

_NAME = "shop"
_CLIENTS = 40
_SOCKETS = 50
_SLOW = 20
_SWITCHES = 50
_LATE_SECONDS = 0.1
_QUIET_SECONDS = 10.0
_SPLIT = (80, 15, 5)
_COUNTED = 10_000


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


class Present(msgspec.Struct):
    """The weights in force, and since when."""

    serving: frozenset[str] = frozenset()
    since: float = 0.0


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
            began, present = time.perf_counter(), (self._present.serving, self._present.since)
            try:
                status, body = await client.get()
            except Broken as error:
                heard.wrong[f"broken: {error}"] += 1
            else:
                took = time.perf_counter() - began
                heard.latencies.append(took)
                if status != 200:
                    heard.wrong[str(status)] += 1
                elif f"127.0.0.1{body}" not in present[0] and began > present[1] + _LATE_SECONDS:
                    heard.late += 1
            await asyncio.sleep(max(0.0, began + self._pause - time.perf_counter()))
        client.close()


async def measure(kind: str, rate: float, slow_seconds: float) -> dict[str, object]:
    """The figures of one provider."""
    with tempfile.TemporaryDirectory() as folder:
        async with real(kind, Path(folder)) as here:
            provider = here.provider()
            servers = await here.servers(3)
            balancer = await provider.ensure(_NAME)
            present = Present()
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
                took = [
                    await _paced(here, servers, [(1, 0, 0), (0, 1, 0), (7, 3, 0)][number % 3], present)
                    for number in range(_SWITCHES)
                ]
                await asyncio.gather(*slow)
                load.stop()
                is_over.set()
            under_way = sum((await provider.in_flight(_NAME)).values())
            counted = await _counted(here, servers, balancer)
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
        "switch_ms": {"median": _ms(sorted(took)[len(took) // 2]), "most": _ms(max(took))},
        "p99_ms": {"quiet": quiet.percentile(0.99), "switching": busy.percentile(0.99)},
    }


async def _paced(here: RealWorld, servers: tuple[str, ...], weights: tuple[int, ...], present: Present) -> float:
    await asyncio.sleep(0.4)
    return await _switch(here, servers, weights, present)


async def _switch(here: RealWorld, servers: tuple[str, ...], weights: tuple[int, ...], present: Present) -> float:
    """How long it took."""
    began = time.perf_counter()
    pairs = list(zip(servers, weights, strict=True))
    present.serving = frozenset(servers)
    shares = {f"group-{number}": Share(weight=weight, addresses=(one,)) for number, (one, weight) in enumerate(pairs)}
    await here.provider().set_weights(_NAME, shares)
    present.since = time.perf_counter()
    present.serving = frozenset(one for one, weight in pairs if weight)
    return present.since - began


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


async def _counted(here: RealWorld, servers: tuple[str, ...], balancer: LoadBalancer) -> list[float]:
    """Percent of many requests at each server."""
    await _switch(here, servers, _SPLIT, Present())
    found: Counter[str] = Counter()

    async def some(count: int) -> None:
        client = WebClient(balancer.address)
        for _ in range(count):
            _, body = await client.get()
            found[f"127.0.0.1{body}"] += 1
        client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(some(_COUNTED // 20))
    return [round(100 * found[one] / _COUNTED, 2) for one in servers]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _is_good(figures: dict[str, object]) -> bool:
    split = figures["split"]
    assert isinstance(split, list)
    is_split = all(abs(found - part) <= _allowed(part, figures) for found, part in zip(split, _SPLIT, strict=True))
    return is_split and not any(figures[key] for key in ("wrong", "late", "sockets_cut", "slow_cut", "left_under_way"))


def _allowed(part: int, figures: dict[str, object]) -> float:
    """In percentage points."""
    return 4 * (part * (100 - part) / _COUNTED) ** 0.5 if figures["is_random"] else 1.0


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("providers", nargs="*", choices=["caddy", *PROGRAMS, []])
    parser.add_argument("--rate", type=float, default=2000, help="requests a second (default: 2000)")
    parser.add_argument("--slow", type=float, default=30, help="seconds of a slow answer (default: 30)")
    asked = parser.parse_args()
    are_good = True
    for kind in asked.providers or ["caddy", *PROGRAMS]:
        figures = asyncio.run(measure(kind, asked.rate, asked.slow))
        print(json.dumps(figures), flush=True)
        are_good = are_good and _is_good(figures)
    return 0 if are_good else 1


if __name__ == "__main__":
    sys.exit(main())
