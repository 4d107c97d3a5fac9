"""Cancellation: what a TaskGroup of CPython may lose (gh-116720), for loops that go on after a failure.

A group that is cancelled just when one of its tasks fails raises the failure alone. Whoever takes that for all there is, and
tries again, is never told again to end: the server wouldn't stop.
"""

import asyncio


def pass_on() -> None:
    """Raises CancelledError where this task was told to end and hasn't heard of it."""
    own = asyncio.current_task()
    if own is not None and own.cancelling():
        raise asyncio.CancelledError
