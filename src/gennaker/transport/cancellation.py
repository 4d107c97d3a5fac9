"""Cancellation: what a TaskGroup of CPython may lose or leave behind, for loops that go on after a failure.

A group that is cancelled just when one of its tasks fails raises the failure alone (gh-116720). Whoever takes that for all there
is, and tries again, is never told again to end: the server wouldn't stop. And a group one of whose tasks fails while it waits for
them leaves its own task, in Python 3.11 and 3.12, as if that had been told to end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Returned = TypeVar("Returned")


async def apart(work: Callable[[], Awaitable[Returned]]) -> Returned:
    """Does it in a task of its own, so that what its groups leave behind is no word to the caller's.

    Given is what begins it: a caller that is cancelled at once never does.
    """

    async def done() -> Returned:
        return await work()

    return await asyncio.create_task(done())


def pass_on() -> None:
    """Raises CancelledError where this task was told to end and hasn't heard of it. What may fail was done `apart`."""
    own = asyncio.current_task()
    if own is not None and own.cancelling():
        raise asyncio.CancelledError
