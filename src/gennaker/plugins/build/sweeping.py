"""Sweeping: removes the workspaces of builds that have ended, however they ended, and what still ran in them."""

import asyncio
from datetime import timedelta

import structlog

from gennaker.interfaces.services import Services
from gennaker.plugins.build import slots
from gennaker.plugins.build.workspace import Workspace, all_places
from gennaker.transport.processes import Processes

log = structlog.get_logger()

_EVERY = timedelta(seconds=5)
_STOP_TIMEOUT = timedelta(seconds=15)


async def run(services: Services) -> None:
    """Sweeps until cancelled."""
    while True:
        await sweep(services)
        await services.clock.sleep_until(services.clock.now() + _EVERY)


async def sweep(services: Services) -> None:
    """Looks at all workspaces once."""
    if services.settings.builder.keep_workspaces:
        return
    for place in await asyncio.to_thread(lambda: list(all_places(services.data))):
        if await slots.is_building(services, place):
            continue
        processes = Processes(services.logs.folder(place.execution_id, place.stage_id))
        # Only this attempt's: the stage may have been restarted meanwhile.
        for status in await processes.list(f"{place.attempt}."):
            if not status.is_final:
                await processes.stop(status.name, is_immediate=True)
                await processes.wait(status.name, _STOP_TIMEOUT)
        await Workspace(services, place).remove()
        log.info("build.workspace_removed", execution=place.execution_id, stage=place.stage_id, attempt=place.attempt)
