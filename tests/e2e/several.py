"""Several servers over one PostgreSQL database, and an address outside that counts what reaches it."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
from tests import waiting
from tests.e2e.forked_server import ForkedServer

from gennaker.model.codec import JsonObject
from gennaker.transport.client import Client

LEASE_SECONDS = 6.0
"""Longer than a busy machine keeps a process from running: a living server must not lose its lease."""
POLL_SECONDS = 0.5
_LOOKS_EVERY_SECONDS = 0.05
MOVED_WITHIN_SECONDS = LEASE_SECONDS * 4 / 3 + POLL_SECONDS + 2
"""What docs/guarantees.md promises, and two seconds for this machine."""


class Receiver:
    """Takes webhook notifications and notes each delivery's id and whether it says that it is a repeat."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[str, bool]] = []
        deliveries = self.deliveries

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                deliveries.append((body["deliveryId"], self.headers.get("X-Gennaker-Repeat") == "true"))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Several:
    """Servers that share a database."""

    def __init__(self, folder: Path, url: str, count: int, receiver: Receiver, flags: Sequence[str] = ()) -> None:
        self.url = url
        self._flags = (
            "server.port=0",
            "registry.port=0",
            f"store.url={url}",
            f"store.folder={folder / 'shared'}",
            f"store.lease-seconds={LEASE_SECONDS}",
            f"store.poll-seconds={POLL_SECONDS}",
            f'webhook-hosts=["{receiver.address}"]',
        )
        self.servers = [self._server(folder / f"server-{number}", flags) for number in range(count)]
        self.clients: list[Client] = [server.start() for server in self.servers]
        self._database = psycopg.connect(url, autocommit=True)

    def _server(self, data: Path, flags: Sequence[str]) -> ForkedServer:
        return ForkedServer(data, (*self._flags, *flags))

    def close(self) -> None:
        self._database.close()
        for client in self.clients:
            client.close()
        for server in self.servers:
            server.stop()

    def kill(self, number: int) -> None:
        server = self.servers[number]
        os.kill(server.pid, signal.SIGKILL)
        assert server.wait_for_end(waiting.IN_VAIN_SECONDS) == -signal.SIGKILL
        (server.data / "server.json").unlink()

    def start(self, number: int) -> None:
        self.clients[number].close()
        self.clients[number] = self.servers[number].start()

    def start_otherwise(self, number: int, flags: Sequence[str]) -> None:
        """Ends a server, and starts it with other settings beside those of all."""
        self.clients[number].close()
        self.servers[number].stop()
        self.servers[number] = self._server(self.servers[number].data, flags)
        self.clients[number] = self.servers[number].start()

    def reconnect(self) -> None:
        """After the database was started again."""
        self._database.close()
        self._database = psycopg.connect(self.url, autocommit=True)

    def fence(self, number: int) -> int:
        """The present one of a server."""
        pid = self.servers[number].pid
        (fence,) = self.one("SELECT fence FROM servers WHERE name LIKE %s", f"%:{pid}")
        return int(str(fence))

    def one(self, query: str, *parameters: object) -> tuple[object, ...]:
        """The one row that a query gives."""
        row: tuple[object, ...] | None = self._database.execute(query.encode(), parameters).fetchone()
        assert row is not None, query
        return row

    def all(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """All rows that a query gives."""
        return self._database.execute(query.encode(), parameters).fetchall()

    def owned(self, fence: int) -> set[str]:
        """Executions that a server owns."""
        return {str(name) for (name,) in self.all("SELECT id FROM executions WHERE fence = %s", fence)}

    def versions(self, executions: set[str]) -> dict[str, int]:
        """How far executions have come."""
        rows = self.all("SELECT id, version FROM executions WHERE id = ANY(%s)", list(executions))
        return {str(name): int(str(version)) for name, version in rows}

    def unfinished(self) -> list[str]:
        """Executions that haven't ended, or of which something is still in the outbox."""
        rows = self.all(
            "SELECT id FROM executions WHERE status IN ('NOT_STARTED', 'RUNNING', 'PAUSED', 'BUFFERED')"
            " UNION SELECT execution_id FROM outbox ORDER BY 1"
        )
        return [str(name) for (name,) in rows]


@contextmanager
def running(folder: Path, url: str, count: int, flags: Sequence[str] = ()) -> Iterator[tuple[Several, Receiver]]:
    """Servers that are ready, and where their notifications go; `flags`: more settings of all."""
    receiver = Receiver()
    several = Several(folder, url, count, receiver, flags)
    try:
        yield several, receiver
    finally:
        for server in several.servers:
            if not server.is_running():
                print(server.data.name, "has ended:", server.log_tail(), sep="\n")  # noqa: T201 - shown when a test fails
        several.close()
        receiver.close()


def eventually(is_so: Callable[[], bool], what: Callable[[], object] = str) -> float:
    """Returns once it is so; `what` is shown where it never comes to be.

    How long that took, by counting looks: on a machine that is busy or slow there are fewer in a second, as there is less of
    everything else.
    """
    ends = time.monotonic() + waiting.IN_VAIN_SECONDS
    looks = 0
    while not is_so():
        assert time.monotonic() < ends, f"waited in vain: {what()}"
        looks += 1
        time.sleep(_LOOKS_EVERY_SECONDS)
    return looks * _LOOKS_EVERY_SECONDS


def pipeline(name: str, receiver: Receiver, *stages: JsonObject, **more: object) -> JsonObject:
    """A pipeline whose stages follow one another and tell the receiver of its end."""
    chained: list[object] = [
        {"refId": str(number), "requisiteStageRefIds": [str(number - 1)] if number > 1 else [], **stage}
        for number, stage in enumerate(stages, 1)
    ]
    notification = {"type": "webhook", "address": f"http://{receiver.address}/", "when": ["pipeline.complete"]}
    body: dict[str, object] = {
        "application": "shop",
        "name": name,
        "id": f"id-{name}",
        "stages": chained,
        "notifications": [notification],
        "limitConcurrent": False,
        **more,
    }
    return json.loads(json.dumps(body))  # type: ignore[no-any-return]  # it is JSON


def run(client: Client, body: JsonObject) -> str:
    answer = client.post("/api/v1/run", body)
    assert isinstance(answer, dict)
    return str(answer["executionId"])


def status(client: Client, execution_id: str) -> str:
    answer = client.get(f"/api/v1/executions/{execution_id}")
    assert isinstance(answer, dict)
    return str(answer["status"])


def stages(client: Client, execution_id: str) -> list[JsonObject]:
    answer = client.get(f"/api/v1/executions/{execution_id}")
    assert isinstance(answer, dict)
    found = answer["stages"]
    assert isinstance(found, list)
    return [one for one in found if isinstance(one, dict)]


def judge(client: Client, execution_id: str) -> None:
    (waiting,) = [one for one in stages(client, execution_id) if one["type"] == "manualJudgment"]
    client.post(f"/api/v1/executions/{execution_id}/stages/{waiting['id']}/judgment", {"judgment": "continue"})


def waits_for_a_person(client: Client, execution_id: str) -> bool:
    return any(one["type"] == "manualJudgment" and one["status"] == "RUNNING" for one in stages(client, execution_id))


def assert_nothing_twice(several: Several, receiver: Receiver, roots: list[str]) -> None:
    rows = several.all("SELECT id, status, name, submission_key FROM executions")
    assert {str(row[1]) for row in rows} == {"SUCCEEDED"}
    children = [row for row in rows if row[0] not in roots]
    assert len(children) == len(roots), "each root starts one child"
    assert len(rows) == 2 * len(roots)
    for execution_id, version in several.all("SELECT id, version FROM executions"):
        numbers = [
            n for (n,) in several.all("SELECT number FROM events WHERE execution_id = %s ORDER BY 1", execution_id)
        ]
        assert numbers == list(range(1, int(str(version)) + 1))
    arrived = Counter(delivery for delivery, _ in receiver.deliveries)
    first = {delivery for delivery, is_repeat in receiver.deliveries if not is_repeat}
    assert len(arrived) == len(rows), "each execution tells of its end"
    assert max(arrived.values()) <= 2
    unmarked = Counter(delivery for delivery, is_repeat in receiver.deliveries if not is_repeat)
    assert max(unmarked.values()) == 1, "whatever arrives a second time says so"
    assert first
