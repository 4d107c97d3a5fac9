"""Time of tests: virtual, as users get it too, or the machine's for tests with real processes."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

from tests import waiting

from gennaker.testing.virtual_time import Stuck, VirtualTime

__all__ = ["RealTime", "Stuck", "VirtualTime"]
Returned = TypeVar("Returned")


class RealTime:
    """The machine's time under the same interface, for tests with real processes."""

    def __init__(self, *, rate: float = 1.0) -> None:
        """`rate`: how many seconds pass in a real one, where little happens between two looks at a process."""
        self._began = _real_now()
        self._rate = rate

    def now(self) -> datetime:
        return self._began + (_real_now() - self._began) * self._rate

    async def sleep_until(self, at: datetime) -> None:
        await asyncio.sleep(max(0.0, (at - self.now()).total_seconds() / self._rate))

    def run(self, main: Coroutine[Any, Any, Returned]) -> Returned:
        return asyncio.run(waiting.with_an_end(main))


def _real_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - it is the clock of these tests
