"""Access tokens of a sign-in provider as credentials: what it says of one is believed for a minute."""

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.identity_providers import ForeignPerson

_BELIEVED = timedelta(minutes=1)
"""So long may somebody come whose token was revoked at the provider."""
_REFUSED = timedelta(minutes=10)
"""What isn't a token now won't become one: programs that repeat it don't keep the provider busy."""
_MOST_KEPT = 10_000
_LONGEST = 10_000


class AccessTokens:
    """Asks about a token, and remembers the answer by the token's SHA-256."""

    def __init__(self, ask: Callable[[str], Awaitable[ForeignPerson | None]], clock: Clock) -> None:
        """`ask` the provider; None: it isn't one that counts here."""
        self._ask = ask
        self._clock = clock
        self._seen: OrderedDict[str, tuple[datetime, ForeignPerson | None]] = OrderedDict()

    async def holder(self, token: str) -> ForeignPerson | None:
        """Whose it is; None: nobody's. Raises Refused where the provider doesn't answer, or doesn't let its holder in."""
        if not token or not token.isascii() or not token.isprintable() or len(token) > _LONGEST:
            return None
        key, now = hashlib.sha256(token.encode()).hexdigest(), self._clock.now()
        until, found = self._seen.get(key, (now, None))
        if until <= now:
            found = await self._ask(token)
            self._seen[key] = (now + (_REFUSED if found is None else _BELIEVED), found)
            self._seen.move_to_end(key)
            while len(self._seen) > _MOST_KEPT:
                self._seen.popitem(last=False)
        return found
