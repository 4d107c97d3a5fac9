"""Encoded: updates as server-sent events, each made once, however many streams tell of it."""

from collections import OrderedDict
from typing import Final

from gennaker.interfaces.executions import Update
from gennaker.model.codec import encode, to_json

_KEPT: Final = 64
"""All streams tell of an update within moments."""


class Encoded:
    """The newest updates as they are sent."""

    def __init__(self) -> None:
        """None yet."""
        self._kept: OrderedDict[int, tuple[Update, bytes]] = OrderedDict()

    def of(self, update: Update) -> bytes:
        """All but its number, which is each stream's own."""
        # By identity: the update is kept with it, so that no other can have its place.
        found = self._kept.get(id(update))
        if found is None:
            data = encode(to_json(update))
            found = update, b"event: " + update.topic.encode() + b"\r\ndata: " + data + b"\r\n\r\n"
            self._kept[id(update)] = found
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found[1]
