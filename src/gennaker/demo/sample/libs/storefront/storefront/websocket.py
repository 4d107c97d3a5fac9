"""WebSockets (RFC 6455), as much as the services need: text, ping, close; no fragments, no extensions."""

import asyncio
import base64
import hashlib

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_MOST_BYTES = 100_000


class Closed(Exception):  # noqa: N818
    """The connection has ended."""


def handshake(key: str, common_headers: str) -> bytes:
    """The answer that makes an HTTP connection a WebSocket."""
    accept = base64.b64encode(hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()).decode()
    return (
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n{common_headers}\r\n"
    ).encode("latin-1")


class Connection:
    """The server's end of a WebSocket."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = b""
        self._texts: asyncio.Queue[str | None] = asyncio.Queue()
        self._is_closing = False

    def send(self, text: str) -> None:
        """One message."""
        if self._is_closing:
            raise Closed
        self._frame(_TEXT, text.encode())

    async def receive(self) -> str:
        """The next message. Raises Closed."""
        text = await self._texts.get()
        if text is None:
            raise Closed
        return text

    def close(self, code: int) -> None:
        """Begins the closing; the other side answers."""
        if not self._is_closing:
            self._is_closing = True
            self._frame(_CLOSE, code.to_bytes(2, "big"))
            self._texts.put_nowait(None)

    def lost(self) -> None:
        """The connection is gone."""
        self._is_closing = True
        self._texts.put_nowait(None)

    def received(self, data: bytes) -> None:
        """Bytes from the client."""
        self._buffer += data
        while (frame := self._next_frame()) is not None:
            self._handle(*frame)

    def _next_frame(self) -> tuple[int, bytes] | None:
        data = self._buffer
        if len(data) < 2:
            return None
        opcode, length, at = data[0] & 0x0F, data[1] & 0x7F, 2
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(data[2:10], "big"), 10
        if length > _MOST_BYTES or not data[1] & 0x80:
            self._transport.close()
            return None
        if len(data) < at + 4 + length:
            return None
        mask = data[at : at + 4]
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data[at + 4 : at + 4 + length]))
        self._buffer = data[at + 4 + length :]
        return opcode, payload

    def _handle(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT:
            self._texts.put_nowait(payload.decode(errors="replace"))
        elif opcode == _PING:
            self._frame(_PONG, payload)
        elif opcode == _CLOSE:
            if not self._is_closing:
                self._frame(_CLOSE, payload[:2])
            self.lost()
            self._transport.close()

    def _frame(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
        if not self._transport.is_closing():
            self._transport.write(bytes([0x80 | opcode]) + size + payload)
