"""Listener: an HTTP server on a socket that is bound already, and requests that nobody reads in two ways."""

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from gennaker.web.protocol import BoundedHeads

_STOP_SECONDS = 5
"""How long open requests may finish when the server stops."""


class Unambiguous:
    """The application without requests that a proxy in front may have taken for others (request smuggling).

    Of a message with both Content-Length and Transfer-Encoding one of the two readers may take the body's end for the next
    request: RFC 9112, 6.1 has it refused, and the connection closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wraps it."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what has one length."""
        names = [name for name, _ in scope["headers"]] if scope["type"] == ScopeType.HTTP else []
        if b"transfer-encoding" not in names or b"content-length" not in names:
            await self._app(scope, receive, send)
            return
        body = b'{"code":"request.two_lengths","message":"The request says twice how long it is, in different ways."}'
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class Listener(uvicorn.Server):
    """An HTTP server on a socket that is bound already; signals are the process's business."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        """Nothing is served yet."""
        super().__init__(
            uvicorn.Config(
                Unambiguous(app),
                http=BoundedHeads,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._bound = bound

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals alone."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves on the bound socket."""
        await super().serve(sockets or [self._bound])
