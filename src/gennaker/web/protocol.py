"""Protocol: HTTP/1.1 of one connection: uvicorn's over httptools, with bounds to what comes before anybody looks at it.

The parser would keep a head without an end for ever, and uvicorn waits as long for a client that has connected and says nothing.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES: Final = 65_536
"""Of request line and headers beyond what the first read has brought (asyncio reads 256 KB at most)."""
HEAD_SECONDS: Final = 60.0
"""From the connection, or a request's first byte, to the end of its head."""


class BoundedHeads(HttpToolsProtocol):
    """Answers a head that goes on and on with 400, and hangs up on who doesn't come to its end."""

    _is_in_head = False
    _head_bytes = 0
    _until_head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """From here on a request is waited for."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Whatever has come; what begins within a head counts as a part of it."""
        was_in_head = self._is_in_head
        cycle: RequestResponseCycle | None = self.cycle  # None: there was no request yet
        if self._until_head is None and (cycle is None or cycle.response_complete):
            self._await_head()
        super().data_received(data)
        if not (was_in_head and self._is_in_head):
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES:
            self.send_400_response("Request line and headers are too long.")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head has ended."""
        self._is_in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._until_head = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._until_head is not None:
            self._until_head.cancel()
            self._until_head = None

    def _hang_up(self) -> None:
        self._until_head = None
        if not self.transport.is_closing():
            self.transport.close()
