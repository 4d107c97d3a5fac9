"""WebSockets: the handshake, frames, and a connection that a handler can talk over.

The server's side of RFC 6455, without extensions: masked frames in, fragments joined, pings answered, the closing
handshake; text is checked to be UTF-8. Not for: compression, messages that don't fit in memory.
"""

import asyncio
import base64
import binascii
import hashlib
import struct
from collections.abc import Callable

from storefront.http import Request, Response

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MESSAGE_LIMIT_BYTES = 1_048_576
_FRAGMENTS_LIMIT = 1_000
_WAITING_MESSAGES = 64
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10

NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_STATUS = 1000, 1001, 1002, 1005
NOT_UTF8, TOO_BIG, BROKEN, TRY_AGAIN_LATER = 1007, 1009, 1011, 1013


class ProtocolViolationError(Exception):
    """The peer broke the protocol; the connection closes with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def accept_key(key: str) -> str:
    """The answer to a handshake's key (RFC 6455, 4.2.2)."""
    digest = hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def refusal(request: Request) -> Response | None:
    """What is wrong with a handshake, as the answer to it; None: nothing."""
    headers = request.headers
    upgrades = [word.strip().lower() for word in headers.get("upgrade", "").split(",")]
    connection = [word.strip().lower() for word in headers.get("connection", "").split(",")]
    if request.method != "GET" or "websocket" not in upgrades or "upgrade" not in connection:
        return Response(426, b"Speak WebSocket here.\n", headers=(("Upgrade", "websocket"), ("Connection", "Upgrade")))
    if headers.get("sec-websocket-version") != "13":
        return Response(426, b"Only version 13 is spoken here.\n", headers=(("Sec-WebSocket-Version", "13"),))
    try:
        is_key = len(base64.b64decode(headers.get("sec-websocket-key", ""), validate=True)) == 16
    except (binascii.Error, ValueError):
        is_key = False
    return None if is_key else Response(400, b"Sec-WebSocket-Key isn't 16 bytes in base64.\n")


def frame(opcode: int, payload: bytes) -> bytes:
    """One unmasked, final frame: what a server sends."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def unmasked(mask: bytes, payload: bytes) -> bytes:
    """A payload without its mask; masking is the same operation."""
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


class FrameReader:
    """Turns a client's bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Takes what has arrived."""
        self._buffer += data

    def next(self) -> tuple[bool, int, bytes] | None:
        """Whether it is final, opcode, payload; None: not there yet. Raises ProtocolViolationError."""
        if len(self._buffer) < 2:
            return None
        first, second = self._buffer[0], self._buffer[1]
        is_final, opcode, size = bool(first & 0x80), first & 0x0F, second & 0x7F
        _check_frame(first, second, opcode, is_final=is_final, size=size)
        start = 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(self._buffer) < start + width:
                return None
            size = int.from_bytes(self._buffer[start : start + width], "big")
            start += width
        if size > MESSAGE_LIMIT_BYTES:
            raise ProtocolViolationError(TOO_BIG, "the message is too big")
        end = start + 4 + size
        if len(self._buffer) < end:
            return None
        mask, payload = bytes(self._buffer[start : start + 4]), bytes(self._buffer[start + 4 : end])
        del self._buffer[:end]
        return is_final, opcode, unmasked(mask, payload)


def _check_frame(first: int, second: int, opcode: int, *, is_final: bool, size: int) -> None:
    if first & 0x70:
        raise ProtocolViolationError(PROTOCOL_ERROR, "an extension was used that was not agreed on")
    if opcode not in (_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
        raise ProtocolViolationError(PROTOCOL_ERROR, "the opcode is unknown")
    if not second & 0x80:
        raise ProtocolViolationError(PROTOCOL_ERROR, "a client must mask its frames")
    if opcode >= _CLOSE and (not is_final or size > 125):
        raise ProtocolViolationError(PROTOCOL_ERROR, "a control frame is whole and short")


class WebSocket:
    """An open WebSocket. The server feeds it; a handler receives and sends."""

    def __init__(self, write: Callable[[bytes], None], finish: Callable[[], None]) -> None:
        """`write` sends bytes; `finish` ends the connection and may be called more than once."""
        self._write = write
        self._finish = finish
        self._reader = FrameReader()
        self._messages: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._fragments: list[bytes] = []
        self._fragment_bytes = 0
        self._opcode = _CONTINUATION
        self._has_sent_close = False
        self._is_over = False

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return not (self._has_sent_close or self._is_over)

    async def receive(self) -> str | bytes | None:
        """The next message; None: the connection is closing, and stays so."""
        message = await self._messages.get()
        if message is None:
            self._messages.put_nowait(None)
        return message

    def send(self, message: str | bytes) -> None:
        """Sends a message; after the close frame it is dropped, as nobody listens any more."""
        if self.is_open:
            is_text = isinstance(message, str)
            self._write(frame(_TEXT if is_text else _BINARY, message.encode() if is_text else message))

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Begins the closing handshake; the peer's answer ends the connection."""
        if self.is_open:
            self._has_sent_close = True
            self._write(frame(_CLOSE, struct.pack("!H", code) + reason.encode()[:120]))
            self._messages.put_nowait(None)

    def feed(self, data: bytes) -> None:
        """Takes what has arrived from the peer."""
        self._reader.feed(data)
        try:
            while not self._is_over and (found := self._reader.next()) is not None:
                self._take(*found)
        except ProtocolViolationError as error:
            self.close(error.code, error.reason)
            self.lost()
            self._finish()

    def lost(self) -> None:
        """The connection is gone."""
        self._is_over = True
        self._messages.put_nowait(None)

    def _take(self, is_final: bool, opcode: int, payload: bytes) -> None:
        if opcode == _CLOSE:
            self._take_close(payload)
        elif opcode == _PING and self.is_open:
            self._write(frame(_PONG, payload))
        elif opcode < _CLOSE:  # A pong that nobody asked for means nothing (RFC 6455, 5.5.3).
            self._take_fragment(opcode, payload, is_final=is_final)

    def _take_fragment(self, opcode: int, payload: bytes, *, is_final: bool) -> None:
        is_continuation = opcode == _CONTINUATION
        if is_continuation != (self._opcode != _CONTINUATION):
            raise ProtocolViolationError(PROTOCOL_ERROR, "fragments are out of order")
        if not is_continuation:
            self._opcode = opcode
        self._fragments.append(payload)
        self._fragment_bytes += len(payload)
        if self._fragment_bytes > MESSAGE_LIMIT_BYTES or len(self._fragments) > _FRAGMENTS_LIMIT:
            raise ProtocolViolationError(TOO_BIG, "the message is too big")
        if not is_final:
            return
        whole, kind = b"".join(self._fragments), self._opcode
        self._fragments, self._fragment_bytes, self._opcode = [], 0, _CONTINUATION
        if self._messages.qsize() >= _WAITING_MESSAGES:
            raise ProtocolViolationError(TRY_AGAIN_LATER, "messages come faster than they are read")
        if self.is_open:
            self._messages.put_nowait(_text(whole) if kind == _TEXT else whole)

    def _take_close(self, payload: bytes) -> None:
        code = _close_code(payload)
        if not self._has_sent_close:
            self._has_sent_close = True
            self._write(frame(_CLOSE, b"" if code == NO_STATUS else struct.pack("!H", code)))
        self.lost()
        self._finish()


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolViolationError(NOT_UTF8, "the text isn't UTF-8") from error


def _close_code(payload: bytes) -> int:
    """The code to answer with (RFC 6455, 7.4). Raises ProtocolViolationError."""
    if not payload:
        return NO_STATUS
    if len(payload) == 1:
        raise ProtocolViolationError(PROTOCOL_ERROR, "a close code has two bytes")
    code = int.from_bytes(payload[:2], "big")
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise ProtocolViolationError(PROTOCOL_ERROR, "the close code may not be sent")
    _text(payload[2:])
    return code
