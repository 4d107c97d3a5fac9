"""Visits: what happens to one is decided by its id, so that the same visit always sees the same.

A visit's roll is a number from 0 to below 100 for each question ("offer", "error"); rolls of different visits and
questions are spread evenly and have nothing to do with one another.
"""

import hashlib
import itertools
import os
import re

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_ROLLS = 2**32


def roll(visit: str, question: str) -> float:
    """From 0 to below 100."""
    digest = hashlib.blake2b(f"{question}:{visit}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") * 100 / _ROLLS


class VisitIds:
    """Ids for visitors who bring none."""

    def __init__(self, start: str = "") -> None:
        """`start` tells this process's visits from those of others; made up where it isn't given."""
        self._start = start or os.urandom(6).hex()
        self._numbers = itertools.count(1)

    def of(self, given: str | None) -> str:
        """The id that was given, if it is one, else a new one."""
        if given is not None and is_name(given):
            return given
        return f"{self._start}-{next(self._numbers)}"


def is_name(text: str) -> bool:
    """Whether a text may be an id or a label: short, and without anything that must be escaped."""
    return _NAME.match(text) is not None
