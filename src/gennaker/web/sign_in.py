"""Sign-in: who is asking, before anything is done: the operator's token and links, and what people and programs sign in with.

Whoever can read the token file is the operator. The page gets a session cookie by a link that works once and for ten
minutes; the server prints it. While nobody has to sign in, Gate's routes answer as `anonymous` without credentials, as an
open Gate does. They, like everything else, answer only to requests that name this server (`Host`) and that no foreign
page has made (`Origin`, `Sec-Fetch-Site`): browsers send cookies and basic credentials by themselves.
"""

import base64
import binascii
import functools
import hmac
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from gennaker.access import credentials
from gennaker.access.signing_in import SignIn
from gennaker.interfaces.clock import Clock
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem, Refused
from gennaker.settings import ServerSettings
from gennaker.web import host_names, proxies
from gennaker.web.limits import Rates

COOKIE = "gennaker_session"
AGAIN = "again"
"""Where it has what says anew who asks, as the guard would find now."""
GUARD = "guard"
"""Where a request's scope has it, in its state."""
VIA_PAGE = "page"
"""How a signed-in browser comes."""
_LINK_LIVES = timedelta(minutes=10)
_SESSION_LIVES = timedelta(days=7)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CREDENTIALS_NEEDED = ("/api/",)
_LONGEST_HOST = 100
"""Of what is said back: a header may have 64 KB."""


class Doors:
    """The token, the one-time links and the sessions of one server process."""

    def __init__(
        self, *, token: str, clock: Clock, new_token: Callable[[], str], admin_roles: tuple[str, ...] = ()
    ) -> None:
        """`token` is the command line's; sessions end with the process. `admin_roles`: those of whom it starts something for."""
        self._operator = Principal(
            name="operator", via="cli", roles=frozenset({"operator", *admin_roles}), is_operator=True
        )
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

    def close_session(self, secret: str) -> None:
        """Signing out."""
        self._sessions.pop(secret, None)

    def principal(self, *, bearer: str, session: str) -> Principal | None:
        """Who holds these credentials; None: nobody."""
        if bearer and hmac.compare_digest(bearer.encode(), self._token.encode()):
            return self._operator
        now = self._clock.now()
        for known, until in self._sessions.items():
            if session and hmac.compare_digest(known.encode(), session.encode()) and until > now:
                return msgspec.structs.replace(self._operator, via=VIA_PAGE)
        return None


class Guard:
    """What every request to a server passes: where it comes from, then who makes it."""

    def __init__(self, doors: Doors, sign_in: SignIn, server: ServerSettings, clock: Clock) -> None:
        """`server`: which names and origins are its own."""
        self._rates = Rates(server.requests_per_minute if sign_in.settings.required else 0, clock)
        self._doors = doors
        self._sign_in = sign_in
        self._kept_headers = server.kept_headers
        self._origins = frozenset(server.allowed_origins)
        # While everybody is let in, only what can't be made to point here from outside is answered to.
        names = (*server.names, urlsplit(server.base_url).hostname or "") if sign_in.settings.required else ()
        self._names = frozenset(name.lower() for name in names if name)

    def knows_page(self, address: str) -> bool:
        """Whether a page at this absolute address is this server's, under any of its names, or of an origin that may use it."""
        try:
            parts = urlsplit(address)
        except ValueError:
            return False
        if parts.scheme not in ("http", "https"):
            return False
        return self._is_called(parts.netloc) or f"{parts.scheme}://{parts.netloc}" in self._origins

    async def admit(self, scope: Scope) -> None:
        """Notes in the scope who asks. Raises Refused, which the application's exception handlers turn into an answer."""
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        self._check_host(connection)
        principal = await self._principal(connection)
        kept = {name: value for name in self._kept_headers if (value := connection.headers.get(name.lower()))}
        # Before anything else is refused, so that the refusal says who it was, or whose cookie a foreign page has used.
        scope["state"]["principal"] = msgspec.structs.replace(principal or ANONYMOUS, headers=kept)
        scope["state"][AGAIN] = functools.partial(self._principal, connection)
        self._rates.count(f"person:{principal.name}" if principal else f"address:{address_of(connection)}")
        is_open = not self._sign_in.settings.required
        if is_open and principal is None and scope["path"].startswith(_CREDENTIALS_NEEDED):
            raise Refused(_no_credentials(), status=401)
        _check_origin(connection, self._origins)

    async def _principal(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | None:
        kind, _, given = connection.headers.get("authorization", "").partition(" ")
        token = given.strip() if kind.lower() == "bearer" else ""
        session = connection.cookies.get(COOKIE, "")
        found = self._doors.principal(bearer=token, session=session)
        if found is not None or not self._sign_in.settings.required:
            return found
        token = connection.headers.get("x-spinnaker-token", "") or token
        if token:
            found = await self._sign_in.of_token(token)
            found = found or await self._by_access_token(token, connection)
        elif kind.lower() == "basic":
            name, password = name_and_password(given)
            found = await self._sign_in.by_password(name, password, address=address_of(connection), via="basic")
        found = found or await self._by_proxy(connection) or await self._sign_in.by_session(session)
        if found is None and token:
            await self._sign_in.wrong_token(token, address=address_of(connection))
        return found

    async def _by_access_token(self, token: str, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | None:
        """Of the sign-in provider's; what begins as ours do is never sent to it."""
        if token.startswith(credentials.PREFIX):
            return None
        return await self._sign_in.by_access_token(token, address=address_of(connection))

    async def _by_proxy(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | None:
        """Whom the proxy has signed in, by name or by certificate: of requests through its socket, and no others."""
        if not proxies.is_proxied(connection.scope):
            return None
        settings, address = self._sign_in.settings, address_of(connection)
        name = _only(connection, settings.proxy_user_header)
        if name:
            listed = _only(connection, settings.proxy_roles_header) if settings.proxy_roles_header else None
            roles = None if listed is None else tuple(listed.split(","))
            return await self._sign_in.by_proxy(name.strip(), roles, via="proxy", address=address)
        subject = _only(connection, settings.proxy_certificate_header)
        found = re.search(settings.certificate_pattern, subject)
        return await self._sign_in.by_proxy(found[1], None, via="certificate", address=address) if found else None

    def _is_called(self, host: str) -> bool:
        return host_names.is_this_machine(host) or host_names.without_port(host) in self._names

    def _check_host(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """A name that isn't this server's means that a foreign name was made to point here (DNS rebinding)."""
        host = connection.headers.get("host", "")
        if self._is_called(host):
            return
        raise Refused(
            Problem(
                code="request.foreign_host",
                message=f"This server doesn't answer to the name {host[:_LONGEST_HOST]!r}.",
                remedy="Use 127.0.0.1 or localhost, or a name of the settings `server.names` and `server.base-url`.",
            ),
            status=403,
        )


class Guarded:
    """Middleware of all routes: the guard of the server that the request came to."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps a route."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets in whom the guard admits."""
        if scope["type"] == ScopeType.HTTP:
            guard = scope["state"][GUARD]
            assert isinstance(guard, Guard)
            await guard.admit(scope)
            send = _with_safe_headers(send)
        await self._app(scope, receive, send)


def _only(connection: ASGIConnection[Any, Any, Any, Any], header: str) -> str:
    """The value of a header of the proxy; empty where there is none. Raises Refused where there are several.

    A proxy that adds its header, and leaves there what the client has sent, would let everybody be whom they like.
    """
    given = connection.headers.getall(header, []) if header else []
    if len(given) > 1:
        raise Refused(
            Problem(
                code="request.ambiguous_proxy",
                message=f"The request has the header {header} {len(given)} times, so that nobody knows whom the proxy means.",
                remedy="Have the proxy set the header, not add it: what clients send must not get through.",
            ),
            status=400,
        )
    return given[0] if given else ""


def address_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Of whoever is at the other end of the connection; behind the proxy of the settings, of whom that says it is."""
    if proxies.is_proxied(connection.scope):
        # The proxy's own word is the last one, whether it goes on in the client's header or adds another.
        return connection.headers.getall("x-forwarded-for", [""])[-1].rpartition(",")[2].strip()
    return connection.client.host if connection.client else ""


def name_and_password(given: str) -> tuple[str, str]:
    """RFC 7617. What isn't of its form is nobody's."""
    try:
        name, _, password = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return name, password


def _check_origin(connection: ASGIConnection[Any, Any, Any, Any], allowed: frozenset[str]) -> None:
    if connection.scope.get("method") in _SAFE_METHODS:
        return
    origin, site = connection.headers.get("origin"), connection.headers.get("sec-fetch-site")
    if origin is not None and origin in allowed:
        return
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
    # Not `no-referrer`: of such a page browsers send `Origin: null` with a form.
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        (
            b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; "
            b"base-uri 'none'; form-action 'self'"
        ),
    ),
)


def _with_safe_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_SAFE_HEADERS]
        await send(message)

    return guarded
