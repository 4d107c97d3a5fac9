"""Made-up requests to the real server, a few of each operation here and many by `make fuzz-api`; and clients that behave badly."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest
from tests import fuzzing, waiting

from gennaker.demo.server import DemoServer
from gennaker.model import foreign
from gennaker.transport.client import Client

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

SEED, EXAMPLES = 20, 1
PROBLEM = {"type": "x", "title": "x", "status": 400, "detail": "x", "code": "x", "problems": [{"message": "x"}]}
PATIENCE_SECONDS = 600
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    found = DemoServer(tmp_path_factory.mktemp("fuzz") / "data", ("server.port=0", "registry.port=0"))
    try:
        found.start().close()
        yield found
    finally:
        found.stop_everything()


@pytest.fixture(scope="module")
def fuzz(server: DemoServer) -> Iterator[fuzzing.Fuzz]:
    with contextlib.closing(fuzzing.Fuzz(server.data)) as found:
        yield found


def test_made_up_requests_get_answers(fuzz: fuzzing.Fuzz) -> None:
    found = list(fuzz.findings(examples=EXAMPLES, of=SEED))
    assert found == [], f"make fuzz-api ARGS='--seed {SEED} --examples {EXAMPLES}' says it again"

    assert fuzz.is_well()
    assert {200, 400, 404} < set(fuzz.statuses)


class Rude:
    """Connections that don't do what clients do."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        self._where = (parts.hostname or "", parts.port or 0)
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n".encode()

    def opened(self) -> socket.socket:
        return socket.create_connection(self._where, timeout=PATIENCE_SECONDS)

    def begun(self, request: bytes, headers: bytes = b"") -> socket.socket:
        """A request of which the end of the headers was sent, and nothing behind it."""
        connection = self.opened()
        connection.sendall(request + b" HTTP/1.1\r\n" + self._head + headers + b"\r\n")
        return connection

    def status(self, connection: socket.socket) -> int:
        with connection, connection.makefile("rb") as answer:
            return int(answer.readline().split()[1])


def status_of(client: Client, execution: str) -> str:
    return foreign.text_at(client.get(f"/api/v1/executions/{execution}"), "status")


def test_clients_that_behave_badly_harm_nobody(server: DemoServer, fuzz: fuzzing.Fuzz) -> None:
    process = psutil.Process(server.pid)
    with contextlib.closing(Client(server.data)) as client, contextlib.ExitStack() as open_ones:
        rude = Rude(client.address, (server.data / "token").read_text().strip())
        started = client.post("/api/v1/applications/known/pipelines/known/start", {})
        execution = foreign.text_at(started, "executionId")
        before = process.memory_info().rss

        # 100 MB that are announced, and 100 MB of which nobody says how many they will be.
        assert rude.status(rude.begun(b"POST /api/v1/pipelines", b"Content-Length: 100000000\r\n")) == 413
        endless = rude.begun(b"POST /api/v1/pipelines", b"Transfer-Encoding: chunked\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                endless.sendall(b"100000\r\n" + b" " * MEGABYTE + b"\r\n")
        with contextlib.suppress(ConnectionError, IndexError):
            assert rude.status(endless) == 413
        # Long headers are read, endless ones aren't.
        assert rude.status(rude.begun(b"GET /health/live", b"X-Long: " + b"x" * 10_000 + b"\r\n")) == 200
        with contextlib.suppress(ConnectionError):
            assert rude.status(rude.begun(b"GET /health/live", b"X-Long: " + b"x" * MEGABYTE + b"\r\n")) == 400
        # Half a request line, half a body, answers that nobody reads, and a hundred that are cut off with a reset.
        for _ in range(50):
            open_ones.enter_context(rude.opened()).sendall(b"GET /hea")
            open_ones.enter_context(rude.begun(b"POST /api/v1/pipelines", b"Content-Length: 1000\r\n")).sendall(b"{")
            open_ones.enter_context(rude.begun(b"GET /api/v1/schema/openapi.json"))
        for _ in range(100):
            connection = rude.begun(b"POST /api/v1/pipelines", b"Content-Length: 1000\r\n")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        assert fuzz.is_well()
        assert process.memory_info().rss - before < 60 * MEGABYTE
        # What was under way goes on: the judgment is given, and the pipeline ends.
        client.post(f"/api/v1/executions/{execution}/stages/1/judgment", {"judgment": "continue"})
        waiting.until_seen(lambda: status_of(client, execution) != "RUNNING", "the pipeline to end")
        assert status_of(client, execution) == "SUCCEEDED"


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (httpx2.Response(500, json={}), "a fault of the server's"),
        (httpx2.Response(404, json={}), "no problem document"),
        (httpx2.Response(400, json=PROBLEM, headers={"content-type": "application/problem+json"}), ""),
        (httpx2.Response(200, json={"people": [0] * 1_001}), "1001 items in people"),
        (httpx2.Response(200, json={"people": [0] * 1_000, "stages": [0] * 1_001}), ""),
        (httpx2.Response(200, content=b"x" * 5_000_001), "5000001 bytes"),
    ],
)
def test_what_is_no_answer_is_found(answer: httpx2.Response, wrong: str) -> None:
    assert fuzzing.wrong_with(answer) == wrong
