"""A real HTTP server on loopback that answers as a test says and keeps what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from tests import waiting


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    method: str
    path: str
    """With the query."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer; a body that is no bytes is sent as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}
    is_dropped: bool = False
    """The connection is closed without an answer."""


Respond = Callable[[Asked], Answer]


class Target:
    """The running server."""

    def __init__(self, address: str, respond: Respond) -> None:
        self.address = address
        """`host:port`"""
        self.respond = respond
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def handle(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        return self.respond(asked)

    def paths(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]


@contextmanager
def running(respond: Respond) -> Iterator[Target]:
    """A server until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            answer = target.handle(
                Asked(
                    method=self.command,
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(length),
                )
            )
            if answer.is_dropped:
                self.close_connection = True
                return
            raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            raw = b"" if answer.body is None else raw
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer  # noqa: N815 - the base class finds them by name

        def log_message(self, *_: object) -> None:
            """Stays quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    target = Target(f"127.0.0.1:{server.server_port}", respond)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield target
    finally:
        server.shutdown()
        waiting.joined(thread)
        server.server_close()


def scripted(*answers: Answer) -> Respond:
    """Answers one after another, the last for ever."""
    left = list(answers)

    def respond(_asked: Asked) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return respond
