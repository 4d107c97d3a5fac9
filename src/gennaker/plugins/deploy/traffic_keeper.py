"""The traffic keeper: lets the load balancers follow instances that die, move to another port or come back."""

from datetime import timedelta

import structlog

from gennaker.interfaces.plugins import Service
from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.deploy import traffic_shares

log = structlog.get_logger()

_EVERY = timedelta(seconds=1)


async def once(services: Services) -> None:
    """Brings about what is desired of every load balancer; one that can't be doesn't hold up the others."""
    for load_balancer in await traffic_shares.everything(services):
        try:
            await traffic_shares.bring_about(services, load_balancer)
        except (Refused, OSError) as error:
            log.warning("traffic.not_kept", load_balancer=load_balancer, why=str(error))


async def keep(services: Services) -> None:
    """Looks about every second, until cancelled."""
    while True:
        await once(services)
        await services.clock.sleep_until(services.clock.now() + _EVERY)


service = Service(name="traffic-keeper", run=keep)
