"""What controllers that other tests don't have make of Gennaker's routes: Istio, by both of its APIs, and ingress-nginx itself.

Run as root, with Go: `python benchmarks/controllers.py [istio-gateway-api|istio|nginx-itself …, default all]`. The first time it
builds them, which takes some minutes. One line of JSON each; status 1 if anything isn't as it should be:

* `split`: percent of 10,000 requests at 80/15/5 (80/10/10 where a canary has one weight), within four standard errors;
* `routed`: whether requests by header and cookie come where they should, and others don't;
* `copied`: of 1,000 requests so many were copied at 100 % and at 50 %; null where the provider doesn't copy;
* `switch_ms`: from the call that changes weights until the last request was sent that an instance without weight answered;
* `late`: requests that old weights answered though sent 100 ms after the switch was called done; `wrong`: failed ones;
* `killed`: failed requests of some 400 a second while an instance is dead for `--noticed` seconds, and then taken out, where it is all
  of its server group, and where it is one of two.
"""

import argparse
import asyncio
import contextlib
import json
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.surroundings import worlds
from benchmarks.surroundings.worlds import KINDS
from tests.fakes import gateway_cluster
from tests.fakes.gateway_cluster import ClusterWorld
from tests.fakes.web_client import Broken, WebClient
from tests.free_ports import free_port

from gennaker.interfaces.routes import Routes, Routing
from gennaker.interfaces.traffic import LoadBalancer, Share, Shares

_COUNTED, _COPIED = 10_000, 1_000
_SWITCHES = 10
_PAUSE_SECONDS = 0.02
_LATE_SECONDS = 0.1
_ROUTES = Routes(headers={"X-Canary": "yes"}, cookies={"canary": "always"})
_MATCHING: tuple[dict[str, str], ...] = (
    {"X-Canary": "yes"},
    {"x-canary": "yes"},
    {"Cookie": "canary=always"},
    {"Cookie": "a=b; canary=always; c=d"},
)
_OTHER: tuple[dict[str, str], ...] = (
    {},
    {"X-Canary": "no"},
    {"Cookie": "canary=alwayss"},
    {"Cookie": "xcanary=always"},
)


_Given = Callable[[Shares], Awaitable[None]]
"""Gives server groups their shares."""


class Clients:
    """Eight that send one request after another."""

    def __init__(self, balancer: LoadBalancer) -> None:
        self._address = balancer.address
        self.wrong: Counter[str] = Counter()
        self.wanted: tuple[str, ...] = ()
        self.last_other = 0.0
        """When the last request was sent that somebody else answered."""
        self.done_at = float("inf")
        self.late = 0
        self._is_over = False

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Until the block ends."""
        self._is_over = False
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(self._one())
            try:
                yield
            finally:
                self._is_over = True

    async def _one(self) -> None:
        client = WebClient(self._address)
        while not self._is_over:
            began = time.perf_counter()
            try:
                status, body = await client.get()
            except Broken as error:
                self.wrong[f"broken: {error}"] += 1
            else:
                if status != 200:
                    self.wrong[str(status)] += 1
                elif body not in self.wanted:
                    self.last_other = max(self.last_other, began)
                    self.late += began > self.done_at + _LATE_SECONDS
            await asyncio.sleep(_PAUSE_SECONDS)
        client.close()


async def measure(kind: str, here: ClusterWorld, noticed_seconds: float) -> dict[str, object]:
    """The figures of one controller."""
    provider = here.provider()
    one, two, three = await here.programs(3)
    balancer = await provider.ensure("shop")

    async def given(shares: Shares) -> None:
        await provider.set_weights("shop", shares)

    split = (80, 10, 10) if kind == "nginx-itself" else (80, 15, 5)
    await given(
        {name: Share(weight=part, addresses=(name,)) for name, part in zip((one, two, three), split, strict=True)}
    )
    found = await _counted(balancer, _COUNTED)
    await given({"a": Share(weight=1, addresses=(one,)), "b": Share(weight=0, addresses=(two,), routes=_ROUTES)})
    routed = [await here.get(balancer, headers) == two for headers in (*_MATCHING, *_OTHER)]
    copied = await _copies(here, balancer, one) if Routing.MIRROR in provider.routing else None
    took, clients = await _switches(balancer, given, (one, two))
    killed = await _killed(here, balancer, given, noticed_seconds)
    return {
        "controller": kind,
        "split": [round(100 * found[name] / _COUNTED, 2) for name in (one, two, three)],
        "routed": routed == [True] * len(_MATCHING) + [False] * len(_OTHER),
        "copied": copied,
        "switch_ms": {"median": sorted(took)[len(took) // 2], "most": max(took)},
        "late": clients.late,
        "wrong": dict(clients.wrong),
        "killed": killed,
    }


async def _counted(balancer: LoadBalancer, count: int) -> Counter[str]:
    found: Counter[str] = Counter()

    async def some() -> None:
        client = WebClient(balancer.address)
        for _ in range(count // 20):
            status, body = await client.get()
            found[body if status == 200 else str(status)] += 1
        client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(some())
    return found


async def _copies(here: ClusterWorld, balancer: LoadBalancer, serving: str) -> list[int]:
    """How many came at 100 and at 50 percent."""
    count = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # the load balancer closes it
            while True:
                await reader.readuntil(b"\r\n\r\n")
                count += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ncopy")
                await writer.drain()
        writer.close()

    found = []
    host, port = here.host(9), free_port()
    async with await asyncio.start_server(answer, host, port):
        for percent in (100, 50):
            count = 0
            copy = Share(weight=0, addresses=(f"{host}:{port}",), routes=Routes(mirror_percent=percent))
            await here.provider().set_weights("shop", {"a": Share(weight=1, addresses=(serving,)), "copy": copy})
            answers = await _counted(balancer, _COPIED)
            assert answers == {serving: _COPIED}, answers
            await asyncio.sleep(0.5)
            found.append(count)
        await here.provider().set_weights("shop", {"a": Share(weight=1, addresses=(serving,))})
    return found


async def _switches(balancer: LoadBalancer, given: _Given, pair: tuple[str, str]) -> tuple[list[int], Clients]:
    """How many milliseconds each took until all follow."""
    clients = Clients(balancer)
    took = []
    clients.wanted = pair
    async with clients.sending():
        for number in range(_SWITCHES):
            old, new = pair if number % 2 else pair[::-1]
            began = time.perf_counter()
            clients.done_at, clients.wanted = float("inf"), (new,)
            await given({old: Share(weight=0, addresses=(old,)), new: Share(weight=1, addresses=(new,))})
            clients.done_at = time.perf_counter()
            await asyncio.sleep(1)
            took.append(round(1000 * max(0.0, clients.last_other - began)))
            clients.wanted = pair
    return took, clients


async def _killed(here: ClusterWorld, balancer: LoadBalancer, given: _Given, seconds: float) -> dict[str, int]:
    """Failed requests where the instance that is killed is all of a server group, and where it is one of two."""
    staying, *dying = await here.programs(3)
    found = {}
    for name, group in (("alone", dying[:1]), ("of_two", [dying[1], staying])):
        await given({"a": Share(weight=1, addresses=(staying,)), "b": Share(weight=1, addresses=tuple(group))})
        clients = Clients(balancer)
        async with clients.sending():
            await asyncio.sleep(0.5)
            await here.processes.stop(group[0].rpartition(":")[2], is_immediate=True)
            await here.processes.wait(group[0].rpartition(":")[2], timedelta(seconds=30))
            await asyncio.sleep(seconds)
            await given({"a": Share(weight=1, addresses=(staying,)), "b": Share(weight=1, addresses=tuple(group[1:]))})
        found[name] = clients.wrong.total()
    return found


async def _measured(kind: str, here: ClusterWorld, noticed_seconds: float) -> dict[str, object]:
    try:
        return await measure(kind, here, noticed_seconds)
    finally:
        await here.close()


def _is_good(figures: Mapping[str, object]) -> bool:
    split, copied = figures["split"], figures["copied"]
    assert isinstance(split, list)
    wanted = (80, 10, 10) if figures["controller"] == "nginx-itself" else (80, 15, 5)
    is_split = all(_is_near(part, of, _COUNTED) for part, of in zip(split, wanted, strict=True))
    is_copied = copied is None or (
        isinstance(copied, list) and copied[0] == _COPIED and _is_near(100 * copied[1] / _COPIED, 50, _COPIED)
    )
    return all((is_split, is_copied, figures["routed"], not figures["late"], not figures["wrong"]))


def _is_near(percent: float, wanted: float, count: int) -> bool:
    return abs(percent - wanted) <= 4 * math.sqrt(wanted * (100 - wanted) / count)


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("controllers", nargs="*", choices=[*KINDS, []])
    parser.add_argument(
        "--noticed", type=float, default=1.5, help="seconds until a killed instance is taken out (default: 1.5)"
    )
    parser.add_argument("--settle", type=float, default=None, help="seconds (default: 1 of Istio, 5 of ingress-nginx)")
    asked = parser.parse_args()
    are_good = True
    for kind in asked.controllers or KINDS:
        with (
            tempfile.TemporaryDirectory() as name,
            gateway_cluster.running(Path(name)) as cluster,
            worlds.world(kind, Path(name), cluster) as here,
        ):
            if asked.settle is not None:
                here.settle_seconds = asked.settle
            figures = asyncio.run(_measured(kind, here, asked.noticed))
        sys.stdout.write(f"{json.dumps(figures)}\n")
        sys.stdout.flush()
        are_good = are_good and _is_good(figures)
    return 0 if are_good else 1


if __name__ == "__main__":
    sys.exit(main())
