"""The API under load: lists and details over a large store, many live streams, and a steady rate of mixed reads.

Run: `python benchmarks/api.py [EXECUTIONS [PIPELINES]]`, by default 100,000 and 2,000. The real server on a SQLite store that was
filled before: executions of 10 stages (as `scale.py` makes them) of 20 applications, and pipelines of 100. Prints

* how long each list and detail takes, of one client that asks one after the other;
* the delay until the last of 500 live streams has told of an execution, and the server's memory (PSS) while they are open;
* how many of 1,000 reads a second are answered, and when, by 32 connections;
* beside each the CPU that the server took for it, which says more than the time where others work on the same cores;
* the load average.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.engine import percentile
from benchmarks.scale import ended

from gennaker.demo.server import DemoServer
from gennaker.interfaces.journal import Commit
from gennaker.model.codec import Json, JsonObject
from gennaker.settings import StoreSettings
from gennaker.store import opening
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.transport.client import Client
from gennaker.worker.clock import SystemClock

_LOOKS, _STREAMS, _UPDATES = 200, 500, 10
_RATE, _SECONDS, _CONNECTIONS = 1_000, 10, 32
_TOGETHER = 200
_APPLICATIONS_OF_PIPELINES = 100
_TIMEOUT_SECONDS = 60.0
_MEGABYTE = 1_000_000
_ABSENT = "Gate: an instance that isn't there"
"""Answered with 404, as it should be."""


def pipeline(number: int) -> JsonObject:
    """One of many, with five stages and two triggers."""
    stages: list[Json] = [
        {"refId": str(place), "type": "wait", "name": f"Wait {place}", "waitTime": 1, "comments": "x" * 200}
        for place in range(5)
    ]
    triggers: list[Json] = [
        {"enabled": True, "type": "docker", "account": "hub", "repository": f"shop/image{number}", "organization": "o"},
        {"enabled": True, "type": "git", "source": "github", "project": "acme", "slug": f"repository{number}"},
    ]
    name = f"pipeline{number}"
    application = f"application{number % _APPLICATIONS_OF_PIPELINES}"
    return {"id": name, "name": name, "application": application, "stages": stages, "triggers": triggers}


def triggered(number: int) -> Commit:
    """An ended execution that a person or a push has started."""
    trigger: JsonObject = {
        "type": "manual" if number % 2 else "git",
        "user": "ada",
        "parameters": {"tag": f"1.2.{number}"},
        "artifacts": [{"type": "docker/image", "name": "shop/image", "reference": f"shop/image:1.2.{number}"}],
    }
    commit = ended(number)
    changes = [replace(one, head=replace(one.head, trigger=trigger)) for one in commit.executions]
    return replace(commit, executions=tuple(changes))


async def fill(folder: Path, executions: int, pipelines: int) -> None:
    """Writes them as the server would."""
    store = opening.open_store(StoreSettings(), folder, engine_version="benchmark", server="benchmark")
    definitions = DatabaseDefinitions(store.database, SystemClock())
    for start in range(0, executions, _TOGETHER):
        together = range(start, min(start + _TOGETHER, executions))
        await asyncio.gather(*(store.journal.commit(triggered(number)) for number in together))
    for start in range(0, pipelines, _TOGETHER):
        together = range(start, min(start + _TOGETHER, pipelines))
        await asyncio.gather(
            *(
                definitions.save("pipeline", f"pipeline{number}", pipeline(number), author="benchmark")
                for number in together
            )
        )
    store.close()


class Connection:
    """One connection that is kept, and asks one thing after the other: as little of the machine as can be."""

    def __init__(self, address: str, token: str) -> None:
        """Of the API at an address."""
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
        self.reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self) -> None:
        """Must come first."""
        self.reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=2**24)

    async def ask(self, path: str, *, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of an answer that says how long it is."""
        status, length = await self.begin(path, body=body)
        return status, await self.reader.readexactly(length)

    async def begin(self, path: str, *, body: bytes | None = None) -> tuple[int, int]:
        """Status and length (0: it doesn't say); the body is still to be read."""
        method = "GET" if body is None else "POST"
        sized = "" if body is None else f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(f"{method} {path} HTTP/1.1\r\n{self._head}{sized}\r\n".encode() + (body or b""))
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0]) if "content-length:" in head else 0
        return int(head.split(" ", 2)[1]), length

    def close(self) -> None:
        """Gives it back."""
        self._writer.close()


def reads(executions: int) -> dict[str, str]:
    """What is asked, by what it is called; `{n}` is another number each time."""
    detail = f"{executions // 3:026d}"
    return {
        "executions": "/api/v1/executions",
        "executions of an application": "/api/v1/executions?application=application{a}&limit=50",
        "executions that failed": "/api/v1/executions?status=TERMINAL&limit=50",
        "pipelines, a page of 100": "/api/v1/pipelines",
        "pipelines of an application": "/api/v1/pipelines?application=application{p}",
        "applications": "/api/v1/applications",
        "deliveries": "/api/v1/applications/application{a}/deliveries",
        "releases": "/api/v1/applications/application{a}/releases",
        "traffic": "/api/v1/traffic",
        "audit": "/api/v1/audit?after={n}",
        "revisions": "/api/v1/definitions/pipelines/pipeline{n}/revisions",
        "one pipeline": "/api/v1/definitions/pipelines/pipeline{n}",
        "one execution": f"/api/v1/executions/{detail}",
        "Gate: applications": "/applications",
        "Gate: one application": "/applications/application{p}",
        "Gate: pipelineConfigs of an application": "/applications/application{p}/pipelineConfigs",
        "Gate: executions of an application": "/applications/application{a}/pipelines?limit=2&expand=false",
        "Gate: what runs of an application": "/applications/application{a}/pipelines?limit=30&statuses=RUNNING,PAUSED",
        "Gate: executions of five pipelines": "/executions?pipelineConfigIds=pipeline{n},pipeline2,pipeline3,pipeline4,pipeline5&limit=5",
        "Gate: search of executions": "/applications/application{a}/executions/search?triggerTypes=manual&size=10",
        "Gate: tasks": "/applications/application{a}/tasks?limit=50",
        "Gate: one execution": f"/pipelines/{detail}",
        "Gate: server groups": "/applications/application{p}/serverGroups",
        "Gate: clusters": "/applications/application{p}/clusters",
        "Gate: load balancers": "/loadBalancers?provider=local",
        "Gate: search box": "/search?q=application1&type=applications",
        "Gate: search box, server groups": "/search?q=shop&type=serverGroups",
        _ABSENT: "/instances/local/local/none",
        "Gate: projects": "/projects",
        "Gate: credentials": "/credentials",
    }


def at(path: str, number: int) -> str:
    """The path of one read."""
    return path.format(n=number % 2_000, a=number % 20, p=number % _APPLICATIONS_OF_PIPELINES)


async def looks(address: str, token: str, executions: int, process: psutil.Process) -> None:
    """Prints the percentiles of each list and detail."""
    connection = Connection(address, token)
    await connection.open()
    for name, path in reads(executions).items():
        taken: list[float] = []
        statuses: Counter[int] = Counter()
        size, before = 0, _cpu(process)
        for number in range(_LOOKS):
            began = time.perf_counter()
            status, body = await connection.ask(at(path, number))
            taken.append(time.perf_counter() - began)
            statuses[status] += 1
            size = max(size, len(body))
            if number > 20 and sum(taken) > _TIMEOUT_SECONDS / 6:
                break
        said = "" if set(statuses) == {200} else f" {dict(statuses)}"
        cpu = 1000 * (_cpu(process) - before) / len(taken)
        print(
            f"{name:40} p50 {_ms(taken, 0.5)}, p99 {_ms(taken, 0.99)}, CPU {cpu:6.2f} ms, {size / 1000:7.1f} kB{said}",
            flush=True,
        )
    connection.close()


async def streams(address: str, token: str, process: psutil.Process) -> None:
    """Prints how late the last of many live streams tells of an execution."""
    opened = [Connection(address, token) for _ in range(_STREAMS)]
    for one in opened:
        await one.open()
    await asyncio.gather(*(one.begin("/api/v1/events") for one in opened))
    await asyncio.gather(*(_told_of(one, "hello") for one in opened))
    asking = Connection(address, token)
    await asking.open()
    body = {"id": "streamed", "application": "application1", "name": "streamed", "stages": []}
    await asking.ask("/api/v1/pipelines", body=json.dumps(body).encode())
    start = "/api/v1/applications/application1/pipelines/streamed/start"
    first, last = [], []
    for _ in range(_UPDATES):
        waiting = [asyncio.ensure_future(_told_of(one, "execution")) for one in opened]
        await asyncio.sleep(0)
        began = time.perf_counter()
        await asking.ask(start, body=b"{}")
        seconds = [(await one) - began for one in waiting]
        first.append(min(seconds))
        last.append(max(seconds))
        await asyncio.sleep(0.5)  # what else this execution has to tell
        await asyncio.gather(*(_emptied(one) for one in opened))
    memory = process.memory_full_info().pss / _MEGABYTE
    print(
        f"{_STREAMS} streams, from starting an execution to the first p99 {_ms(first, 0.99)}, to the last {_ms(last, 0.99)}"
    )
    print(f"the server's memory with them: {memory:.0f} MB", flush=True)
    for one in (*opened, asking):
        one.close()


async def _told_of(stream: Connection, topic: str) -> float:
    await asyncio.wait_for(stream.reader.readuntil(f"event: {topic}".encode()), _TIMEOUT_SECONDS)
    return time.perf_counter()


async def _emptied(stream: Connection) -> None:
    """Reads what has come already."""
    while True:
        try:
            await asyncio.wait_for(stream.reader.read(2**16), 0.01)
        except TimeoutError:
            return


async def mixed(address: str, token: str, executions: int, process: psutil.Process) -> None:
    """Prints what becomes of reads at a steady rate, all kinds in turn."""
    asked_for = list(reads(executions).items())
    taken: list[float] = []
    statuses: Counter[str] = Counter()
    numbers = iter(range(_RATE * _SECONDS))
    before, began = _cpu(process), time.perf_counter()

    async def work() -> None:
        connection = Connection(address, token)
        await connection.open()
        for number in numbers:
            due = began + number / _RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked = time.perf_counter()
            try:
                name, path = asked_for[number % len(asked_for)]
                status, _ = await connection.ask(at(path, number))
            except (OSError, asyncio.IncompleteReadError) as error:
                statuses[type(error).__name__] += 1
                await connection.open()
                continue
            taken.append(time.perf_counter() - asked)
            statuses["404 as it should be" if (name, status) == (_ABSENT, 404) else str(status)] += 1
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(work())
    rate = len(taken) / (time.perf_counter() - began)
    print(f"mixed reads, {_RATE} a second wanted: {rate:.0f} a second, p50 {_ms(taken, 0.5)}, p99 {_ms(taken, 0.99)}")
    cpu = 1000 * (_cpu(process) - before) / max(1, len(taken))
    print(f"CPU {cpu:.2f} ms each; answers: {dict(sorted(statuses.items()))}", flush=True)


def _cpu(process: psutil.Process) -> float:
    """Seconds so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _ms(taken: Sequence[float], share: float) -> str:
    return f"{percentile(list(taken), share):7.2f} ms"


def main(executions: int = 100_000, pipelines: int = 2_000) -> None:
    """Prints all figures."""
    with tempfile.TemporaryDirectory(prefix="gennaker-api-") as name:
        folder = Path(name) / "data"
        folder.mkdir()
        began = time.perf_counter()
        asyncio.run(fill(folder, executions, pipelines))
        print(f"filled in {time.perf_counter() - began:.0f} s; load {os.getloadavg()[0]:.1f}", flush=True)
        flags = ("server.port=0", "registry.port=0", "server.requests-per-minute=0")
        server = DemoServer(folder, flags)
        try:
            client: Client = server.start()
            address, token = client.address, (folder / "token").read_text().strip()
            client.close()
            process = psutil.Process(server.pid)
            asyncio.run(looks(address, token, executions, process))
            asyncio.run(streams(address, token, process))
            print(f"load {os.getloadavg()[0]:.1f}", flush=True)
            asyncio.run(mixed(address, token, executions, process))
            print(f"load {os.getloadavg()[0]:.1f}", flush=True)
        finally:
            server.stop_everything()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
