"""Departures: word inside the process that instances can't serve any longer, from providers to those that look after traffic.

They are no live updates, which everybody who follows gets: there may be thousands at once, and whose they are is nobody else's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from gennaker.interfaces.clouds import Place


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """Instances of a server group can't serve any longer; several that leave at once are one."""

    cloud_provider: str
    place: Place
    application: str


class Departures:
    """Hands each to all who listen, at once; nobody depends on being told of all."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Departure], None]] = []

    def tell(self, departure: Departure) -> None:
        """Never waits."""
        for listener in self._listeners:
            listener(departure)

    @contextmanager
    def heard(self, listener: Callable[[Departure], None]) -> Iterator[None]:
        """They are handed to the listener, which must not wait, until the block ends."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
