"""The traffic keeper: lets the load balancers follow instances that die, move to another port or come back.

Each load balancer is looked after for itself, so one whose provider is slow, or whose switch takes its time, holds up no other.
"""

import asyncio
from datetime import timedelta

import structlog

from gennaker.interfaces.plugins import Service
from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.deploy import traffic_shares

log = structlog.get_logger()

_EVERY = timedelta(seconds=1)
_AT_ONCE = 16
"""Load balancers that are asked at a time: a server may have hundreds, all behind one program."""


async def keep(services: Services) -> None:
    """Looks about every second, until cancelled."""
    under_way: set[str] = set()
    room = asyncio.Semaphore(_AT_ONCE)

    async def follow(load_balancer: str) -> None:
        try:
            async with room:
                await traffic_shares.bring_about(services, load_balancer)
        except (Refused, OSError) as error:
            log.warning("traffic.not_kept", load_balancer=load_balancer, why=str(error))
        finally:
            under_way.discard(load_balancer)

    async with asyncio.TaskGroup() as group:
        while True:
            for load_balancer in await traffic_shares.everything(services):
                if load_balancer not in under_way:
                    under_way.add(load_balancer)
                    group.create_task(follow(load_balancer))
            await services.clock.sleep_until(services.clock.now() + _EVERY)


service = Service(name="traffic-keeper", run=keep)
