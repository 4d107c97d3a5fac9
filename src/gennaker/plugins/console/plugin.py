"""Console: writes notifications into the server's log, where a small installation's operator sees them."""

import structlog

from gennaker.interfaces.notifiers import Message
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services

log = structlog.get_logger()


class ConsoleNotifier:
    """Never fails: the log is there as long as the process."""

    @property
    def type(self) -> str:
        """Notification type."""
        return "console"

    async def send(self, message: Message) -> None:
        """Writes one line."""
        log.info(
            "notification",
            channel=message.address,
            subject=message.subject,
            text=message.text,
            link=message.link,
            delivery_id=message.delivery_id,
            repeat=message.is_repeat,
        )


def notifier(services: Services) -> ConsoleNotifier:  # noqa: ARG001 - all factories are called alike
    """The notifier."""
    return ConsoleNotifier()


plugin = Plugin(name="console", notifiers=(notifier,))
