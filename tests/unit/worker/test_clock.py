"""The system's clock and identifiers."""

import asyncio
import re
from datetime import UTC, timedelta

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
