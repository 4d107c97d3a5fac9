"""The system's clock and its source of identifiers: the only place that reads either."""

import asyncio
import secrets
import time
import uuid
from datetime import UTC, datetime, timedelta

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LONGEST_SLEEP_SECONDS = 60.0
"""Sleeps are cut into pieces, so that a clock that was set (or a suspended machine) is noticed within a minute."""
_PUT_BACK = timedelta(seconds=10)
"""More than a clock drifts or is slewed by in a minute."""

_POOL_BYTES = 500


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, at: datetime) -> None:
        """Returns when the wall clock has reached the instant, or within a minute of its being put back."""
        while (left := (at - (began := self.now())).total_seconds()) > 0:
            ticks = time.monotonic()
            await asyncio.sleep(min(left, _LONGEST_SLEEP_SECONDS))
            if self.now() < began + timedelta(seconds=time.monotonic() - ticks) - _PUT_BACK:
                return


class SystemIds:
    """Random identifiers."""

    def __init__(self) -> None:
        """Asks the system for randomness in larger pieces: each asking costs a turn of Python's lock."""
        self._pool = b""

    def _random(self, count: int) -> bytes:
        if len(self._pool) < count:
            self._pool = secrets.token_bytes(_POOL_BYTES)
        found, self._pool = self._pool[:count], self._pool[count:]
        return found

    def ulid(self) -> str:
        """48 bits of milliseconds and 80 random bits in Crockford's base 32."""
        milliseconds = int(datetime.now(UTC).timestamp() * 1000)
        number = (milliseconds << 80) | int.from_bytes(self._random(10), "big")
        return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))

    def uuid(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())

    def token(self) -> str:
        """256 random bits."""
        return secrets.token_urlsafe(32)
