"""Live updates inside the process: what changed, for pages and terminals that follow."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from gennaker.interfaces.executions import Following, Update

_KEPT_PER_FOLLOWER = 1000


class LocalUpdates:
    """Hands each update to every follower, who keeps so many until he takes them."""

    def __init__(self) -> None:
        """Nobody follows yet."""
        self._followers: set[_Follower] = set()

    def publish(self, update: Update) -> None:
        """Never waits."""
        for follower in self._followers:
            follower.tell(update)

    async def follow(self) -> AsyncIterator[Update]:
        """Updates from the first `__anext__` on."""
        with self.following() as following:
            while True:
                for update in await following.some():
                    yield update

    @contextmanager
    def following(self) -> Iterator[Following]:
        """Until its end, which forgets what wasn't taken."""
        follower = _Follower()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)


class _Follower:
    """Loses the oldest where it doesn't keep up."""

    def __init__(self) -> None:
        self._waiting: deque[Update] = deque(maxlen=_KEPT_PER_FOLLOWER)
        self._has_some = asyncio.Event()
        self._is_over = False

    def tell(self, update: Update) -> None:
        self._waiting.append(update)
        self._has_some.set()

    async def some(self) -> Sequence[Update]:
        await self._has_some.wait()
        found = tuple(self._waiting)
        self._waiting.clear()
        if not self._is_over:
            self._has_some.clear()
        return found

    def end(self) -> None:
        self._is_over = True
        self._has_some.set()
