"""HEAD: whatever GET answers without its body, on every route but those whose GET does something, or never ends.

One layer before the routes, so that none of them, nor the authoriser, knows of another method than GET.
"""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send, WebSocketReceiveMessage

from gennaker.web import access_rules

LEFT_OUT = (
    # What looks at a link before somebody follows it (a mail program, a chat) must not use it up, nor sign anybody in or out.
    "/auth/logout",
    "/login",
    "/login/oauth2/code/{name}",
    "/oauth2/authorization/{name}",
    "/ui/sign-in",
    # Streams.
    "/api/v1/events",
    "/api/v1/executions/{execution_id}/log",
)
"""Paths whose GET is no reading."""
_LEFT_OUT = frozenset(map(access_rules.form, LEFT_OUT))
_IS_HEAD = "is_head"


class Heads:
    """Asks the application as GET does, and keeps the body back."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps the routes."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything else on."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        scope["state"][_IS_HEAD] = True
        is_answered = False

        async def headless(message: Message) -> None:
            nonlocal is_answered
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                is_answered = True

        async def until_answered() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            """Nobody waits for a body: what still makes one may stop."""
            return {"type": "http.disconnect"} if is_answered else await receive()

        # A copy: whoever sends the answer looks at its own scope for whether it has a body.
        await self._app({**scope, "method": "GET"}, until_answered, headless)


async def refuse_left_out(connection: "ASGIConnection[Any, Any, Any, Any]", handler: BaseRouteHandler) -> None:
    """A guard of all routes. Raises MethodNotAllowedException."""
    del handler
    if connection.scope["state"].get(_IS_HEAD) and access_rules.form(connection.scope["path_template"]) in _LEFT_OUT:
        raise MethodNotAllowedException(
            detail="This address isn't only read from, so it has no HEAD.", headers={"allow": "GET, OPTIONS"}
        )
