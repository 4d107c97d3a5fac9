"""Sign-in: who is asking. One token for programs, one-time links for the page, nothing for Gate's routes.

Until people can sign in, whoever can read the token file is the operator. The page gets a session cookie by a link that
works once and for ten minutes; the server prints it. Gate's routes answer as `anonymous` without credentials, as an
open Gate does; therefore they, like everything else, answer only to requests that name this machine (`Host`) and that
no foreign page has made (`Origin`, `Sec-Fetch-Site`).
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from gennaker.interfaces.clock import Clock
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web import host_names

COOKIE = "gennaker_session"
VIA_PAGE = "page"
"""How a signed-in browser comes."""
_LINK_LIVES = timedelta(minutes=10)
_SESSION_LIVES = timedelta(days=7)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CREDENTIALS_NEEDED = ("/api/",)


class Doors:
    """The token, the one-time links and the sessions of one server process."""

    def __init__(self, *, token: str, clock: Clock, new_token: Callable[[], str]) -> None:
        """`token` is the command line's; sessions end with the process."""
        self._token = token
        self._clock = clock
        self._new_token = new_token
        self._links: dict[str, datetime] = {}
        self._sessions: dict[str, datetime] = {}

    def new_link(self) -> str:
        """A secret that opens one session, once."""
        secret = self._new_token()
        self._links[secret] = self._clock.now() + _LINK_LIVES
        return secret

    def open_session(self, secret: str) -> str | None:
        """The session's secret, or None if the link is unknown, used or too old."""
        now = self._clock.now()
        self._links = {known: until for known, until in self._links.items() if until > now}
        given = secret.encode()
        found = next((known for known in self._links if hmac.compare_digest(known.encode(), given)), None)
        if found is None:
            return None
        del self._links[found]
        session = self._new_token()
        self._sessions[session] = now + _SESSION_LIVES
        return session

    def principal(self, *, bearer: str, session: str) -> Principal | None:
        """Who holds these credentials; None: nobody."""
        if bearer and hmac.compare_digest(bearer.encode(), self._token.encode()):
            return Principal(name="operator", via="cli", roles=frozenset({"operator"}))
        now = self._clock.now()
        for known, until in self._sessions.items():
            if session and hmac.compare_digest(known.encode(), session.encode()) and until > now:
                return Principal(name="operator", via=VIA_PAGE, roles=frozenset({"operator"}))
        return None


class Guard:
    """Middleware that every request passes: where it comes from, then who makes it."""

    def __init__(self, app: ASGIApp, doors: Doors, kept_headers: tuple[str, ...] = ()) -> None:
        """Wraps the application; `kept_headers`: which headers of a request its executions keep."""
        self._kept_headers = kept_headers
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuses by raising, which the application's exception handlers turn into an answer."""
        if scope["type"] == ScopeType.HTTP:
            connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
            _check_host(connection)
            principal = self._principal(connection)
            if principal is None and scope["path"].startswith(_CREDENTIALS_NEEDED):
                raise Refused(_no_credentials(), status=401)
            _check_origin(connection)
            kept = {name: value for name in self._kept_headers if (value := connection.headers.get(name.lower()))}
            scope.setdefault("state", {})["principal"] = msgspec.structs.replace(principal or ANONYMOUS, headers=kept)
            send = _with_safe_headers(send)
        await self._app(scope, receive, send)

    def _principal(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | None:
        kind, _, bearer = connection.headers.get("authorization", "").partition(" ")
        token = bearer.strip() if kind.lower() == "bearer" else ""
        return self._doors.principal(bearer=token, session=connection.cookies.get(COOKIE, ""))


def _check_host(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """A name that isn't this machine's means that a foreign name was made to point here (DNS rebinding)."""
    host = connection.headers.get("host", "")
    if not host_names.is_this_machine(host):
        raise Refused(
            Problem(
                code="request.foreign_host",
                message=f"This server doesn't answer to the name {host!r}.",
                remedy="Use 127.0.0.1 or localhost.",
            ),
            status=403,
        )


def _check_origin(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    if connection.scope.get("method") in _SAFE_METHODS:
        return
    origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
    is_foreign_origin = origin is not None and _netloc(origin) != connection.headers.get("host")
    if is_foreign_origin or site in ("cross-site", "same-site"):
        raise Refused(
            Problem(
                code="request.foreign_origin",
                message="A page of another origin may not change anything here.",
                remedy="Use Gennaker's own page, or a program with the token.",
            ),
            status=403,
        )


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _no_credentials() -> Problem:
    return Problem(
        code="request.no_credentials",
        message="This needs the token or a signed-in page.",
        remedy="Open the link that the server printed (`gennaker link` prints a new one), or send the token of the data folder.",
    )


_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    ),
)


def _with_safe_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_SAFE_HEADERS]
        await send(message)

    return guarded
