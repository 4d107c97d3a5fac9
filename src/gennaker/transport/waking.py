"""Waking: sleep that ends at an instant, or with word that comes before it."""

import asyncio
from datetime import datetime

from gennaker.interfaces.clock import Clock


async def wait(clock: Clock, until: datetime, word: asyncio.Event) -> None:
    """Returns when the instant has come, as `Clock.sleep_until` has it, or the word."""
    async with asyncio.TaskGroup() as group:
        told = group.create_task(word.wait())
        due = group.create_task(clock.sleep_until(until))
        await asyncio.wait((told, due), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        due.cancel()
