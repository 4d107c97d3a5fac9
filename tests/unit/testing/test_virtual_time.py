"""Virtual time: waits of any length take none."""

import asyncio
from datetime import timedelta

import pytest

from gennaker.testing.virtual_time import VirtualTime


@pytest.mark.parametrize("days", [1, 200, 4_000])
def test_waits_end_however_late_it_is(days: int) -> None:
    time = VirtualTime()
    before = time.now()

    async def story() -> None:
        await asyncio.sleep(days * 86_400)
        await asyncio.gather(*(asyncio.sleep(0.1) for _ in range(3)))
        await time.sleep_until(time.now() + timedelta(milliseconds=1))

    time.run(story())

    assert time.now() - before >= timedelta(days=days)
