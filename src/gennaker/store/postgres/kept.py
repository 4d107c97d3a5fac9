"""Keeping what was read from tables that several servers write.

Theory of operation. The database counts the changes of these tables (migration 0007). Who asks learns that number first,
asked for after the call began: an answer that was read when the number was the same, or later, is as new as reading it again
would be. Learning it costs no way to the server of its own while commits flow: their call brings it along (batches.py).
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from gennaker.store.kept import Answers

Result = TypeVar("Result")


class SharedKept:
    """Answers by what was asked; used on the loop only."""

    def __init__(self, changes: Callable[[], Awaitable[int]]) -> None:
        """`changes` says how often the tables were changed, all changes included that were answered before the call."""
        self._answers = Answers()
        self._changes = changes

    async def read(self, asked: object, look: Callable[[], Awaitable[tuple[Result, int]]]) -> Result:
        """The kept answer, or what `look` gives, which also says how many characters of JSON it holds."""
        version = await self._changes()
        async with self._answers.turn(asked):
            kept = self._answers.find(asked, version)
            if kept is not None:
                found: Result = kept[0]
                return found
            answer, characters = await look()
            self._answers.keep(asked, version, answer, characters)
            return answer

    def writing(self) -> AbstractContextManager[None]:
        """Nothing needs to be done: the database counts."""
        return nullcontext()
