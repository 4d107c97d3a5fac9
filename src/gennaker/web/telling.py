"""Telling: what has changed, as server-sent events; each is encoded once, however many pages are open."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Final

from litestar.response import Stream

from gennaker.web import visible
from gennaker.web.ports import WebPorts
from gennaker.web.staying import Staying

MEDIA_TYPE: Final = "text/event-stream"
_HEARTBEAT_SECONDS = 15.0
_HELLO: Final = b"event: hello\r\ndata: {}\r\n\r\n"
_STILL_HERE: Final = b": still here\r\n\r\n"
_HEADERS: Final = {"cache-control": "no-cache", "connection": "keep-alive", "x-accel-buffering": "no"}


def stream(ports: WebPorts, reader: Staying) -> Stream:
    """Whatever changes of what may be read, as it changes, until the server ends, or the reader may no longer read."""
    return Stream(_updates(ports, reader), media_type=MEDIA_TYPE, headers=_HEADERS)


async def _updates(ports: WebPorts, reader: Staying) -> AsyncIterator[bytes]:
    numbers = itertools.count(1)
    with ports.services.updates.following() as following:
        ending = asyncio.ensure_future(ports.ending.wait())
        ending.add_done_callback(lambda _: following.end())
        try:
            yield _HELLO  # it follows already: who fetches the state after the greeting misses nothing
            while True:
                try:
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        found = await following.some()
                except TimeoutError:
                    found = ()
                principal = await reader.principal()
                if ports.ending.is_set() or principal is None:
                    return
                if not found:
                    yield _STILL_HERE
                    continue
                told = await visible.of(ports, principal, found, lambda one: one.application)
                if told:
                    yield b"".join(b"id: %d\r\n%b" % (next(numbers), ports.encoded.of(one)) for one in told)
        finally:
            ending.cancel()
