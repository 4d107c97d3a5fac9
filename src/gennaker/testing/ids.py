"""Identifiers that are the same in every run."""

import itertools


class CountingIds:
    """Ids in order, the same in every run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def ulid(self) -> str:
        return f"01{next(self._numbers):024d}"

    def uuid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012d}"

    def token(self) -> str:
        return f"token-{next(self._numbers)}"
