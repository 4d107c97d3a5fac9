"""The load generator: visitors who look at a page and order what it offers, all the time.

A process of its own (`python -m gennaker.demo.load --url … --log …`), so that it neither slows the server down nor is slowed by it.
Keep-alive connections over asyncio protocols. Each visit is a GET and, where the page offers something, a POST.
Every second a JSON line says what happened; every error is a line of its own with the version that made it. What the
machine can't carry isn't made up for: the achieved rate is what is reported.

A transport error is a connection that can't be made or that breaks while an answer is due. A connection that the other side
closes between two requests is not one: HTTP allows it, and the visitor connects again.
"""

import argparse
import asyncio
import json
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length:[ ]*(\d+)", re.IGNORECASE)
_VERSION = re.compile(rb"\r\nx-shop-version:[ ]*([^\r]*)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ ]*close", re.IGNORECASE)
_BUY = re.compile(rb'"buy": ?"([^"]+)"')
_ANSWER_SECONDS = 15.0
_FIRST_ERROR = 400
_CREATED = 201


class Tally:
    """What has happened, since the last line and in all."""

    def __init__(self, log: IO[str]) -> None:
        """Writes to this log."""
        self._log = log
        self._total: Counter[str] = Counter()
        self._second: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()

    def answered(self, status: int, version: str, seconds: float, what: str) -> None:
        """One answer."""
        for counter in (self._total, self._second):
            counter["requests"] += 1
            counter[f"status:{status}"] += 1
            counter[f"version:{version or 'none'}"] += 1
        self._latencies.append(seconds)
        if status >= _FIRST_ERROR:
            self._write({"error": status, "version": version, "what": what})

    def ordered(self) -> None:
        """One order."""
        self._total["orders"] += 1
        self._second["orders"] += 1

    def broken(self, reason: str, what: str) -> None:
        """A transport error."""
        self._total["transport_errors"] += 1
        self._second["transport_errors"] += 1
        self._write({"transport_error": reason, "what": what})

    def tick(self) -> None:
        """Writes the line of the last second."""
        ordered = sorted(self._latencies)
        line = dict(self._second)
        if ordered:
            line["p50_us"] = int(ordered[len(ordered) // 2] * 1e6)
            line["p99_us"] = int(ordered[int(len(ordered) * 0.99)] * 1e6)
        self._write({"second": line})
        self._second.clear()
        self._latencies.clear()

    def end(self) -> None:
        """Writes the sum."""
        seconds = self._loop.time() - self._began
        rate = round(self._total["requests"] / seconds, 1) if seconds else 0.0
        self._write({"total": dict(self._total), "seconds": round(seconds, 2), "requests_per_second": rate})

    def _write(self, line: dict[str, object]) -> None:
        self._log.write(json.dumps({"at": round(self._loop.time() - self._began, 3), **line}) + "\n")


class _Connection(asyncio.Protocol):
    """One connection; answers come back in a future."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self._waiting: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError(str(exc or "closed while an answer was due")))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._waiting is None:
            return
        length = _LENGTH.search(self._buffer, 0, end + 2)
        whole = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) >= whole:
            answer, self._buffer = self._buffer[:whole], self._buffer[whole:]
            if not self._waiting.done():
                self._waiting.set_result(answer)

    async def ask(self, request: bytes) -> bytes:
        """Sends one request and returns the whole answer."""
        assert self.transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await self._waiting


class Visitor:
    """Visits again and again over one connection."""

    def __init__(self, host: str, port: int, tally: Tally) -> None:
        """Connects when it first visits."""
        self._host, self._port = host, port
        self._tally = tally
        self._connection: _Connection | None = None
        self._tail = f" HTTP/1.1\r\nHost: {host}:{port}\r\n".encode()

    async def visit(self) -> None:
        """A look at the page, and an order where it offers something."""
        answer = await self._request(b"GET / ", b"\r\n", "GET /")
        offer = _BUY.search(answer) if answer else None
        if offer is None:
            return
        ordered = await self._request(b"POST " + offer[1] + b" ", b"Content-Length: 0\r\n\r\n", "POST /orders")
        if ordered and _status(ordered) == _CREATED:
            self._tally.ordered()

    async def _request(self, start: bytes, end: bytes, what: str) -> bytes | None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            connection = await self._connected()
            answer = await connection.ask(start.rstrip() + self._tail + end)
        except (OSError, TimeoutError) as error:
            self._drop()
            self._tally.broken(f"{type(error).__name__}: {error}", what)
            return None
        head = answer[: answer.find(b"\r\n\r\n") + 2]
        version = _VERSION.search(head)
        self._tally.answered(_status(answer), version[1].decode() if version else "", loop.time() - began, what)
        if _CLOSE.search(head):
            self._drop()
        return answer

    async def _connected(self) -> _Connection:
        if self._connection is None or self._connection.transport is None or self._connection.transport.is_closing():
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(_Connection, self._host, self._port)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.close()
        self._connection = None


async def generate(url: str, *, rate: float, connections: int, log: IO[str], seconds: float | None = None) -> None:
    """Visits until cancelled, told to stop, or for some seconds; `rate` is in requests a second.

    About 1.4 requests make a visit, so the visits are spread evenly at `rate / 1.4`.
    """
    split = urlsplit(url)
    tally = Tally(log)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    interval = connections * 1.4 / rate
    async with asyncio.TaskGroup() as group:
        visitors = [
            group.create_task(
                _keep_visiting(
                    Visitor(split.hostname or "127.0.0.1", split.port or 80, tally), interval, index / connections, stop
                )
            )
            for index in range(connections)
        ]
        until = loop.time() + seconds if seconds is not None else None
        while not stop.is_set() and (until is None or loop.time() < until):
            await _either(stop, 1.0 if until is None else min(1.0, max(0.0, until - loop.time())))
            if not stop.is_set():  # what is left of a second that was cut short isn't one: it would look like silence
                tally.tick()
        stop.set()
        await asyncio.wait(visitors)
    tally.end()


async def _keep_visiting(visitor: Visitor, interval: float, offset: float, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + interval * offset
    while not stop.is_set():
        if (left := due - loop.time()) > 0:
            await asyncio.sleep(left)
        await visitor.visit()
        # What was missed isn't made up for: a machine that can't carry the rate would only be flooded by it.
        due = max(due + interval, loop.time() - interval)


async def _either(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _status(answer: bytes) -> int:
    return int(answer[9:12])


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=600.0, help="requests a second")
    parser.add_argument("--connections", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--log", type=Path, required=True)
    given = parser.parse_args(arguments)
    with given.log.open("w", buffering=1) as log:
        asyncio.run(generate(given.url, rate=given.rate, connections=given.connections, log=log, seconds=given.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
