"""A server of the native API that answers from a table and keeps what it was asked: for tests of its clients."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests import waiting


class ApiServer:
    """Answers by method and path; a list of answers is given one after another, the last for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, Any]]] = {}
        self.asked: list[tuple[str, Any]] = []
        self.tokens: set[str | None] = set()
        self.address = ""

    def will(self, route: str, *answers: Any, status: int = 200) -> None:
        self.answers[route] = [(status, answer) for answer in answers]

    def answer(self, route: str) -> tuple[int, Any]:
        found = self.answers.get(route)
        if not found:
            return 404, {"title": "no", "problems": [{"code": "http.404", "message": f"No {route}."}]}
        return found.pop(0) if len(found) > 1 else found[0]


@contextmanager
def running(data: Path) -> Iterator[ApiServer]:
    """A server that is announced in the data folder."""
    api = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def do_PUT(self) -> None:
            self._answer("PUT")

        def do_DELETE(self) -> None:
            self._answer("DELETE")

        def _answer(self, method: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            route = f"{method} {self.path}"
            api.asked.append((route, body))
            api.tokens.add(self.headers.get("Authorization"))
            status, answer = api.answer(route)
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            if status == 302:
                self.send_header("Location", "https://sign-in.example.com/")
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Stays quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    api.address = f"http://127.0.0.1:{server.server_port}"
    data.mkdir(parents=True, exist_ok=True)
    (data / "token").write_text("the-token\n")
    # At once, as a server does: who waits for it must not find half of it.
    written = data / "server.json.new"
    written.write_text(json.dumps({"pid": os.getpid(), "api": api.address, "registry": "x"}))
    written.rename(data / "server.json")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        waiting.joined(thread)
        server.server_close()
