"""What the folder of proxies offers."""

import asyncio
from functools import partial

import structlog

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.proxies.envoy import Envoy
from gennaker.plugins.proxies.haproxy import HAProxy
from gennaker.plugins.proxies.nginx import Nginx
from gennaker.plugins.proxies.provider import ProxyProvider
from gennaker.plugins.proxies.traefik import Traefik

log = structlog.get_logger()

_KEEP_SECONDS = 1.0
_PROGRAMS = (HAProxy(), Envoy(), Nginx(), Traefik())


async def keep(services: Services) -> None:
    """Keeps every load balancer's process running with what is desired, until cancelled."""
    providers = [one for one in services.traffic.values() if isinstance(one, ProxyProvider)]
    new = {provider.name for provider in providers}
    said: dict[str, str] = {}
    while True:
        for provider in providers:
            why = ""
            if provider.name in new or not await provider.is_kept():
                try:
                    await provider.reconcile()
                    new.discard(provider.name)
                except (Refused, OSError) as error:
                    why = str(error)
            if why and why != said.get(provider.name):
                log.warning("proxy.not_kept", program=provider.name, why=why)
            said[provider.name] = why
        await asyncio.sleep(_KEEP_SECONDS)


plugin = Plugin(
    name="proxies",
    traffic=tuple(partial(ProxyProvider.of, program=program) for program in _PROGRAMS),
    services=(Service(name="proxy-keeper", run=keep),),
)
