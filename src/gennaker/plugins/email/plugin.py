"""Email: sends notifications by SMTP.

The Message-ID is made from the delivery id, so that a repeat carries the same one and mail systems can drop it.
Addresses are separated by spaces, commas or semicolons, as in Spinnaker.
"""

import asyncio
import contextlib
import hashlib
import re
import smtplib
from email import errors
from email.message import EmailMessage
from typing import Any

from gennaker.interfaces.notifiers import Message, Unanswered, Undelivered
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.settings import MailSettings

_SEPARATORS = re.compile(r"[\s,;]+")


class EmailNotifier:
    """Speaks SMTP with one configured server."""

    def __init__(self, settings: MailSettings) -> None:
        """Without a host every message is undelivered, with a sentence that says so."""
        self._settings = settings

    @property
    def type(self) -> str:
        """Notification type."""
        return "email"

    async def send(self, message: Message) -> None:
        """Returns when the mail server has accepted the message for at least one address."""
        if not self._settings.host:
            raise Undelivered("No mail server is set: set mail.host (and mail.port) in gennaker.toml.")
        recipients = _addresses(message.address)
        if not recipients:
            raise Undelivered("The notification has no address.")
        try:
            mail = compose(message, sender=self._settings.sender)
        except (ValueError, IndexError, errors.MessageError) as error:
            raise Undelivered(f"No mail can be made of it: {error}") from error
        await asyncio.to_thread(self._send, mail, [*recipients, *_addresses(message.cc)])

    def _send(self, mail: EmailMessage, recipients: list[str]) -> None:
        settings = self._settings
        server = _Server(timeout=settings.timeout_seconds)
        try:
            server.connect(settings.host, settings.port)
            server.send_message(mail, from_addr=settings.sender, to_addrs=recipients)
        except (smtplib.SMTPException, OSError) as error:
            where = f"The mail server {settings.host}:{settings.port}"
            if server.has_the_mail and not isinstance(error, smtplib.SMTPResponseException):
                raise Unanswered(f"{where} was given the mail and did not answer: {error}") from error
            raise Undelivered(f"{where} did not take the mail: {error}") from error
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()  # whatever is said to this: the mail was taken or not
            server.close()


class _Server(smtplib.SMTP):
    """Knows whether the mail itself was begun to be sent: from then on nobody knows whether it was taken."""

    has_the_mail = False

    def data(self, msg: Any) -> tuple[int, bytes]:  # noqa: ANN401 - whatever the library hands itself
        """Sends the mail."""
        self.has_the_mail = True
        return super().data(msg)


def compose(message: Message, *, sender: str) -> EmailMessage:
    """The mail of a message."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.subject.split())
    mail["From"] = sender
    mail["To"] = ", ".join(_addresses(message.address))
    if message.cc:
        mail["Cc"] = ", ".join(_addresses(message.cc))
    mail["Message-ID"] = f"<{hashlib.sha256(message.delivery_id.encode()).hexdigest()[:40]}@gennaker>"
    mail["X-Gennaker-Delivery"] = message.delivery_id
    if message.is_repeat:
        mail["X-Gennaker-Repeat"] = "true"
    mail.set_content(message.text)
    return mail


def notifier(services: Services) -> EmailNotifier:
    """The notifier for the configured mail server."""
    return EmailNotifier(services.settings.mail)


def _addresses(text: str) -> list[str]:
    return [address for address in _SEPARATORS.split(text) if address]


plugin = Plugin(name="email", notifiers=(notifier,))
