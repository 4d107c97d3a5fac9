"""Keeping what was read, until something is written: for tables that only this process writes.

Every execution that is submitted or ends looks at definitions, which change some times a day. A read that overlaps a write
isn't kept: nobody knows which of the two came first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakValueDictionary

_KEPT_AT_MOST = 1000
"""Answers."""
_KEPT_CHARACTERS = 50_000_000
"""Of JSON in them."""

Result = TypeVar("Result")


class Kept:
    """Answers by what was asked; used on the loop only."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._answers: OrderedDict[object, tuple[Any, int]] = OrderedDict()
        self._turns: WeakValueDictionary[object, asyncio.Lock] = WeakValueDictionary()
        self._characters = 0
        self._changes = 0
        """Beginnings and ends of writes."""
        self._begun = 0
        self._under_way = 0
        self._unheard = 0
        """The newest write whose end nobody has heard of; 0: there is none."""

    async def read(self, asked: object, look: Callable[[], Awaitable[tuple[Result, int]]]) -> Result:
        """The kept answer, or what `look` gives, which also says how many characters of JSON it holds."""
        if asked in self._answers:
            self._answers.move_to_end(asked)
            found: Result = self._answers[asked][0]
            return found
        turn = self._turns.get(asked)
        if turn is None:
            turn = self._turns[asked] = asyncio.Lock()
        async with turn:  # many who ask the same at once share what the first of them reads
            if asked in self._answers:
                shared: Result = self._answers[asked][0]
                return shared
            changes, is_sure = self._changes, not self._under_way and not self._unheard
            answer, characters = await look()
            if is_sure and changes == self._changes:
                self._keep(asked, answer, characters)
            return answer

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around a write, whether or not it succeeds. Writes end in the order in which they begin."""
        self._begun += 1
        number = self._begun
        self._changes += 1
        self._under_way += 1
        self._answers.clear()
        self._characters = 0
        try:
            yield
        except asyncio.CancelledError:
            self._unheard = number  # it may be made all the same, and later
            raise
        finally:
            self._under_way -= 1
            self._changes += 1
            if number > self._unheard:
                self._unheard = 0

    def _keep(self, asked: object, answer: object, characters: int) -> None:
        if characters > _KEPT_CHARACTERS:
            return
        self._answers[asked] = answer, characters
        self._characters += characters
        while len(self._answers) > _KEPT_AT_MOST or self._characters > _KEPT_CHARACTERS:
            self._characters -= self._answers.popitem(last=False)[1][1]
