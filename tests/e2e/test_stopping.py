"""Stopping the real server while pages follow it: it ends at once, and says nothing of what it had to break off."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from gennaker.demo.server import DemoServer
from gennaker.model.codec import JsonObject
from gennaker.transport.client import Client

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_STOPS_WITHIN_SECONDS = 4.0
"""Less than the five that requests under way are given; alone on a machine it takes half a second."""
_ANSWERS_WITHIN_SECONDS = 30.0
_LONG: JsonObject = {
    "application": "followed",
    "name": "long",
    "stages": [{"refId": "1", "type": "wait", "name": "Wait", "waitTime": 600}],
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DemoServer]:
    made = DemoServer(tmp_path / "data", ("server.port=0", "registry.port=0"))
    try:
        yield made
    finally:
        made.stop_everything()


def test_a_server_that_is_followed_stops_at_once_and_quietly(server: DemoServer) -> None:
    with contextlib.closing(server.start()) as client:
        client.post("/api/v1/run", _LONG)
        followers = [Follower(server.data) for _ in range(3)]
        for follower in followers:
            assert follower.hears.wait(_ANSWERS_WITHIN_SECONDS)
        started = time.monotonic()

        client.post("/api/v1/stop")

        assert server.wait_for_end(_ANSWERS_WITHIN_SECONDS) == 0
        took = time.monotonic() - started
    for follower in followers:
        follower.join(_ANSWERS_WITHIN_SECONDS)
    log = (server.data / "server.log").read_text()
    assert took < _STOPS_WITHIN_SECONDS, log
    assert [follower.trouble for follower in followers] == [None, None, None]
    assert "ancel" not in log
    assert "Traceback" not in log


class Follower(threading.Thread):
    """Reads the event stream to its end."""

    def __init__(self, data: Path) -> None:
        super().__init__(daemon=True)
        self.hears = threading.Event()
        self.trouble: Exception | None = None
        self._data = data
        self.start()

    def run(self) -> None:
        try:
            with contextlib.closing(Client(self._data)) as client:
                for _ in client.events():
                    self.hears.set()
        except httpx2.TransportError as error:
            self.trouble = error
