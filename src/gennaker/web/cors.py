"""CORS: which pages of other origins may use the API from a browser; only those of the settings.

Outermost, so that errors can be read, too, and preflights are answered without credentials, which browsers don't send with
them. What a page may do then is decided as for everybody else.
"""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_METHODS = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
_HEADERS = (
    b"accept, authorization, content-type, x-requested-with, x-ratelimit-app, x-spinnaker-priority, x-spinnaker-token"
)
"""Those that Deck sends, and how programs sign in."""
_SECONDS = b"600"


class Cors:
    """Lets the pages of these origins read answers."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        """`origins` as browsers write them: `https://deck.example.org`."""
        self._app = app
        self._origins = frozenset(one.encode() for one in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on but preflights."""
        if scope["type"] != ScopeType.HTTP or not self._origins:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"")
        if origin not in self._origins:
            await self._app(scope, receive, _with(send, [(b"vary", b"Origin")]))
            return
        granted = [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"Origin"),
        ]
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            granted += [
                (b"access-control-allow-methods", _METHODS),
                (b"access-control-allow-headers", _HEADERS),
                (b"access-control-max-age", _SECONDS),
            ]
            await send({"type": "http.response.start", "status": 204, "headers": granted})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        granted.append((b"access-control-expose-headers", b"x-spinnaker-request-id, etag"))
        await self._app(scope, receive, _with(send, granted))


def _with(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *headers]
        await send(message)

    return named
