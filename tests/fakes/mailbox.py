"""A notifier in memory: its messages lie in an inbox, which outlives the process that sends them."""

from collections import Counter
from collections.abc import Awaitable, Callable

from gennaker.interfaces.notifiers import Message, Unanswered, Undelivered

Reach = Callable[[], Awaitable[None]]
Fate = Callable[[Message], Exception | None]


async def _at_once() -> None:
    """Takes no time."""


class Inbox:
    """What has arrived."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    @property
    def mails(self) -> Counter[str]:
        """How often each came, by delivery id."""
        return Counter(message.delivery_id for message in self.messages)

    @property
    def marked(self) -> set[str]:
        """Delivery ids of those that were marked as repeats."""
        return {message.delivery_id for message in self.messages if message.is_repeat}


def by_address(message: Message) -> Exception | None:
    """`nobody` takes no message, `mute` takes it without an answer, at `broken` the notifier's own code fails."""
    match message.address:
        case "nobody":
            return Undelivered("Nobody lives there.")
        case "mute":
            return Unanswered("No answer.")
        case "broken":
            return ZeroDivisionError()
        case _:
            return None


class Mailbox:
    """A notifier of type `test`."""

    def __init__(self, inbox: Inbox, *, reach: Reach = _at_once, fate: Fate = by_address) -> None:
        """`reach`: the way there and back. `fate` of a message: what `send` raises; what is undelivered never arrives."""
        self._inbox = inbox
        self._reach = reach
        self._fate = fate

    @property
    def type(self) -> str:
        return "test"

    async def send(self, message: Message) -> None:
        await self._reach()
        fate = self._fate(message)
        if isinstance(fate, Undelivered):
            raise fate
        self._inbox.messages.append(message)
        await self._reach()
        if fate is not None:
            raise fate
