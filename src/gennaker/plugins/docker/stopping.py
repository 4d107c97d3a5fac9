"""Stopping: ends the containers of an installation on which no server runs."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.plugins.docker import owners
from gennaker.plugins.docker.containers import Containers
from gennaker.plugins.docker.engine import Engine
from gennaker.settings import DockerSettings


async def stop_all(accounts: Mapping[str, DockerSettings], data: Path, *, drain_seconds: int = 10) -> int:
    """Stops them all at the same time; returns how many ran. Raises EngineUnreachable, Refused.

    They stay in the engine, with their logs, until the server runs again.
    """
    owner = owners.read(data)
    if not owner:
        return 0
    secrets = ResolvedSecrets(Masker())  # Nothing is made that could need any.
    counts = [
        await _stop(Containers(Engine(name, one), one, secrets), owner, drain_seconds) for name, one in accounts.items()
    ]
    return sum(counts)


async def _stop(containers: Containers, owner: str, drain_seconds: int) -> int:
    running = [one for one in (await containers.list(owner)).values() if one.state == "running"]
    async with asyncio.TaskGroup() as group:
        for one in running:
            group.create_task(containers.stop(one.id, drain_seconds))
    return len(running)
