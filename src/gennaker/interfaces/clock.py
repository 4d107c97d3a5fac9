"""Clock and Ids: the only sources of time and of new names outside the pure rooms."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Time as the shells see it; tests have one that they move."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC, whole microseconds."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Returns when the instant has come; at once if it is past.

        Returns earlier where the clock is put back meanwhile: an instant that was near may now be a year away. Who can't do
        without it asks `now` and sleeps again.
        """
        ...


class Ids(Protocol):
    """New identifiers."""

    def ulid(self) -> str:
        """26 characters, sortable by time: executions and stages."""
        ...

    def uuid(self) -> str:
        """36 characters: pipeline definitions, events from outside."""
        ...

    def token(self) -> str:
        """At least 256 random bits in URL-safe text: secrets."""
        ...
