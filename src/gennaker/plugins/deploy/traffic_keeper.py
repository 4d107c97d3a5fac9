"""The traffic keeper: lets the load balancers follow instances that die, move to another port or come back.

Each load balancer is looked after for itself, so one whose provider is slow, or whose switch takes its time, holds up no other.
Where a provider tells that an instance has left, the next look at those that may have had it is at once, or when the one that goes on
ends; then they are a fifth of a second apart at least, as a thousand instances may leave in a row.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from gennaker.interfaces.departures import Departure
from gennaker.interfaces.plugins import Service
from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.deploy import traffic_shares
from gennaker.plugins.deploy.traffic_shares import Balanced
from gennaker.transport import waking

log = structlog.get_logger()

_EVERY = timedelta(seconds=1)
_APART = timedelta(seconds=0.2)
_AT_ONCE = 16
"""Load balancers that are asked at a time: a server may have hundreds, all behind one program."""


async def keep(services: Services) -> None:
    """Looks about every second, and when an instance has left, until cancelled."""
    keeper = _Keeper(services)
    with services.departures.heard(keeper.hear):
        await keeper.run()


class _Keeper:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._gone: set[Departure] = set()
        self._is_told = asyncio.Event()
        self._under_way: set[str] = set()
        self._again: set[str] = set()
        """Of those under way: what has left since may be missing in what they saw."""
        self._room = asyncio.Semaphore(_AT_ONCE)

    def hear(self, departure: Departure) -> None:
        self._gone.add(departure)
        self._is_told.set()

    async def run(self) -> None:
        clock = self._services.clock
        async with asyncio.TaskGroup() as group:
            of_all: datetime | None = None
            while True:
                began = clock.now()
                # A clock that was put back must not keep it from looking.
                is_due = of_all is None or not of_all <= began < of_all + _EVERY
                of_all = began if is_due or of_all is None else of_all
                gone, self._gone = self._gone, set()
                self._is_told.clear()
                for load_balancer, balanced in (await traffic_shares.everything(self._services)).items():
                    has_lost = any(_may_have_lost(balanced, one) for one in gone)
                    if load_balancer in self._under_way:
                        self._again |= {load_balancer} if has_lost else set()
                    elif is_due or has_lost:
                        self._under_way.add(load_balancer)
                        group.create_task(self._follow(load_balancer))
                await clock.sleep_until(clock.now() + _APART)
                await waking.wait(clock, of_all + _EVERY, self._is_told)

    async def _follow(self, load_balancer: str) -> None:
        try:
            await self._look(load_balancer)
            while load_balancer in self._again:
                self._again.discard(load_balancer)
                await self._look(load_balancer)
        finally:
            self._under_way.discard(load_balancer)

    async def _look(self, load_balancer: str) -> None:
        try:
            async with self._room:
                await traffic_shares.bring_about(self._services, load_balancer)
        except (Refused, OSError) as error:
            log.warning("traffic.not_kept", load_balancer=load_balancer, why=str(error))


def _may_have_lost(balanced: Balanced, departure: Departure) -> bool:
    place = (departure.cloud_provider, departure.place.account, departure.place.region)
    return any(
        (one.cloud_provider, one.account, one.region) == place
        and one.application.lower() == departure.application.lower()
        for one in balanced.members.values()
    )


service = Service(name="traffic-keeper", run=keep)
