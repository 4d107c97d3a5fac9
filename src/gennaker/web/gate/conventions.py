"""Conventions of Gate that hold for all its routes: an id for each request, and query parameters as Spring reads them."""

import re
from collections.abc import Callable
from datetime import datetime

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from gennaker.interfaces.clock import Clock

_OURS = re.compile(r"/(?:(?:api|ui|health)(?:/.*)?)?", re.DOTALL)
"""What isn't Gate's: the native API, the page, health."""
_REQUEST_ID = b"x-spinnaker-request-id"
_GIVEN = re.compile(rb"[A-Za-z0-9._:/=+-]{1,128}")
_RECEIVED_AT = "received_at"
_WITH_COMMAS = frozenset({b"statuses", b"triggerTypes"})
"""Parameters that Gate declares as one text."""


def is_gates(path: str) -> bool:
    """Whether clients of Gate (or Orca) call this path."""
    return _OURS.fullmatch(path) is None


def received_at(scope: Scope) -> datetime:
    """When the request came."""
    found = scope["state"][_RECEIVED_AT]
    assert isinstance(found, datetime)
    return found


class Conventions:
    """Outermost of the application, so that they hold for routes that don't exist, too."""

    def __init__(self, app: ASGIApp, *, clock: Clock, new_id: Callable[[], str]) -> None:
        """Wraps the application."""
        self._app = app
        self._clock = clock
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        if scope["type"] == ScopeType.HTTP:
            scope["state"][_RECEIVED_AT] = self._clock.now()
            if is_gates(scope["path"]):
                scope["query_string"] = _plain(scope["query_string"])
                send = _with_request_id(send, self._request_id(scope))
        await self._app(scope, receive, send)

    def _request_id(self, scope: Scope) -> bytes:
        """The caller's, which its other requests may carry too, or a new one."""
        given = next((value for name, value in scope["headers"] if name.lower() == _REQUEST_ID), b"")
        return given if _GIVEN.fullmatch(given) else self._new_id().encode()


def _plain(query: bytes) -> bytes:
    """Without what is empty, and lists with commas that were sent in several parts as one, as Spring reads both."""
    parts = [part for part in query.split(b"&") if part.partition(b"=")[2]]
    listed: dict[bytes, list[bytes]] = {}
    for name, _, value in (part.partition(b"=") for part in parts):
        if name in _WITH_COMMAS:
            listed.setdefault(name, []).append(value)
    if all(len(values) == 1 for values in listed.values()):
        return b"&".join(parts)
    others = [part for part in parts if part.partition(b"=")[0] not in _WITH_COMMAS]
    return b"&".join([*others, *(name + b"=" + b",".join(values) for name, values in listed.items())])


def _with_request_id(send: Send, request_id: bytes) -> Send:
    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (_REQUEST_ID, request_id)]
        await send(message)

    return named
