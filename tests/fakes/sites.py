"""Sites: the web application over a running core in a thread, behind an HTTP server, for clients that wait for their answers."""

import asyncio
import json
import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from tests import waiting
from tests.fakes.virtual_time import RealTime
from tests.fakes.website import TOKEN, Website
from tests.harness import Harness

from gennaker.interfaces.plugins import Plugin

Returned = TypeVar("Returned")
_LONGEST_SECONDS = 600


class Site:
    """One installation that others reach by HTTP, and tests from within."""

    def __init__(self, harness: Harness, address: str, loop: asyncio.AbstractEventLoop, website: Website) -> None:
        self.harness = harness
        self.address = address
        self.website = website
        self._loop = loop

    def do(self, work: Coroutine[Any, Any, Returned]) -> Returned:
        """Something in the site's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_LONGEST_SECONDS)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """What its API answers; what is refused fails the test."""
        answer = self.do(self.website.call(method, path, json=body, **options))
        assert answer.status < 400, (method, path, answer.status, answer.body)
        return answer.json if answer.body else None


@contextmanager
def running(data: Path, *plugins: Plugin) -> Iterator[Site]:
    """A site whose commands find it by the data folder."""
    harness = Harness(*plugins, time=RealTime())
    started = threading.Event()
    found: list[Any] = []

    async def main() -> None:
        over = asyncio.Event()
        async with harness.process() as core:
            found.extend((asyncio.get_running_loop(), Website(harness, core), over))
            started.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    assert started.wait(_LONGEST_SECONDS)
    loop, website, over = found
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(loop, website))
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    address = f"http://127.0.0.1:{server.server_port}"
    data.mkdir(parents=True, exist_ok=True)
    (data / "server.json").write_text(json.dumps({"pid": os.getpid(), "api": address, "registry": "x"}))
    (data / "token").write_text(f"{TOKEN}\n")
    try:
        yield Site(harness, address, loop, website)
    finally:
        server.shutdown()
        waiting.joined(serving)
        server.server_close()
        loop.call_soon_threadsafe(over.set)
        waiting.joined(thread)


def _handler(loop: asyncio.AbstractEventLoop, website: Website) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = self.headers.get("Authorization")
            headers = {"authorization": given} if given else {}
            work = website.call(self.command, self.path, token=None, raw=body, headers=headers)
            answer = asyncio.run_coroutine_threadsafe(work, loop).result(_LONGEST_SECONDS)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if "content-length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Stays quiet."""

    return Handler
