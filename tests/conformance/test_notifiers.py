"""One suite for every notifier: what they promise to the worker."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MailHandler

from gennaker.interfaces.notifiers import Message, Notifier, Undelivered
from gennaker.plugins.console.plugin import ConsoleNotifier
from gennaker.plugins.email.plugin import EmailNotifier
from gennaker.plugins.webhook.notifier import WebhookNotifier
from gennaker.settings import MailSettings
from gennaker.transport.http import GuardedClient

MESSAGE = Message(
    delivery_id="01J/4/notify/manualJudgment/0/1",
    address="",
    subject="Stage Approve for Shop's delivery is awaiting manual judgment",
    text="Please look at the canary.\n\nhttp://127.0.0.1:8084/ui/",
    moment="manualJudgment",
)


class Bench:
    """A notifier, an address that works, what arrived there, and an address where nobody is."""

    def __init__(self, notifier: Notifier, address: str, nowhere: Notifier | None) -> None:
        self.notifier = notifier
        self.address = address
        self.nowhere = nowhere
        self.arrived: list[dict[str, Any]] = []


class Inbox(MailHandler):
    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench

    def handle_message(self, message: Mail) -> None:
        self.bench.arrived.append(
            {
                "subject": message["Subject"],
                "text": str(message.get_payload()),
                "delivery": message["X-Gennaker-Delivery"],
                "repeat": message["X-Gennaker-Repeat"] == "true",
                "message_id": message["Message-ID"],
            }
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def mail() -> Iterator[Bench]:
    port = free_port()
    settings = MailSettings(host="127.0.0.1", port=port, sender="gennaker@example.org")
    nowhere = EmailNotifier(MailSettings(host="127.0.0.1", port=free_port(), timeout_seconds=2))
    bench = Bench(EmailNotifier(settings), "team@example.org", nowhere)
    controller = Controller(Inbox(bench), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield bench
    finally:
        controller.stop()


@contextlib.contextmanager
def webhook() -> Iterator[Bench]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            bench.arrived.append(
                {
                    "subject": body["subject"],
                    "text": body["text"],
                    "delivery": self.headers["X-Gennaker-Delivery"],
                    "repeat": self.headers["X-Gennaker-Repeat"] == "true",
                }
            )
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stays quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host = f"127.0.0.1:{server.server_port}"
    bench = Bench(
        WebhookNotifier(GuardedClient(allowed=(host,))), f"http://{host}/hook", WebhookNotifier(GuardedClient())
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield bench
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(params=[mail, webhook])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with request.param() as made:
        yield made


def message(bench: Bench, *, is_repeat: bool = False) -> Message:
    return Message(
        delivery_id=MESSAGE.delivery_id,
        address=bench.address,
        subject=MESSAGE.subject,
        text=MESSAGE.text,
        moment=MESSAGE.moment,
        is_repeat=is_repeat,
    )


def test_a_sent_message_has_arrived_with_its_delivery_id(bench: Bench) -> None:
    asyncio.run(bench.notifier.send(message(bench)))

    (arrived,) = bench.arrived
    assert arrived["subject"] == MESSAGE.subject
    assert "Please look at the canary." in arrived["text"]
    assert arrived["delivery"] == MESSAGE.delivery_id
    assert arrived["repeat"] is False


def test_a_repeat_carries_the_same_delivery_id_and_says_so(bench: Bench) -> None:
    asyncio.run(bench.notifier.send(message(bench)))
    asyncio.run(bench.notifier.send(message(bench, is_repeat=True)))

    first, second = bench.arrived
    assert first["delivery"] == second["delivery"]
    assert second["repeat"] is True
    assert first.get("message_id") == second.get("message_id")


def test_where_nobody_takes_the_message_it_is_undelivered(bench: Bench) -> None:
    assert bench.nowhere is not None

    with pytest.raises(Undelivered):
        asyncio.run(bench.nowhere.send(message(bench)))

    assert bench.arrived == []


def test_the_console_writes_the_message_into_the_log() -> None:
    with structlog.testing.capture_logs() as lines:
        asyncio.run(ConsoleNotifier().send(MESSAGE))

    assert [(line["event"], line["subject"]) for line in lines] == [("notification", MESSAGE.subject)]
