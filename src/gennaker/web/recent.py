"""Recent: answers of others that were asked for a moment ago, so that many who look don't ask as many times."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

import msgspec

from gennaker.interfaces.clock import Clock
from gennaker.model.problems import Problem

Value = TypeVar("Value")
_MOST: Final = 100
"""Answers; the one asked for longest ago goes first."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody outside has said, for whoever asks next."""

    body: bytes = b""
    """JSON."""
    is_cut: bool = False
    """There is more."""
    problems: tuple[Problem, ...] = ()
    """It couldn't be had."""
    status: int = 200


class Recent(Generic[Value]):
    """Used on the loop only."""

    def __init__(self, clock: Clock) -> None:
        """Nothing was asked yet."""
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[datetime, Value]] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Future[Value]] = {}

    async def of(self, key: Hashable, ask: Callable[[], Awaitable[tuple[Value, timedelta]]]) -> Value:
        """What was answered a moment ago, or is answered now; with it comes how long that is a moment.

        Whoever comes while it is being asked gets that answer, too. One that is to last no time isn't kept for later ones.
        """
        while True:
            kept = self._kept.get(key)
            if kept is not None and self._clock.now() < kept[0]:
                return kept[1]
            asked = self._asking.get(key)
            if asked is None:
                return await self._asked(key, ask)
            await asyncio.wait((asked,))  # a moment: whoever asks has a limit, and is ended with its request
            if not asked.cancelled():
                return asked.result()

    async def _asked(self, key: Hashable, ask: Callable[[], Awaitable[tuple[Value, timedelta]]]) -> Value:
        answer: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._asking[key] = answer
        try:
            found, lasts = await ask()
            if lasts:
                self._kept[key] = self._clock.now() + lasts, found
                self._kept.move_to_end(key)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
            answer.set_result(found)
            return found
        finally:
            del self._asking[key]
            answer.cancel()  # unless there is one: then somebody of those who wait asks
