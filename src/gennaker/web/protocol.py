"""Protocol: HTTP/1.1 of one connection: uvicorn's over httptools, whose parser would keep a head without an end for ever."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 65_536
"""Of request line and headers beyond what the first read has brought (asyncio reads 256 KB at most)."""


class BoundedHeads(HttpToolsProtocol):
    """Answers a head that goes on and on with 400, and hangs up."""

    _is_in_head = False
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Whatever has come; what begins within a head counts as a part of it."""
        was_in_head = self._is_in_head
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
        super().on_headers_complete()
