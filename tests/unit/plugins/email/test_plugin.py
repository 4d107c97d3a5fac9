"""Mail: what is made of a message, and whether it was taken, was not, or nobody knows."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gennaker.interfaces.notifiers import Message, Unanswered, Undelivered
from gennaker.plugins.email.plugin import EmailNotifier, compose
from gennaker.settings import MailSettings


def message(**fields: object) -> Message:
    given: dict[str, object] = {"delivery_id": "k/1", "address": "a@example.org", "subject": "s", "text": "t"}
    return Message(**{**given, **fields})  # type: ignore[arg-type]  # a builder's keywords


@contextmanager
def mail_server(*answers: str, hangs: bool = False) -> Iterator[tuple[MailSettings, list[str]]]:
    """Answers line by line as told (after its greeting), then closes or stays silent."""
    heard: list[str] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 here\r\n")
            for answer in answers:
                line = lines.readline().decode().strip()
                heard.append(line)
                if line == "data" and answer.startswith("354"):
                    connection.sendall(answer.encode() + b"\r\n")
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    continue
                connection.sendall(answer.encode() + b"\r\n")
            if hangs:
                lines.readline()

    thread = threading.Thread(target=serve)
    thread.start()
    settings = MailSettings(host="127.0.0.1", port=listening.getsockname()[1], timeout_seconds=0.5)
    try:
        yield settings, heard
    finally:
        thread.join(10)
        listening.close()


def send(settings: MailSettings, one: Message | None = None) -> None:
    asyncio.run(EmailNotifier(settings).send(one or message()))


HELLO = ("250 hello", "250 sender", "250 recipient")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (("250 hello", "550 not you"), Undelivered),
        ((*HELLO[:2], "550 nobody"), Undelivered),
        ((*HELLO, "554 no mail today"), Undelivered),
        (HELLO[:2], Undelivered),
    ],
)
def test_a_mail_that_was_refused_before_it_was_sent_is_undelivered(answers: tuple[str, ...], error: type) -> None:
    with mail_server(*answers, hangs=False) as (settings, _), pytest.raises(error, match="did not take the mail"):
        send(settings)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_mail_that_was_sent_but_not_answered_may_have_been_taken(hangs: bool) -> None:
    with (
        mail_server(*HELLO, "354 go on", hangs=hangs) as (settings, heard),
        pytest.raises(Unanswered, match="was given the mail and did not answer"),
    ):
        send(settings)

    assert heard[-1] == "data"


def test_the_recipients_are_told_one_by_one_with_the_copy() -> None:
    with (
        mail_server("250 hello", "250 s", "250 a", "250 b", "250 c", "354 go on") as (settings, heard),
        pytest.raises(Unanswered),
    ):
        send(settings, message(address="a@x.org, b@x.org;", cc="c@x.org"))

    assert [line.lower() for line in heard if line.lower().startswith("rcpt")] == [
        "rcpt to:<a@x.org>",
        "rcpt to:<b@x.org>",
        "rcpt to:<c@x.org>",
    ]


@pytest.mark.parametrize(
    ("settings", "address", "said"),
    [
        (MailSettings(), "a@x.org", "No mail server is set"),
        (MailSettings(host="127.0.0.1", port=1), "", "no address"),
        (MailSettings(host="127.0.0.1", port=1), "a@x.org", "did not take the mail"),
        (MailSettings(host="127.0.0.1", port=1, sender="<<\n>"), "a@x.org", "No mail can be made of it"),
    ],
)
def test_what_can_not_be_sent_is_undelivered_with_the_reason(settings: MailSettings, address: str, said: str) -> None:
    with pytest.raises(Undelivered, match=said):
        send(settings, message(address=address))


def test_a_repeat_has_the_same_message_id() -> None:
    first = compose(message(), sender="g@x.org")
    again = compose(message(is_repeat=True), sender="g@x.org")
    other = compose(message(delivery_id="k/2"), sender="g@x.org")

    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert (first["X-Gennaker-Repeat"], again["X-Gennaker-Repeat"]) == (None, "true")
    assert first["X-Gennaker-Delivery"] == "k/1"


def test_a_subject_can_not_bring_headers_of_its_own() -> None:
    mail = compose(message(subject="a\r\nBcc: evil@x.org\nb", text="é"), sender="g@x.org")

    assert mail["Subject"] == "a Bcc: evil@x.org b"
    assert mail["Bcc"] is None
    assert mail.get_content() == "é\n"
