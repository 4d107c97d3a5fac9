"""The demo's visitors: they come, leave, and come again without touching the log of their first visit."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests import waiting

from gennaker.demo import reckoning
from gennaker.demo.visitors import Visitors

pytestmark = pytest.mark.slow

COMES_WITHIN_SECONDS = 600


class Shop(ThreadingHTTPServer):
    """Answers everything and knows whether somebody has come."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.is_visited = threading.Event()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Shop)
        self.server.is_visited.set()
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Stays quiet."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        waiting.joined(thread)


@pytest.fixture
def visitors() -> Iterator[Visitors]:
    made = Visitors(rate=50.0)
    yield made
    made.leave()


def test_visitors_come_leave_and_come_again(shop: Shop, visitors: Visitors, tmp_path: Path) -> None:
    logs = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    for log in logs:
        shop.is_visited.clear()
        visitors.come(shop.address, log)
        assert shop.is_visited.wait(COMES_WITHIN_SECONDS)
        visitors.leave()

    for log in logs:
        assert reckoning.load_log(log).requests > 0


def test_nobody_can_leave_who_has_not_come(visitors: Visitors, tmp_path: Path) -> None:
    visitors.leave()

    assert not list(tmp_path.iterdir())
