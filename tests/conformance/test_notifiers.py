"""One suite for every notifier: what they promise to the worker."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MailHandler
from aiosmtpd.smtp import SMTP
from msgspec.structs import replace
from tests import waiting
from tests.conformance import subjects
from tests.fakes.mailbox import Inbox, Mailbox
from tests.free_ports import free_port

from gennaker.interfaces.notifiers import Message, Notifier, Unanswered, Undelivered
from gennaker.plugins.console import plugin as console_plugin
from gennaker.plugins.console.plugin import ConsoleNotifier
from gennaker.plugins.email.plugin import EmailNotifier
from gennaker.plugins.webhook.notifier import WebhookNotifier
from gennaker.settings import MailSettings
from gennaker.transport.http import GuardedClient

SUBJECTS: dict[str, type[Notifier]] = {
    "console": ConsoleNotifier,
    "email": EmailNotifier,
    "webhook": WebhookNotifier,
    "mailbox": Mailbox,
}
FAILING = {name: subject for name, subject in SUBJECTS.items() if subject is not ConsoleNotifier}
"""Those that depend on somebody else; the process's own log is there as long as the process."""
MESSAGE = Message(
    delivery_id="01J/4/notify/manualJudgment/0/1",
    address="",
    subject="Stage Approve for Shop's delivery is awaiting manual judgment",
    text="Please look at the canary.\n\nhttp://127.0.0.1:8084/ui/",
    moment="manualJudgment",
)
Arrived = list[dict[str, Any]]
To = tuple[Notifier, str]
"""A notifier and an address."""


class Bench:
    """A notifier, an address that works, and what has arrived there."""

    nowhere: To
    """Reaches nobody."""
    silent: To
    """Where messages are taken and nothing is said."""

    def __init__(self, notifier: Notifier, address: str, arrived: Callable[[], Arrived]) -> None:
        self.works: To = notifier, address
        self.arrived = arrived

    def send(self, to: To | None = None, *, is_repeat: bool = False) -> None:
        notifier, address = to or self.works
        asyncio.run(notifier.send(replace(MESSAGE, address=address, is_repeat=is_repeat)))


class Letters(MailHandler):
    """Keeps mails."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: Arrived = []

    def handle_message(self, message: Mail) -> None:
        self.arrived.append(
            {
                "subject": message["Subject"],
                "text": str(message.get_payload()),
                "delivery": message["X-Gennaker-Delivery"],
                "repeat": message["X-Gennaker-Repeat"] == "true",
                "message_id": message["Message-ID"],
            }
        )


class Swallowing(SMTP):
    """Takes a mail and hangs up without a word."""

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - as the library calls it
        await self.push("354 go on")
        while (await self._reader.readline()).strip() not in (b".", b""):  # nothing at all: the client has given up
            pass
        assert self.transport is not None
        self.transport.close()


class SwallowingController(Controller):
    """Serves it."""

    def factory(self) -> SMTP:
        return Swallowing(self.handler)


@contextlib.contextmanager
def email() -> Iterator[Bench]:
    def to(port: int) -> To:
        settings = MailSettings(host="127.0.0.1", port=port, sender="gennaker@example.org", timeout_seconds=60)
        return EmailNotifier(settings), "team@example.org"

    letters, port, silent_port = Letters(), free_port(), free_port()
    bench = Bench(*to(port), lambda: letters.arrived)
    bench.nowhere, bench.silent = to(free_port()), to(silent_port)
    with contextlib.ExitStack() as stack:
        for kind, number in ((Controller, port), (SwallowingController, silent_port)):
            controller = kind(letters, hostname="127.0.0.1", port=number, ready_timeout=300)
            controller.start()
            stack.callback(controller.stop)
        yield bench


@contextlib.contextmanager
def webhook() -> Iterator[Bench]:
    arrived: Arrived = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/silent":
                self.close_connection = True
                return
            arrived.append(
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
    host, nobody = f"127.0.0.1:{server.server_port}", f"127.0.0.1:{free_port()}"
    notifier = WebhookNotifier(GuardedClient(allowed=(host, nobody)))
    bench = Bench(notifier, f"http://{host}/hook", lambda: arrived)
    bench.nowhere, bench.silent = (notifier, f"http://{nobody}/hook"), (notifier, f"http://{host}/silent")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield bench
    finally:
        server.shutdown()
        waiting.joined(thread)
        server.server_close()


@contextlib.contextmanager
def console() -> Iterator[Bench]:
    # A logger of its own: the module's keeps what some earlier test has configured when it was used first.
    configured, log = structlog.get_config(), console_plugin.log
    structlog.reset_defaults()
    console_plugin.log = structlog.get_logger()
    try:
        with structlog.testing.capture_logs() as lines:
            yield Bench(
                ConsoleNotifier(), "operators", lambda: [{**line, "delivery": line["delivery_id"]} for line in lines]
            )
    finally:
        console_plugin.log = log
        structlog.configure(**configured)


@contextlib.contextmanager
def mailbox() -> Iterator[Bench]:
    inbox = Inbox()
    notifier = Mailbox(inbox)
    bench = Bench(
        notifier,
        "team",
        lambda: [
            {"subject": one.subject, "text": one.text, "delivery": one.delivery_id, "repeat": one.is_repeat}
            for one in inbox.messages
        ],
    )
    bench.nowhere, bench.silent = (notifier, "nobody"), (notifier, "mute")
    yield bench


BENCHES: dict[str, Callable[[], AbstractContextManager[Bench]]] = {
    "console": console,
    "email": email,
    "webhook": webhook,
    "mailbox": mailbox,
}


@contextlib.contextmanager
def opened(name: str) -> Iterator[Bench]:
    with BENCHES[name]() as made:
        assert type(made.works[0]) is SUBJECTS[name]
        yield made


@pytest.fixture(params=subjects.params(SUBJECTS))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with opened(request.param) as made:
        yield made


@pytest.fixture(params=subjects.params(FAILING))
def failing(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with opened(request.param) as made:
        yield made


def test_it_says_its_type(bench: Bench) -> None:
    notifier, _ = bench.works

    assert notifier.type.isidentifier()


def test_a_sent_message_has_arrived_with_its_delivery_id(bench: Bench) -> None:
    bench.send()

    (arrived,) = bench.arrived()
    assert arrived["subject"] == MESSAGE.subject
    assert "Please look at the canary." in arrived["text"]
    assert arrived["delivery"] == MESSAGE.delivery_id
    assert arrived["repeat"] is False


def test_a_repeat_carries_the_same_delivery_id_and_says_so(bench: Bench) -> None:
    bench.send()
    bench.send(is_repeat=True)

    first, second = bench.arrived()
    assert first["delivery"] == second["delivery"]
    assert second["repeat"] is True
    assert first.get("message_id") == second.get("message_id")


def test_where_nobody_takes_the_message_it_is_undelivered(failing: Bench) -> None:
    with pytest.raises(Undelivered) as undelivered:
        failing.send(failing.nowhere)

    assert str(undelivered.value)
    assert failing.arrived() == []


def test_where_a_message_is_taken_without_an_answer_nobody_knows(failing: Bench) -> None:
    with pytest.raises(Unanswered) as unanswered:
        failing.send(failing.silent)

    assert str(unanswered.value)


def test_it_works_on_after_a_failure(failing: Bench) -> None:
    with pytest.raises(Undelivered):
        failing.send(failing.nowhere)

    failing.send()

    assert len(failing.arrived()) == 1
