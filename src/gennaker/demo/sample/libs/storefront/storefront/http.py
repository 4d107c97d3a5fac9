"""HTTP/1.1 messages: requests read from bytes, answers written as bytes.

For: services that stand behind a load balancer. Not for: TLS, HTTP/2, requests that don't fit in memory.
Reference: RFC 9110 (what messages mean) and RFC 9112 (how they are written).
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from storefront.websocket import WebSocket

HEAD_LIMIT_BYTES = 16_384
BODY_LIMIT_BYTES = 1_048_576
_HEAD_END = b"\r\n\r\n"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_BAD_VALUE = re.compile(r"[\x00\r\n]")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?\Z")
_LISTS = frozenset({"connection", "transfer-encoding", "upgrade", "x-forwarded-for", "accept", "te", "via"})


class BadRequestError(Exception):
    """A request that can't be read; the connection ends with this status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(slots=True)
class Request:
    """One request with its whole body."""

    method: str
    path: str
    query: str
    version: str
    """`1.0` or `1.1`."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""

    @property
    def is_keep_alive(self) -> bool:
        """Whether the client will use the connection again."""
        connection = self.headers.get("connection", "").lower()
        return "keep-alive" in connection if self.version == "1.0" else "close" not in connection

    def parameters(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        """The body as a form. Raises BadRequestError if it isn't text."""
        try:
            return dict(parse_qsl(self.body.decode("utf-8"), keep_blank_values=True))
        except UnicodeDecodeError as error:
            raise BadRequestError(400, "The form isn't UTF-8.") from error


@dataclass(slots=True)
class Response:
    """An answer that is known as a whole."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Stream:
    """An answer that is sent piece by piece."""

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Upgrade:
    """The connection becomes a WebSocket, which `talk` uses until it returns."""

    talk: Callable[["WebSocket"], Awaitable[None]]
    status: int = field(default=101, init=False)


Answer = Response | Stream | Upgrade
Handler = Callable[[Request], Answer]


class RequestReader:
    """Turns the bytes of a connection into requests, in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: Request | None = None
        self._chunks: list[bytes] | None = None
        self._chunk_bytes = 0
        self._is_in_trailer = False

    def feed(self, data: bytes) -> None:
        """Takes what has arrived. Raises BadRequestError if more is waiting than a request may hold."""
        self._buffer += data
        if len(self._buffer) > HEAD_LIMIT_BYTES + BODY_LIMIT_BYTES:
            raise BadRequestError(413, "More was sent than this server keeps.")

    @property
    def is_between_requests(self) -> bool:
        """Nothing of a next request has arrived."""
        return self._head is None and not self._buffer

    def takes_continue(self) -> bool:
        """Whether the client sends the body only after it is told to go on; says so once."""
        return self._head is not None and self._head.headers.pop("expect", "").lower() == "100-continue"

    def rest(self) -> bytes:
        """What has arrived after the last request; the reader is empty afterwards."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def next(self) -> Request | None:
        """The next request that is there as a whole. Raises BadRequestError."""
        if self._head is None:
            self._head = self._next_head()
            if self._head is None:
                return None
        request = self._head
        body = self._body(request.headers)
        if body is None:
            return None
        request.body = body
        self._head = None
        return request

    def _next_head(self) -> Request | None:
        while self._buffer.startswith(b"\r\n"):  # RFC 9112, 2.2: empty lines before a request are ignored.
            del self._buffer[:2]
        end = self._buffer.find(_HEAD_END)
        if end > HEAD_LIMIT_BYTES or (end < 0 and len(self._buffer) > HEAD_LIMIT_BYTES):
            raise BadRequestError(431, "The request's head is too long.")
        if end < 0:
            return None
        text = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + len(_HEAD_END)]
        return _head(text)

    def _body(self, headers: dict[str, str]) -> bytes | None:
        if "transfer-encoding" in headers:
            return self._chunked()
        length = int(headers.get("content-length", "0"))
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        return body

    def _chunked(self) -> bytes | None:
        """RFC 9112, 7.1; extensions and trailers are read and dropped."""
        if self._chunks is None:
            self._chunks, self._chunk_bytes, self._is_in_trailer = [], 0, False
        while not self._is_in_trailer:
            chunk = self._chunk()
            if chunk is None:
                return None
            self._is_in_trailer = not chunk
            self._chunks.append(chunk)
            self._chunk_bytes += len(chunk)
            if self._chunk_bytes > BODY_LIMIT_BYTES:
                raise BadRequestError(413, "The request's body is too large.")
        while True:
            line = self._line()
            if line is None:
                return None
            if not line:
                break
        body = b"".join(self._chunks)
        self._chunks = None
        return body

    def _chunk(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT_BYTES:
                raise BadRequestError(400, "A chunk's size has no end.")
            return None
        found = _CHUNK_SIZE.match(bytes(self._buffer[:end]))
        if found is None:
            raise BadRequestError(400, "A chunk's size isn't a number.")
        size = int(found[1], 16)
        if size > BODY_LIMIT_BYTES:
            raise BadRequestError(413, "The request's body is too large.")
        if size == 0:
            del self._buffer[: end + 2]
            return b""
        start, stop = end + 2, end + 2 + size
        if len(self._buffer) < stop + 2:
            return None
        if self._buffer[stop : stop + 2] != b"\r\n":
            raise BadRequestError(400, "A chunk is longer than its size.")
        chunk = bytes(self._buffer[start:stop])
        del self._buffer[: stop + 2]
        return chunk

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > HEAD_LIMIT_BYTES or (end < 0 and len(self._buffer) > HEAD_LIMIT_BYTES):
            raise BadRequestError(431, "The request's trailer is too long.")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _head(text: str) -> Request:
    lines = text.split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not _TOKEN.match(parts[0]) or not parts[1]:
        raise BadRequestError(400, "The request's first line isn't HTTP.")
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequestError(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    headers = _headers(lines[1:])
    _check_framing(headers, version)
    if target.startswith(("http://", "https://")):  # RFC 9112, 3.2.2: the absolute form must be understood.
        target = "/" + target.split("/", 3)[3] if target.count("/") >= 3 else "/"
    path, _, query = target.partition("?")
    if "%" in path:
        path = unquote(path)
    return Request(method=method, path=path, query=query, version=version[5:], headers=headers)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        # A space before the colon or a folded line would be read differently by others (RFC 9112, 5.1 and 5.2).
        if not colon or not _TOKEN.match(name) or _BAD_VALUE.search(value):
            raise BadRequestError(400, "A header line isn't a name, a colon and a value.")
        key = name.lower()
        value = value.strip(" \t")
        if key not in headers:
            headers[key] = value
        elif key in _LISTS:
            headers[key] = f"{headers[key]}, {value}"
        elif key in ("content-length", "host") or headers[key] != value:
            raise BadRequestError(400, f"The header {name} stands there twice.")
    return headers


def _check_framing(headers: dict[str, str], version: str) -> None:
    """Refuses what two readers could understand in two ways (RFC 9112, 6.3)."""
    if "host" not in headers and version == "HTTP/1.1":
        raise BadRequestError(400, "The header Host is missing.")
    length = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if length is not None and coding is not None:
        raise BadRequestError(400, "A body has either Content-Length or Transfer-Encoding.")
    if coding is not None and (coding.lower() != "chunked" or version == "HTTP/1.0"):
        raise BadRequestError(501, "The only transfer coding understood is chunked.")
    if length is not None and not (length.isascii() and length.isdigit()):
        raise BadRequestError(400, "Content-Length isn't a number.")
    if length is not None and (len(length) > 10 or int(length) > BODY_LIMIT_BYTES):
        raise BadRequestError(413, "The request's body is too large.")


class ResponseWriter:
    """Writes answers' heads; what all of them have in common is made once."""

    def __init__(self, headers: tuple[tuple[str, str], ...]) -> None:
        self._common = "".join(f"{name}: {_value(value)}\r\n" for name, value in headers)
        self._starts: dict[tuple[int, str], str] = {}
        self._date = ""
        self._date_second = -1

    def head(self, answer: Answer, framing: str, *, now: float, is_last: bool) -> bytes:
        """The bytes before the body. `framing`: the lines that say where the body ends; `now`: seconds since 1970."""
        is_upgrade = isinstance(answer, Upgrade)
        content_type = "" if is_upgrade else answer.content_type
        start = self._starts.get((answer.status, content_type)) or self._start(answer.status, content_type)
        if int(now) != self._date_second:
            self._date_second = int(now)
            self._date = f"Date: {formatdate(now, usegmt=True)}\r\n"
        extra = "" if is_upgrade else "".join(f"{name}: {_value(value)}\r\n" for name, value in answer.headers)
        last = "Connection: close\r\n" if is_last else ""
        return f"{start}{self._date}{framing}{extra}{last}\r\n".encode("latin-1")

    def _start(self, status: int, content_type: str) -> str:
        phrase = HTTPStatus(status).phrase
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        start = self._starts[status, content_type] = f"HTTP/1.1 {status} {phrase}\r\n{self._common}{kind}"
        return start


def _value(value: str) -> str:
    """A header's value that can't begin another header."""
    return _BAD_VALUE.sub(" ", value).encode("latin-1", "replace").decode("latin-1")
