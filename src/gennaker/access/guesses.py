"""Guesses: who tries passwords has to wait longer after each wrong one.

Kept in this process's memory, by name and address and by address alone: a stranger can neither lock somebody out who comes from
elsewhere, nor try one password on all names.
"""

from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec

from gennaker.interfaces.clock import Clock
from gennaker.model.problems import Problem, Refused

_FREE = 5
"""So many wrong ones in a row cost nothing: people mistype."""
_FREE_OF_AN_ADDRESS = 50
_LONGEST = timedelta(minutes=15)
_FORGOTTEN = timedelta(hours=1)
_MOST_KEPT = 10_000


class _Tries(msgspec.Struct, frozen=True):
    wrong: int
    last: datetime


class Guesses:
    """Counts what was wrong."""

    def __init__(self, clock: Clock, what: str = "passwords") -> None:
        """Nobody has guessed yet; `what` they guess."""
        self._clock = clock
        self._what = what
        self._tries: OrderedDict[tuple[str | None, str], _Tries] = OrderedDict()

    def check(self, name: str, address: str) -> None:
        """Raises Refused(429) while the next try has to wait."""
        wait = max(self._wait((name, address), _FREE), self._wait((None, address), _FREE_OF_AN_ADDRESS))
        if wait > timedelta():
            seconds = int(wait.total_seconds()) + 1
            raise Refused(
                Problem(
                    code="sign_in.wait",
                    message=f"Too many wrong {self._what}.",
                    remedy=f"Try again in {seconds} seconds.",
                ),
                status=429,
            )

    def was_wrong(self, name: str, address: str) -> None:
        """One more."""
        now = self._clock.now()
        for key in ((name, address), (None, address)):
            before = self._tries.get(key)
            count = before.wrong if before is not None and now - before.last < _FORGOTTEN else 0
            self._tries[key] = _Tries(count + 1, now)
            self._tries.move_to_end(key)
        while len(self._tries) > _MOST_KEPT:
            self._tries.popitem(last=False)

    def was_right(self, name: str, address: str) -> None:
        """The name's own count is forgotten; the address's isn't: one's own password must not buy more guesses at others'."""
        self._tries.pop((name, address), None)

    def _wait(self, key: tuple[str | None, str], free: int) -> timedelta:
        tries = self._tries.get(key)
        if tries is None or tries.wrong < free:
            return timedelta()
        pause = min(_LONGEST, timedelta(seconds=2 ** min(tries.wrong - free, 20)))
        return tries.last + pause - self._clock.now()
