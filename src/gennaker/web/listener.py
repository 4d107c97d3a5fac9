"""Listener: an HTTP server on a socket that is bound already, and requests that nobody reads in two ways."""

import contextlib
import functools
import re
import socket
from collections.abc import Iterable, Iterator

import uvicorn
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from gennaker.model.codec import encode
from gennaker.web.protocol import BoundedHeads, TellUnread, untold

_STOP_SECONDS = 5
"""How long open requests may finish when the server stops."""
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[A-Za-z0-9.:]+\])(?::[0-9]{0,5})?")
"""RFC 3986, 3.2.2, and a port. Whatever else was given the framework answered by itself, and a port of letters with 500."""
_LONGEST_HOST = 200
"""As it is told of."""


class Unambiguous:
    """The application without requests that a proxy in front may have taken for others.

    Of a message with both Content-Length and Transfer-Encoding one of the two readers may take the body's end for the next
    request (request smuggling): RFC 9112, 6.1 has it refused, and the connection closed. So has 3.2 a message with several `Host`
    headers, of which each reader may take another, or with one that is no host.
    """

    def __init__(self, app: ASGIApp, refused: TellUnread = untold) -> None:
        """Wraps it; tells what it refuses."""
        self._app = app
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what has one meaning."""
        found = _ambiguity(scope["headers"]) if scope["type"] == ScopeType.HTTP else None
        if found is None:
            await self._app(scope, receive, send)
            return
        code, why = found
        client = scope.get("client")
        self._refused(code, why, client[0] if client else "")
        body = encode({"code": code, "message": why})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _ambiguity(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str] | None:
    """Code and sentence; None: the message can be read in one way only. No `Host` is a matter of who is asked for."""
    names, hosts = set(), []
    for name, value in headers:
        names.add(name)
        if name == b"host":
            hosts.append(value)
    if len(hosts) > 1:
        return "request.two_hosts", f"The request has {len(hosts)} Host headers."
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        return "request.no_host", f"The Host header {hosts[0][:_LONGEST_HOST].decode(errors='replace')!r} is no host."
    if b"transfer-encoding" in names and b"content-length" in names:
        return "request.two_lengths", "The request says twice how long it is, in different ways."
    return None


class Listener(uvicorn.Server):
    """An HTTP server on a socket that is bound already; signals are the process's business."""

    def __init__(
        self, app: ASGIApp, bound: socket.socket, refused: TellUnread = untold, *, most_connections: int | None = None
    ) -> None:
        """Nothing is served yet. `refused` is told what no application sees. No number: as many as come."""
        super().__init__(
            uvicorn.Config(
                Unambiguous(app, refused),
                http=functools.partial(BoundedHeads, refused=refused, most_connections=most_connections),  # type: ignore[arg-type]  # it only calls it
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                proxy_headers=False,  # it would believe X-Forwarded-For of whoever comes from this machine
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
