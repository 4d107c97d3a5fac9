"""Passwords: kept as argon2id hashes, checked in threads, few at a time.

A check is made slow on purpose (some 50 ms and 64 MB): so only so many run at once, and a password that was right is
remembered for a minute as a keyed digest, because clients with basic authentication send it with every request.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

from gennaker.interfaces.clock import Clock
from gennaker.model.problems import Problem, Refused

SHORTEST, LONGEST = 10, 1000
_AT_ONCE = 2
_REMEMBERED = timedelta(minutes=1)
_MOST_REMEMBERED = 1000
_NOBODYS = "Nobody has this password."
"""Hashed, so that a name that doesn't exist takes as long as one that does."""


class Passwords:
    """Makes and checks hashes."""

    def __init__(self, *, clock: Clock, key: bytes, hasher: PasswordHasher | None = None) -> None:
        """`key`: random, of this process; `hasher`: None means RFC 9106's second recommended option."""
        self._clock = clock
        self._key = key
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._right: OrderedDict[bytes, datetime] = OrderedDict()
        self._nobodys = ""

    async def hashed(self, password: str) -> str:
        """What is kept. Raises Refused where the password is too short to be one."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise Refused(
                Problem(
                    code="password.length",
                    message=f"A password has {SHORTEST} to {LONGEST} characters.",
                    remedy="Choose several words, or have one made.",
                    pointer="/password",
                )
            )
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, kept: str | None, password: str) -> bool:
        """Whether it is the password of the hash; None: there is none, and it takes as long to say so."""
        if len(password) > LONGEST:
            return False
        digest = hmac.digest(self._key, f"{kept}\0{password}".encode(), hashlib.sha256)
        if kept is not None and self._right.get(digest, self._clock.now()) > self._clock.now():
            return True
        async with self._turns:
            if kept is None and not self._nobodys:
                self._nobodys = await asyncio.to_thread(self._hasher.hash, _NOBODYS)
            is_right = await asyncio.to_thread(self._verified, kept or self._nobodys, password)
        if kept is None or not is_right:
            return False
        self._remember(digest)
        return True

    def _verified(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False

    def _remember(self, digest: bytes) -> None:
        self._right[digest] = self._clock.now() + _REMEMBERED
        self._right.move_to_end(digest)
        while len(self._right) > _MOST_REMEMBERED:
            self._right.popitem(last=False)
