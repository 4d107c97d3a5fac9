"""Live updates inside the process: what changed, for pages and terminals that follow."""

import asyncio
from collections.abc import AsyncIterator

from gennaker.interfaces.executions import Update

_KEPT_PER_FOLLOWER = 1000


class LocalUpdates:
    """Hands each update to every follower's bounded queue; a slow follower loses the oldest."""

    def __init__(self) -> None:
        """Nobody follows yet."""
        self._followers: set[asyncio.Queue[Update]] = set()

    def publish(self, update: Update) -> None:
        """Never waits."""
        for queue in self._followers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(update)

    async def follow(self) -> AsyncIterator[Update]:
        """Updates from the first `__anext__` on."""
        queue: asyncio.Queue[Update] = asyncio.Queue(_KEPT_PER_FOLLOWER)
        self._followers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._followers.discard(queue)
