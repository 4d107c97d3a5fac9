"""Keeping what was read, until something is written.

Every execution that is submitted or ends looks at definitions, which change some times a day. `Kept` is for tables that only
this process writes; a read that overlaps a write isn't kept: nobody knows which of the two came first. What several servers
write is kept by postgres/kept.py.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

_KEPT_AT_MOST = 1000
"""Answers."""
_KEPT_CHARACTERS = 50_000_000
"""Of JSON in them."""

Result = TypeVar("Result")


class KeptAnswers(Protocol):
    """Answers by what was asked; used on the loop only."""

    async def read(self, asked: object, look: Callable[[], Awaitable[tuple[Result, int]]]) -> Result:
        """The kept answer, or what `look` gives, which also says how many characters of JSON it holds.

        Never older than a write that was answered before the call.
        """
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Around a write, whether or not it succeeds."""
        ...


class Answers:
    """The kept ones, each with the version of the tables that it is at least as new as."""

    def __init__(self) -> None:
        """None yet."""
        self._answers: OrderedDict[object, tuple[Any, int, int]] = OrderedDict()
        self._turns: WeakValueDictionary[object, asyncio.Lock] = WeakValueDictionary()
        self._characters = 0

    def find(self, asked: object, version: int) -> tuple[Any] | None:
        """The answer of this version or a later one; None: it must be read."""
        found = self._answers.get(asked)
        if found is None or found[1] < version:
            return None
        self._answers.move_to_end(asked)
        return (found[0],)

    def turn(self, asked: object) -> asyncio.Lock:
        """Many who ask the same at once share what the first of them reads."""
        turn = self._turns.get(asked)
        if turn is None:
            turn = self._turns[asked] = asyncio.Lock()
        return turn

    def keep(self, asked: object, version: int, answer: object, characters: int) -> None:
        """Unless it is too large; old ones make room."""
        self._forget(asked)
        if characters > _KEPT_CHARACTERS:
            return
        self._answers[asked] = answer, version, characters
        self._characters += characters
        while len(self._answers) > _KEPT_AT_MOST or self._characters > _KEPT_CHARACTERS:
            self._forget(next(iter(self._answers)))

    def clear(self) -> None:
        """Forgets all."""
        self._answers.clear()
        self._characters = 0

    def _forget(self, asked: object) -> None:
        found = self._answers.pop(asked, None)
        if found is not None:
            self._characters -= found[2]


class Kept:
    """Answers from tables that only this process writes."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._answers = Answers()
        self._changes = 0
        """Beginnings and ends of writes."""
        self._begun = 0
        self._under_way = 0
        self._unheard = 0
        """The newest write whose end nobody has heard of; 0: there is none."""

    async def read(self, asked: object, look: Callable[[], Awaitable[tuple[Result, int]]]) -> Result:
        """The kept answer, or what `look` gives, which also says how many characters of JSON it holds."""
        kept = self._answers.find(asked, 0)
        if kept is not None:
            found: Result = kept[0]
            return found
        async with self._answers.turn(asked):
            kept = self._answers.find(asked, 0)
            if kept is not None:
                shared: Result = kept[0]
                return shared
            changes, is_sure = self._changes, not self._under_way and not self._unheard
            answer, characters = await look()
            if is_sure and changes == self._changes:
                self._answers.keep(asked, 0, answer, characters)
            return answer

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around a write, whether or not it succeeds. Writes end in the order in which they begin."""
        self._begun += 1
        number = self._begun
        self._changes += 1
        self._under_way += 1
        self._answers.clear()
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
