"""Proxies: requests that came through the socket of a proxy in front, whose headers are believed. Nobody else's are."""

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

_KEY = "is_proxied"


class Proxied:
    """The application as the listener on the proxy's socket has it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps it."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Marks the requests; no header could."""
        if scope["type"] == ScopeType.HTTP:
            scope["state"][_KEY] = True
        await self._app(scope, receive, send)


def is_proxied(scope: Scope) -> bool:
    """Whether the request came that way."""
    return scope.get("state", {}).get(_KEY) is True
