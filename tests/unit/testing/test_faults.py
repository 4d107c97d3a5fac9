"""Faults around providers change nothing that they weren't told to."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.fakes.cloud_worlds import PLACE, FakeWorld, group_with, wanted

from gennaker.interfaces.clouds import Health
from gennaker.testing.faults import Faults, FaultyCloud


class GoingOn:
    """A clock that goes on at each look, as a real one does."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 29, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(microseconds=1)
        return self._now

    async def sleep_until(self, at: datetime) -> None:
        raise AssertionError("nobody waits")


def test_server_groups_that_were_there_before_are_as_healthy_as_they_are() -> None:
    async def story() -> None:
        world = FakeWorld()
        await world.provider().create(wanted(world.image))
        (before,) = (await group_with(world, (Health.UP,))).instances

        found = await FaultyCloud(world.provider(), Faults(), GoingOn(), {}).describe("shop")

        assert [(one.place, one.instances) for one in found] == [(PLACE, (before,))]

    asyncio.run(story())
