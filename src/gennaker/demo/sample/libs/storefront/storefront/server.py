"""The server: connections on asyncio's protocols, keep-alive, streams, WebSockets, and an end that loses no request.

How it ends: what waits to be accepted is accepted, then the listening socket is closed. Requests under way are finished
and their connections closed; WebSockets get a close frame. A connection that is idle, or becomes so without having been
told that it was its last answer, stays open a moment longer, because a request may be on its way on it; one that
arrives is answered, with `Connection: close`. A connection is closed as idle only when nothing waits in its socket.
What remains is a request that crosses the close on the wire: HTTP/1.1 leaves it to the client to send it again
(RFC 9112, 9.3.1 and 9.5); it has not been read here.
"""

import asyncio
import fcntl
import logging
import socket
import struct
import termios
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from storefront import websocket
from storefront.http import (
    Answer,
    BadRequestError,
    Handler,
    Request,
    RequestReader,
    Response,
    ResponseWriter,
    Stream,
    Upgrade,
)
from storefront.websocket import WebSocket

log = logging.getLogger("storefront")

OTHER = "other"
"""The route of what no route matches: foreign paths must not become label values."""
CLIENT_WENT = 499
"""Counted for an answer that nobody waited for (nginx's number for it)."""
_BACKLOG = 512
_SWEEP_SECONDS = 1.0

Observer = Callable[[int, str, float], None]
"""Told of every answer: status, route, seconds until it was written."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long the server is patient."""

    idle_seconds: float = 75.0
    """Between requests. Longer than a load balancer keeps a connection, so that it is the one that closes."""
    request_seconds: float = 20.0
    """For a request to arrive as a whole."""
    linger_seconds: float = 1.0
    """For idle connections when the server ends, and for the peer to close after the last answer."""
    farewell_seconds: float = 5.0
    """For a WebSocket's peer to answer the close frame."""


USUAL = Timing()


class Routes:
    """Which handler answers what."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, str], Handler] = {}
        self._paths: set[str] = set()

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Adds a route; HEAD is answered wherever GET is."""
        self._handlers[method, path] = handler
        self._paths.add(path)

    def answer(self, request: Request) -> tuple[str, Answer]:
        """The route and its answer."""
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._handlers.get((method, request.path))
        if handler is not None:
            return request.path, handler(request)
        if request.path not in self._paths:
            return OTHER, Response(404, b"There is nothing here.\n")
        allowed = ", ".join(sorted(one for one, path in self._handlers if path == request.path))
        return request.path, Response(405, b"Not this way.\n", headers=(("Allow", allowed),))


class Server:
    """Listens, and keeps the connections."""

    def __init__(
        self,
        routes: Routes,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        observe: Observer = lambda status, route, seconds: None,
        timing: Timing = USUAL,
    ) -> None:
        """`headers` go on every answer."""
        self.routes = routes
        self.observe = observe
        self.timing = timing
        self.writer = ResponseWriter(headers)
        self.connections: set[Connection] = set()
        self.is_ending = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._arriving: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._is_empty = asyncio.Event()

    async def start(self, host: str, port: int) -> int:
        """Listens from now on; returns the port. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self._listener.setblocking(False)
        self._listen(self._listener)
        self._sweep()
        bound: int = self._listener.getsockname()[1]
        return bound

    async def stop(self, drain_seconds: float) -> int:
        """Ends the server as the module says; returns how many connections were cut off after `drain_seconds`."""
        self.is_ending = True
        if self._listener is not None and self._listener.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._accept(self._listener)  # What waits now would be reset by the close.
            self._listener.close()
            await asyncio.gather(*self._arriving)
        self._is_empty.clear()
        for connection in tuple(self.connections):
            connection.end()
        try:
            if self.connections:
                await asyncio.wait_for(self._is_empty.wait(), drain_seconds)
        except TimeoutError:
            log.warning("cuts off %d connections after %s s", len(self.connections), drain_seconds)
        return await self._cut_off()

    def begin(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Starts a connection's stream or conversation; the server waits for it when it ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def forget(self, connection: "Connection") -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if not self.connections:
            self._is_empty.set()

    def _listen(self, listener: socket.socket) -> None:
        """Not by `loop.create_server`: its end leaves a connection that is being accepted without an answer."""
        if not self.is_ending:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_BACKLOG + 1):  # As many as can wait.
            try:
                accepted, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # Too many open files: the listener would stay readable and the loop busy.
                log.error("cannot accept connections for %s s: %s", _SWEEP_SECONDS, error)
                loop.remove_reader(listener)
                loop.call_later(_SWEEP_SECONDS, self._listen, listener)
                return
            task = asyncio.create_task(self._welcome(accepted))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _welcome(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(self), accepted)
        except OSError as error:
            log.info("a client went before it was served: %s", error)
            accepted.close()

    async def _cut_off(self) -> int:
        count = len(self.connections)
        for connection in tuple(self.connections):
            connection.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sweeper is not None:
            self._sweeper.cancel()
        return count

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        for connection in tuple(self.connections):
            connection.close_if_late(loop.time())
        self._sweeper = loop.call_later(_SWEEP_SECONDS, self._sweep)


class Connection(asyncio.Protocol):
    """One connection: reads requests one after the other, writes answers."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._websocket: WebSocket | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._is_closing = False
        self._active_at = self._loop.time()

    @property
    def is_idle(self) -> bool:
        """Neither answering nor in the middle of a request."""
        return self._task is None and self._reader.is_between_requests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = transport  # type: ignore[assignment]  # TCP gives a Transport.
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes have arrived."""
        self._active_at = self._loop.time()
        if self._websocket is not None:
            self._websocket.feed(data)
        elif not self._is_closing:
            try:
                self._reader.feed(data)
                self._serve()
            except BadRequestError as error:
                self._refuse(error)

    def eof_received(self) -> bool:
        """The client sends no more: a stream under way goes on to its end, everything else has been answered."""
        if self._task is None or self._websocket is not None:
            return False
        self._is_closing = True
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._can_write.set()
        if self._websocket is not None:
            self._websocket.lost()
        elif self._task is not None:
            self._task.cancel()
        self._server.forget(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._can_write.set()

    def end(self) -> None:
        """The server ends; see the module."""
        if self._websocket is not None:
            self._websocket.close(websocket.GOING_AWAY, "the server stops")
        elif self.is_idle and not self._is_closing:
            self._loop.call_later(self._server.timing.linger_seconds, self.close_if_idle)

    def close_if_idle(self) -> None:
        """Closes the connection unless it has something to do, or bytes wait in its socket to be read."""
        if self.is_idle and not self._has_unread():
            self.close()

    def close(self) -> None:
        """Sends what is written, then waits for the client to close too.

        Data of it that nobody has read would otherwise reset the connection, and the client might lose an answer's end.
        """
        self._is_closing = True
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._loop.call_later(self._server.timing.linger_seconds, self._transport.close)

    def abort(self) -> None:
        """Cuts the connection."""
        if self._transport is not None:
            self._transport.abort()

    def close_if_late(self, now: float) -> None:
        """Closes a connection that has been idle, or has been sending a request, for too long."""
        if self._task is not None or self._is_closing:
            return
        timing = self._server.timing
        if self.is_idle and now - self._active_at > timing.idle_seconds:
            self.close_if_idle()
        elif not self.is_idle and now - self._active_at > timing.request_seconds:
            self.close()

    def _has_unread(self) -> bool:
        if self._transport is None or self._transport.is_closing():
            return False
        number = self._transport.get_extra_info("socket").fileno()
        (count,) = struct.unpack("i", fcntl.ioctl(number, termios.FIONREAD, bytes(struct.calcsize("i"))))
        return bool(count)

    def _serve(self) -> None:
        """Answers what has arrived; stops at a stream, whose end goes on here. Raises BadRequestError."""
        while self._task is None and not self._is_closing:
            request = self._reader.next()
            if request is None:
                if self._reader.takes_continue():
                    self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if self._server.is_ending:
                    self.end()
                return
            self._answer(request)

    def _answer(self, request: Request) -> None:
        started = time.perf_counter()
        route, answer = self._decided(request)
        if isinstance(answer, Stream):
            self._task = self._server.begin(self._stream(request, answer, route=route, started=started))
            return
        if isinstance(answer, Upgrade):
            self._upgrade(request, answer)
        else:
            is_last = self._server.is_ending or not request.is_keep_alive
            self._write_whole(answer, is_last=is_last, has_body=request.method != "HEAD")
        self._server.observe(answer.status, route, time.perf_counter() - started)

    def _decided(self, request: Request) -> tuple[str, Answer]:
        try:
            route, answer = self._server.routes.answer(request)
        except BadRequestError as error:
            return request.path, Response(error.status, f"{error.reason}\n".encode())
        except Exception:  # The last frame: one broken handler must not take the connections of others with it.
            log.exception("no answer to %s %s", request.method, request.path)
            return request.path, Response(500, b"Something broke.\n")
        return route, (websocket.refusal(request) or answer) if isinstance(answer, Upgrade) else answer

    def _write_whole(self, answer: Response, *, is_last: bool, has_body: bool = True) -> None:
        framing = f"Content-Length: {len(answer.body)}\r\n"
        head = self._server.writer.head(answer, framing, now=time.time(), is_last=is_last)
        self._write(head + answer.body if has_body else head)
        if is_last:
            self.close()

    async def _stream(self, request: Request, answer: Stream, *, route: str, started: float) -> None:
        is_chunked = request.version != "1.0"  # Otherwise the connection's end is the answer's (RFC 9112, 6.3).
        is_last = not is_chunked or not request.is_keep_alive or self._server.is_ending
        framing = "Transfer-Encoding: chunked\r\n" if is_chunked else ""
        status = CLIENT_WENT
        self._write(self._server.writer.head(answer, framing, now=time.time(), is_last=is_last))
        try:
            if request.method != "HEAD":
                await self._write_chunks(answer, is_chunked=is_chunked)
            status = answer.status
        except Exception:  # As in _decided. The client sees an answer without its end.
            log.exception("broken stream %s", route)
            status = 500
        finally:
            self._task = None
            self._server.observe(status, route, time.perf_counter() - started)
        self._after_stream(is_whole=status != 500, is_last=is_last)

    async def _write_chunks(self, answer: Stream, *, is_chunked: bool) -> None:
        async for chunk in answer.chunks:
            await self._can_write.wait()
            if chunk:  # An empty chunk would be the last.
                self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if is_chunked else chunk)
        if is_chunked:
            self._write(b"0\r\n\r\n")

    def _after_stream(self, *, is_whole: bool, is_last: bool) -> None:
        self._active_at = self._loop.time()
        if not is_whole:
            self.abort()
        elif is_last or self._is_closing:
            self.close()
        else:
            try:
                self._serve()
            except BadRequestError as error:
                self._refuse(error)

    def _upgrade(self, request: Request, answer: Upgrade) -> None:
        key = websocket.accept_key(request.headers["sec-websocket-key"])
        handshake = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n"
        self._write(self._server.writer.head(answer, handshake, now=time.time(), is_last=False))
        self._websocket = WebSocket(self._write, self.close)
        self._task = self._server.begin(self._talk(self._websocket, answer))
        self._websocket.feed(self._reader.rest())
        if self._server.is_ending:
            self.end()

    async def _talk(self, conversation: WebSocket, answer: Upgrade) -> None:
        try:
            await answer.talk(conversation)
        except Exception:  # As in _decided.
            log.exception("broken conversation")
            conversation.close(websocket.BROKEN, "something broke")
        conversation.close()
        self._loop.call_later(self._server.timing.farewell_seconds, self.close)

    def _refuse(self, error: BadRequestError) -> None:
        if self._task is not None:  # In the middle of an answer nothing else can be said.
            self.abort()
            return
        self._write_whole(Response(error.status, f"{error.reason}\n".encode()), is_last=True)
        self._server.observe(error.status, OTHER, 0.0)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
