"""Limits on what one caller may take of a server: requests in a minute, and the time that a body may take to arrive."""

import asyncio
import math
from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send, WebSocketReceiveMessage

from gennaker.interfaces.clock import Clock
from gennaker.model.problems import Problem, Refused

BODY_SECONDS = 60.0
"""For a whole body: its size is bounded, too, so only a caller that stalls needs longer."""
_MINUTE = timedelta(minutes=1)
_MOST_KEPT = 10_000


class _Bucket(msgspec.Struct, frozen=True):
    left: float
    at: datetime


class Rates:
    """Counts requests by caller; each has a bucket of a minute's requests that is filled steadily."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        """`per_minute` 0: any number."""
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def count(self, caller: str) -> None:
        """One more request. Raises Refused (429) where it is one too many."""
        if not self._per_minute:
            return
        now = self._clock.now()
        before = self._buckets.get(caller, _Bucket(self._per_minute, now))
        left = min(self._per_minute, before.left + (now - before.at) / _MINUTE * self._per_minute)
        if left < 1:
            raise Refused(_too_many(self._per_minute, wait=(1 - left) * 60 / self._per_minute), status=429)
        self._buckets[caller] = _Bucket(left - 1, now)
        self._buckets.move_to_end(caller)
        while len(self._buckets) > _MOST_KEPT:
            self._buckets.popitem(last=False)


class TimelyBodies:
    """Middleware: a body that doesn't arrive in time is answered with 408, whoever wants to read it."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps an application that answers Refused."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Limits the time until the body's end; waiting for the client to leave takes as long as it takes."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        has_more, until = True, asyncio.get_running_loop().time() + BODY_SECONDS

        async def timely() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            nonlocal has_more
            if not has_more:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise Refused(_TOO_SLOW, status=408) from error
            has_more = message["type"] == "http.request" and message.get("more_body", False)
            return message

        await self._app(scope, timely, send)


def _too_many(per_minute: int, *, wait: float) -> Problem:
    return Problem(
        code="request.too_many",
        message=f"More than {per_minute} requests in a minute.",
        remedy=f"Go on in {math.ceil(wait)} seconds, or have server.requests-per-minute raised.",
    )


_TOO_SLOW = Problem(
    code="request.too_slow",
    message=f"The body hasn't arrived in {BODY_SECONDS:.0f} seconds.",
    remedy="Send it faster, or a smaller one.",
)
