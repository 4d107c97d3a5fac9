"""Waking: whichever comes first, the instant or the word."""

import asyncio
from datetime import timedelta

import pytest
from tests.fakes.virtual_time import VirtualTime

from gennaker.transport import waking


@pytest.mark.parametrize(("word_after", "woken_after"), [(3, 3), (20, 10)])
def test_sleep_ends_with_the_word_or_at_the_instant(word_after: float, woken_after: float) -> None:
    time = VirtualTime()

    async def story() -> float:
        word = asyncio.Event()
        asyncio.get_running_loop().call_later(word_after, word.set)
        await waking.wait(time, time.now() + timedelta(seconds=10), word)
        return time.seconds

    assert time.run(story()) == pytest.approx(woken_after)
