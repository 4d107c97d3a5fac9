"""Email: sends notifications by SMTP.

The Message-ID is made from the delivery id, so that a repeat carries the same one and mail systems can drop it.
Addresses are separated by spaces, commas or semicolons, as in Spinnaker.
"""

import asyncio
import hashlib
import re
import smtplib
from email.message import EmailMessage

from gennaker.interfaces.notifiers import Message, Undelivered
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
        mail = compose(message, sender=self._settings.sender)
        await asyncio.to_thread(self._send, mail, [*recipients, *_addresses(message.cc)])

    def _send(self, mail: EmailMessage, recipients: list[str]) -> None:
        settings = self._settings
        try:
            with smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds) as server:
                server.send_message(mail, from_addr=settings.sender, to_addrs=recipients)
        except (smtplib.SMTPException, OSError) as error:
            raise Undelivered(
                f"The mail server {settings.host}:{settings.port} did not take the mail: {error}"
            ) from error


def compose(message: Message, *, sender: str) -> EmailMessage:
    """The mail of a message."""
    mail = EmailMessage()
    mail["Subject"] = message.subject.replace("\n", " ")
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
