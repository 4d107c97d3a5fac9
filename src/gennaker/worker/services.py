"""Long-running services: pollers, scrapers and sweeps, kept running as long as the server."""

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from gennaker.interfaces.plugins import Service
from gennaker.interfaces.servers import Servers
from gennaker.interfaces.services import Services
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.problems import Refused
from gennaker.transport import cancellation

log = structlog.get_logger()

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_LEASE_PAUSE_SECONDS = 2.0
"""How often is asked for the lease of a service that another server runs."""


async def run_all(wanted: Sequence[Service], services: Services, servers: Servers) -> None:
    """Runs every service until this is cancelled; one that raises is started again after a pause, which grows while it raises soon.

    Of the servers that share a store one runs each of them, as long as it lives (`is_everywhere`: all do).
    """
    async with asyncio.TaskGroup() as group:
        for service in wanted:
            group.create_task(_keep_running(service, services, servers), name=f"service:{service.name}")


async def _keep_running(service: Service, services: Services, servers: Servers) -> None:
    pause = _FIRST_PAUSE_SECONDS
    now = asyncio.get_running_loop().time
    while True:
        began = now()
        try:
            if not service.is_everywhere:
                await _hold(f"service:{service.name}", servers)
                began = now()
            await cancellation.apart(partial(service.run, services))
        except Exception as error:
            pause = _pause(pause, now() - began)
            refusal = _refusal(error)
            said = str(refusal or error)
            log.exception(
                "service.failed", service=service.name, error=said, again_seconds=pause, exc_info=refusal is None
            )
        else:
            pause = _pause(pause, now() - began)
            log.warning("service.ended", service=service.name, again_seconds=pause)
        cancellation.pass_on()
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _pause(pause: float, ran_seconds: float) -> float:
    """The shortest for one that ran for long: what failed weeks ago says nothing of what has failed now."""
    return _FIRST_PAUSE_SECONDS if ran_seconds >= _LONGEST_PAUSE_SECONDS else pause


async def _hold(lease: str, servers: Servers) -> None:
    """Returns when this server has the lease."""
    while not await servers.hold(lease):  # noqa: ASYNC110 - another process gives it up, or dies
        await asyncio.sleep(_LEASE_PAUSE_SECONDS)


def _refusal(error: Exception) -> StoreUnusable | Refused | None:
    """What says itself what a person must mend (a full disk, a port in use), if that is all that failed: it needs no trace."""
    if isinstance(error, StoreUnusable | Refused):
        return error
    if not isinstance(error, ExceptionGroup):
        return None
    found = [_refusal(one) for one in error.exceptions]
    return found[0] if all(found) else None
