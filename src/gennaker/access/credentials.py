"""Credentials: API tokens and sessions. Of both only the SHA-256 is kept: 256 random bits need no slow hash."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.documents import Documents
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.permissions import Right

PREFIX = "spk_"
"""As Gate's tokens begin: clients and scanners for secrets know it."""
_REMEMBERED = timedelta(seconds=5)
_MOST_REMEMBERED = 10_000


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An API token, without what it is."""

    id: str
    name: str
    """What it is for, in the words of who made it."""
    holder: str
    """The person or service account that it stands for."""
    is_service_account: bool = False
    scopes: tuple[Right, ...] | None = None
    """None: all that the holder may do."""
    made_by: str
    made_at: datetime
    until: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a person who has signed in by a browser, or by a client that keeps cookies."""

    person: str
    since: datetime
    until: datetime


class Credentials:
    """Tokens and sessions, as documents that all servers of a store share.

    A session is looked up in the store at most every five seconds: so long may another server take one that has been ended.
    """

    def __init__(self, documents: Callable[[str], Documents], *, clock: Clock, new_secret: Callable[[], str]) -> None:
        """`documents` by namespace; `new_secret`: 256 random bits as text."""
        self._tokens = documents("access.tokens")
        self._sessions = documents("access.sessions")
        self._clock = clock
        self._new_secret = new_secret
        self._seen: dict[str, tuple[datetime, Session | None]] = {}

    async def new_token(self, token: Token, *, audit: Sequence[AuditEntry]) -> str:
        """Keeps it and returns the secret, which is shown once. `token.id` is replaced."""
        secret = PREFIX + self._new_secret()
        await self._tokens.put(_digest(secret), _body(msgspec.structs.replace(token, id=id_of(secret))), audit=audit)
        return secret

    async def token(self, secret: str) -> Token | None:
        """Unless it is unknown or too old."""
        found = await self._tokens.get(_digest(secret)) if secret.startswith(PREFIX) else None
        token = None if found is None else msgspec.convert(found.body, Token)
        return token if token is not None and token.until > self._clock.now() else None

    async def tokens(self) -> tuple[Token, ...]:
        """All that aren't too old."""
        now = self._clock.now()
        found = [msgspec.convert(one.body, Token) for one in await self._tokens.list()]
        return tuple(one for one in found if one.until > now)

    async def revoke(self, token_id: str, *, audit: Sequence[AuditEntry]) -> Token | None:
        """Ends a token at once; None: there is none."""
        for one in await self._tokens.list(token_id):
            token = msgspec.convert(one.body, Token)
            if token.id == token_id:
                await self._tokens.delete(one.key, audit=audit)
                return token
        return None

    async def open_session(self, person: str, *, lives: timedelta, audit: Sequence[AuditEntry]) -> str:
        """The session's secret; sessions that are over are swept away."""
        now = self._clock.now()
        secret = self._new_secret()
        session = Session(person=person, since=now, until=now + lives)
        await self._sessions.put(_digest(secret), _body(session), audit=audit)
        for one in await self._sessions.list():
            if msgspec.convert(one.body, Session).until <= now:
                await self._sessions.delete(one.key)
        return secret

    async def session(self, secret: str) -> Session | None:
        """Unless it is unknown or over."""
        now = self._clock.now()
        key = _digest(secret)
        seen_until, session = self._seen.get(key, (now, None))
        if seen_until <= now:
            found = await self._sessions.get(key)
            session = None if found is None else msgspec.convert(found.body, Session)
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen.clear()
            self._seen[key] = (now + _REMEMBERED, session)
        return session if session is not None and session.until > now else None

    async def close_session(self, secret: str, *, audit: Sequence[AuditEntry]) -> None:
        """At once on this server."""
        self._seen.pop(_digest(secret), None)
        await self._sessions.delete(_digest(secret), audit=audit)

    async def close_sessions_of(self, person: str) -> None:
        """All of them: the password was changed, or the person disabled."""
        self._seen.clear()
        for one in await self._sessions.list():
            if msgspec.convert(one.body, Session).person.lower() == person.lower():
                await self._sessions.delete(one.key)


def id_of(secret: str) -> str:
    """The id of the token that this is the secret of."""
    return _digest(secret)[:16]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _body(record: Token | Session) -> JsonObject:
    body = to_json(record)
    assert isinstance(body, dict)
    return body
