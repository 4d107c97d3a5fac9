"""A small HTTP/1.1 server: keep-alive, streaming answers, WebSockets, an end that cuts nobody off.

Told to stop (SIGTERM) it takes no new connections, answers what is under way with `Connection: close`, closes idle
connections, sends WebSockets a close frame, and ends when all have gone or DRAIN seconds are over.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from storefront import websocket
from storefront.metrics import Metrics

_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error"}
_MOST_HEADER_BYTES = 16_384
_MOST_BODY_BYTES = 1_000_000


@dataclass(frozen=True)
class Request:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """One answer; `stream` instead of `body` for answers that take their time."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    stream: AsyncIterator[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]
Socket = Callable[[websocket.Connection], Awaitable[None]]


class Application:
    """Routes, and what every answer carries."""

    def __init__(self, metrics: Metrics, headers: dict[str, str]) -> None:
        self.metrics = metrics
        self.handlers: dict[tuple[str, str], Handler] = {}
        self.sockets: dict[str, Socket] = {}
        self.header_lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def answer(self, request: Request) -> Response:
        """The answer to a request."""
        handler = self.handlers.get((request.method, request.path))
        if handler is not None:
            return handler(request)
        if any(path == request.path for _, path in self.handlers):
            return Response(405, b'{"error":"method not allowed"}')
        return Response(404, b'{"error":"not found"}')


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: "_Server") -> None:
        self.server = server
        self.buffer = b""
        self.task: asyncio.Task[None] | None = None
        self.socket: websocket.Connection | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.server.connections.discard(self)
        if self.socket is not None:
            self.socket.lost()
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        if self.socket is not None:
            self.socket.received(data)
            return
        self.buffer += data
        if self.task is None:
            self.work()

    def work(self) -> None:
        """Answers the requests that are complete, in order."""
        while self.task is None and self.socket is None:
            request = self._next_request()
            if request is None:
                return
            self._serve(request)

    def _next_request(self) -> Request | None:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > _MOST_HEADER_BYTES:
                self._refuse()
            return None
        try:
            first, *rest = self.buffer[:end].decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            length = int(headers.get("content-length", "0"))
        except ValueError:
            self._refuse()
            return None
        if length > _MOST_BODY_BYTES or headers.get("transfer-encoding"):
            self._refuse()
            return None
        whole = end + 4 + length
        if len(self.buffer) < whole:
            return None
        body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
        split = urlsplit(target)
        return Request(method, split.path, dict(parse_qsl(split.query)), headers, body)

    def _serve(self, request: Request) -> None:
        application = self.server.application
        if request.headers.get("upgrade", "").lower() == "websocket" and request.path in application.sockets:
            self._upgrade(request)
            return
        began = time.perf_counter()
        response = application.answer(request)
        if response.stream is not None:
            self.task = asyncio.get_running_loop().create_task(self._stream(request, response, began))
            return
        keep = self._keeps(request)
        self._write(_head(response, application.header_lines, keep=keep, length=len(response.body)) + response.body)
        application.metrics.observe(request.path, response.status, time.perf_counter() - began)
        if not keep:
            self._close()

    async def _stream(self, request: Request, response: Response, began: float) -> None:
        application = self.server.application
        assert response.stream is not None  # noqa: S101
        self._write(_head(response, application.header_lines, keep=False, length=None))
        async for piece in response.stream:
            self._write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self._write(b"0\r\n\r\n")
        application.metrics.observe(request.path, response.status, time.perf_counter() - began)
        self.task = None
        self._close()

    def _upgrade(self, request: Request) -> None:
        assert self.transport is not None  # noqa: S101
        self._write(websocket.handshake(request.headers.get("sec-websocket-key", ""), self.server.application.header_lines))
        self.socket = websocket.Connection(self.transport)
        if self.buffer:
            self.socket.received(self.buffer)
        run = self.server.application.sockets[request.path](self.socket)
        self.task = asyncio.get_running_loop().create_task(self._run_socket(run))

    async def _run_socket(self, run: Awaitable[None]) -> None:
        with contextlib.suppress(websocket.Closed):
            await run
        self.task = None
        self._close()

    def end(self) -> None:
        """The server stops: idle connections close, busy ones close after their answer."""
        if self.socket is not None:
            self.socket.close(1001)
        elif self.task is None and not self.buffer:
            self._close()

    def _keeps(self, request: Request) -> bool:
        return request.headers.get("connection", "").lower() != "close" and not self.server.is_ending

    def _refuse(self) -> None:
        self._write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self._close()

    def _write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class _Server:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.connections: set[_Connection] = set()
        self.is_ending = False

    async def run(self, host: str, port: int, drain_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        listener = await loop.create_server(lambda: _Connection(self), host, port, backlog=1024)
        await stop.wait()
        self.is_ending = True
        listener.close()
        until = loop.time() + drain_seconds
        while self.connections and loop.time() < until:
            for connection in tuple(self.connections):
                connection.end()
            await asyncio.sleep(0.05)


def _head(response: Response, common: str, *, keep: bool, length: int | None) -> bytes:
    own = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    alive = "keep-alive" if keep else "close"
    reason = _REASONS.get(response.status, "Unknown")
    return (
        f"HTTP/1.1 {response.status} {reason}\r\nContent-Type: {response.content_type}\r\n{size}\r\n"
        f"Connection: {alive}\r\n{common}{own}\r\n"
    ).encode("latin-1")


def serve(application: Application) -> None:
    """Runs until told to stop, on PORT of loopback."""
    port = int(os.environ.get("PORT", "8080"))
    drain = float(os.environ.get("DRAIN_SECONDS", "35"))
    asyncio.run(_Server(application).run("127.0.0.1", port, drain))
