"""Notifiers: how a message reaches people."""

from typing import Protocol

import msgspec

from gennaker.model.codec import JsonObject


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message to one address."""

    delivery_id: str
    """The same for a repeat: receivers can tell that they have it already."""
    address: str
    subject: str
    text: str
    """Markdown."""
    link: str = ""
    moment: str = ""
    is_repeat: bool = False
    facts: JsonObject = {}
    """For machines: execution id, stage, artifact."""
    cc: str = ""
    options: JsonObject = {}
    """The notification's own keys."""


class Notifier(Protocol):
    """Sends messages of one type."""

    @property
    def type(self) -> str:
        """Spinnaker's notification type: `console`, `email`, `webhook`, `slack`."""
        ...

    async def send(self, message: Message) -> None:
        """Returns when the receiving system has taken the message.

        Raises `Undelivered` when it certainly has not, `Unanswered` when nobody knows.
        """
        ...


class Undelivered(Exception):
    """The message was certainly not taken; the text says why."""


class Unanswered(Exception):
    """The message was sent but not answered: it may have been taken; the text says why."""
