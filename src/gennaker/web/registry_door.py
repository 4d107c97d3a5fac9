"""The registry's door: who pushes and pulls once anybody has to sign in, and whether they may.

Clients sign in as to any registry (`docker login`): by name and password, by any name and an API token, or by the token as
Bearer. The one authoriser then says whether they may use the registry's account: READ to pull, WRITE for everything else.
Stands in front of the registry's application, which is handed the principal in the scope.
"""

import hashlib
import hmac
from datetime import datetime, timedelta

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from gennaker.access.credentials import PREFIX
from gennaker.access.signing_in import SignIn
from gennaker.interfaces.services import Services
from gennaker.model.codec import encode
from gennaker.model.permissions import Need, Right
from gennaker.model.principal import ANONYMOUS, SYSTEM, Principal
from gennaker.model.problems import Problem, Refused
from gennaker.web.sign_in import name_and_password

VIA = "registry"
_READING = frozenset({"GET", "HEAD"})
REMEMBERED = timedelta(seconds=5)
"""So long are credentials good without looking: a push is hundreds of requests, and checking a password is meant to be slow."""
_MOST_REMEMBERED = 1_000
_LONGEST_SUBJECT = 300
_QUESTION = "/v2"
"""Clients ask it without credentials whether they need any, before each pull: that is no refusal to record."""
_UNAUTHORIZED, _DENIED, _TOO_MANY = 401, 403, 429
_CHALLENGE = 'Basic realm="gennaker"'
_NOT_SIGNED_IN = Problem(
    code="registry.not_signed_in",
    message="This registry wants its clients to sign in.",
    remedy="Use `docker login`, with your name and password, or with an API token as the password.",
)


def create(registry: ASGIApp, *, sign_in: SignIn, services: Services, own_password: str) -> ASGIApp:
    """The registry behind its door, once anybody has to sign in. `own_password`: of this server's own pushes and pulls."""
    if not sign_in.settings.required:
        return registry
    return RegistryDoor(registry, sign_in=sign_in, services=services, own_password=own_password)


class RegistryDoor:
    """An ASGI application in front of the registry."""

    def __init__(self, registry: ASGIApp, *, sign_in: SignIn, services: Services, own_password: str) -> None:
        """Nobody has come yet."""
        self._registry = registry
        self._sign_in = sign_in
        self._authoriser = services.authoriser
        self._clock = services.clock
        self._account = services.settings.registry.account
        self._own_password = own_password
        self._seen: dict[str, tuple[datetime, Principal]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets in whoever may."""
        if scope["type"] != ScopeType.HTTP:
            return
        try:
            principal = await self._admitted(scope)
        except Refused as refused:
            await self._record(scope, refused)
            await _send(send, refused)
            return
        scope["state"] = {**scope.get("state", {}), "principal": principal}
        await self._registry(scope, receive, send)

    async def _admitted(self, scope: HTTPScope) -> Principal:
        """Raises Refused: 401 for nobody, 403 for somebody who may not, 429 after too many wrong passwords."""
        principal = await self._principal(scope)
        if principal is None:
            raise Refused(_NOT_SIGNED_IN, status=_UNAUTHORIZED)
        method = scope["method"]
        need = Need(right=Right.READ if method in _READING else Right.WRITE, account=self._account)
        problem = await self._authoriser.refusal(principal, need)
        if problem is not None:
            scope["state"] = {**scope.get("state", {}), "principal": principal}
            raise Refused(problem, status=_DENIED)
        return principal

    async def _record(self, scope: HTTPScope, refused: Refused) -> None:
        is_question = refused.status == _UNAUTHORIZED and scope["path"].rstrip("/") == _QUESTION
        if refused.is_recorded or is_question:
            return
        principal = scope.get("state", {}).get("principal", ANONYMOUS)
        subject = f"registry:{scope['method']} {scope['path']}"[:_LONGEST_SUBJECT]
        address, status = _address_of(scope), refused.status
        await self._sign_in.refused(principal, refused.problems[0], subject=subject, address=address, status=status)

    async def _principal(self, scope: HTTPScope) -> Principal | None:
        given = next((value for key, value in scope["headers"] if key.lower() == b"authorization"), b"").decode(
            "latin-1"
        )
        if not given:
            return None
        key, now = hashlib.sha256(given.encode()).hexdigest(), self._clock.now()
        until, seen = self._seen.get(key, (now, None))
        if seen is not None and until > now:
            return seen
        found = await self._found(given, address=_address_of(scope))
        if found is not None:
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen.clear()
            self._seen[key] = (now + REMEMBERED, found)
        return found

    async def _found(self, given: str, *, address: str) -> Principal | None:
        kind, _, rest = given.partition(" ")
        if kind.lower() == "bearer":
            return await self._sign_in.by_token(rest.strip(), address=address)
        name, password = name_and_password(rest) if kind.lower() == "basic" else ("", "")
        if hmac.compare_digest(password.encode(), self._own_password.encode()):
            return SYSTEM
        if password.startswith(PREFIX):
            return await self._sign_in.by_token(password, address=address)
        return await self._sign_in.by_password(name, password, address=address, via=VIA) if name else None


def _address_of(scope: HTTPScope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


async def _send(send: Send, refused: Refused) -> None:
    codes = {_UNAUTHORIZED: "UNAUTHORIZED", _DENIED: "DENIED", _TOO_MANY: "TOOMANYREQUESTS"}
    code = codes.get(refused.status, "UNKNOWN")
    errors = [{"code": code, "message": str(problem), "detail": None} for problem in refused.problems]
    body = encode({"errors": errors})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers.append((b"docker-distribution-api-version", b"registry/2.0"))
    if refused.status == _UNAUTHORIZED:
        headers.append((b"www-authenticate", _CHALLENGE.encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
