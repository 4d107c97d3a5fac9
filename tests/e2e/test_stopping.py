"""Stopping the real server while pages follow it, or tasks are at work: it ends at once, and says nothing of what it had to break off."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import httpx2
import pytest
from tests import standing_still, waiting

from gennaker import app
from gennaker.demo.server import DemoServer
from gennaker.model.codec import JsonObject
from gennaker.model.event import Failed, TaskReported
from gennaker.model.statuses import Status
from gennaker.settings import Settings
from gennaker.transport import ending
from gennaker.transport.client import Client
from gennaker.transport.client import server as server_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_ANSWERS_WITHIN_SECONDS = waiting.IN_VAIN_SECONDS
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


@contextlib.contextmanager
def stopping(server: DemoServer) -> Iterator[Client]:
    try:
        with contextlib.closing(server.start()) as client:
            yield client
    finally:
        server.stop_everything()


def test_a_server_that_is_followed_stops_at_once_and_quietly(server: DemoServer) -> None:
    with contextlib.closing(server.start()) as client:
        client.post("/api/v1/run", _LONG)
        followers = [Follower(server.data) for _ in range(3)]
        for follower in followers:
            assert follower.hears.wait(_ANSWERS_WITHIN_SECONDS)

        client.post("/api/v1/stop")

        assert server.wait_for_end(_ANSWERS_WITHIN_SECONDS) == 0
    for follower in followers:
        follower.join(_ANSWERS_WITHIN_SECONDS)
    log = (server.data / "server.log").read_text()
    assert [follower.trouble for follower in followers] == [None, None, None]
    assert "ancel" not in log, "requests under way are given five seconds, and are cancelled then"
    assert "Traceback" not in log


_KUBECONFIG = """\
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://%s"}}]
users: [{name: u, user: {token: t}}]
"""
_FINDS: JsonObject = {
    "application": "followed",
    "name": "finds",
    "stages": [
        {
            "refId": "1",
            "type": "findArtifactsFromResource",
            "name": "Find",
            "account": "prod",
            "location": "shop",
            "manifestName": "deployment web",
        }
    ],
}


def test_a_task_at_work_while_the_server_stops_does_not_fail(tmp_path: Path) -> None:
    """A request that is still being answered keeps the server for a moment: meanwhile tasks go on, with all that they need."""
    with SilentCluster() as cluster:
        (tmp_path / "kubeconfig").write_text(_KUBECONFIG % cluster.address)
        flag = f"kubernetes.prod.kubeconfig-file={tmp_path / 'kubeconfig'}"
        server = DemoServer(tmp_path / "data", ("server.port=0", "registry.port=0", flag))
        with stopping(server) as client, contextlib.closing(half_a_request(server.data)) as half:
            execution = str(client.post("/api/v1/run", _FINDS)["executionId"])
            assert cluster.is_asked.wait(_ANSWERS_WITHIN_SECONDS)

            client.post("/api/v1/stop")

            assert not cluster.is_left.wait(0.5)
            half.close()
            assert server.wait_for_end(_ANSWERS_WITHIN_SECONDS) == 0
    found = app.recorded(Settings(), server.data, execution)
    assert found.head.status is Status.RUNNING
    told = [one.event.result for one in found.events if isinstance(one.event, TaskReported)]
    assert not [one for one in told if isinstance(one, Failed)]


@pytest.mark.debian
def test_a_database_that_no_longer_answers_keeps_no_server_from_ending(new_postgres_url: str, tmp_path: Path) -> None:
    """A thread that waits for its answer can't be told to end, and the connection may stay open for hours."""
    database = urlsplit(new_postgres_url)
    with standing_still.way_to(database.port or 0) as way:
        there = database._replace(netloc=f"gennaker@127.0.0.1:{way.port}").geturl()
        server = DemoServer(
            tmp_path / "data", ("server.port=0", "registry.port=0", f"store.url={there}", "server.stop-seconds=2")
        )
        try:
            server.start().close()
            way.stand_still.set()

            os.kill(server.pid, signal.SIGTERM)

            assert server.wait_for_end(_ANSWERS_WITHIN_SECONDS) == ending.FAILED
        finally:
            server.stop()
    told = [line for line in (server.data / "server.log").read_text().splitlines() if '"server.held"' in line]
    assert "connection.py" in told[0], "whichever thread waits for the database, the lease's or one that gives it back"


def half_a_request(data: Path) -> socket.socket:
    host, _, port = server_of(data).api.removeprefix("http://").rpartition(":")
    opened = socket.create_connection((host, int(port)), timeout=_ANSWERS_WITHIN_SECONDS)
    token = (data / "token").read_text().strip()
    opened.sendall(
        f"POST /api/v1/run HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
    )
    return opened


class SilentCluster:
    """An API server that hears the first request, and gives no answer."""

    def __init__(self) -> None:
        self.is_asked, self.is_left = threading.Event(), threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._hear, daemon=True)

    @property
    def address(self) -> str:
        host, port = self._listening.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _hear(self) -> None:
        asking, _ = self._listening.accept()
        with asking:
            while asking.recv(65_536):
                self.is_asked.set()
        self.is_left.set()


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
