"""The system's clock and identifiers."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from gennaker.worker import clock as clocks
from gennaker.worker.clock import SystemClock, SystemIds


def test_now_is_aware_and_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_sleeping_until_an_instant_returns_when_it_has_come_and_at_once_when_it_is_past() -> None:
    clock = SystemClock()
    until = clock.now() + timedelta(milliseconds=20)

    asyncio.run(clock.sleep_until(until))

    assert clock.now() >= until
    asyncio.run(clock.sleep_until(until - timedelta(days=1)))
    assert clock.now() < until + timedelta(seconds=5)


def test_a_clock_that_is_put_back_wakes_who_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_LONGEST_SLEEP_SECONDS", 0.01)
    clock = PutBack()
    year = clock.now() + timedelta(days=365)

    async def story() -> None:
        async with asyncio.timeout(600), asyncio.TaskGroup() as group:
            sleeper = group.create_task(clock.sleep_until(year + timedelta(hours=1)))
            clock.ahead = timedelta(days=365)
            await asyncio.sleep(0.05)
            assert not sleeper.done()
            clock.ahead = timedelta()

    asyncio.run(story())


class PutBack(SystemClock):
    """One that is ahead of the machine's."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


def test_ulids_sort_by_time_and_never_repeat() -> None:
    ids = SystemIds()
    clock = SystemClock()

    first = ids.ulid()
    asyncio.run(clock.sleep_until(clock.now() + timedelta(milliseconds=3)))
    many = {ids.ulid() for _ in range(1000)}

    assert len(many) == 1000
    assert first < min(many)
    assert all(re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", one) for one in many)


def test_tokens_and_uuids_have_their_form() -> None:
    ids = SystemIds()

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", ids.token())
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ids.uuid())
    assert ids.token() != ids.token()
