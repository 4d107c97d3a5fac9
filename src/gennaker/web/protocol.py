"""Protocol: HTTP/1.1 of one connection: uvicorn's over httptools, with bounds to what comes before anybody looks at it.

The parser would keep a head without an end for ever, and uvicorn waits as long for a client that has connected and says nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES: Final = 65_536
"""Of request line and headers beyond what the first read has brought (asyncio reads 256 KB at most)."""
HEAD_SECONDS: Final = 60.0
"""From the connection, or a request's first byte, to the end of its head."""


TellUnread = Callable[[str, str, str], None]
"""Is told a refusal of what nobody could read as a request: code, why, and the address that it came from."""


def untold(code: str, why: str, address: str) -> None:
    """Where nobody wants to know."""


class BoundedHeads(HttpToolsProtocol):
    """Answers a head that goes on and on with 400, and hangs up on who doesn't come to its end, or is one too many.

    Each connection is an open file: who opens them without end would leave none for what the server is there for, and Python logs each
    that it can't take, a thousand a second.
    """

    _is_in_head = False
    _head_bytes = 0
    _until_head: asyncio.TimerHandle | None = None

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - uvicorn's
        refused: TellUnread = untold,
        most_connections: int | None = None,
        **named: Any,  # noqa: ANN401 - uvicorn's
    ) -> None:
        """As uvicorn makes it; `refused` is told what is answered here. No number: as many as come."""
        super().__init__(*arguments, **named)
        self._refused = refused
        self._most_connections = most_connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """From here on a request is waited for."""
        super().connection_made(transport)
        if self._most_connections is not None and len(self.connections) > self._most_connections:
            self._tell("connections.too_many", f"{self._most_connections} connections are open already.")
            transport.abort()
            return
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

    def send_400_response(self, msg: str) -> None:
        """Whatever can't be read as a request."""
        self._tell("request.unreadable", msg)
        super().send_400_response(msg)

    def _tell(self, code: str, why: str) -> None:
        if not self.transport.is_closing():
            self._refused(code, why, self.client[0] if self.client else "")

    def _await_head(self) -> None:
        self._until_head = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._until_head is not None:
            self._until_head.cancel()
            self._until_head = None

    def _hang_up(self) -> None:
        self._until_head = None
        if self._is_in_head:
            self._tell("request.head_too_slow", f"The head hasn't arrived in {HEAD_SECONDS:.0f} seconds.")
        if not self.transport.is_closing():
            self.transport.close()
