"""Runs: an instance's attempt as a process over an image's files."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

from gennaker.interfaces import secrets as secrets_port
from gennaker.interfaces.secrets import Secrets
from gennaker.plugins.local import command, secret_variables
from gennaker.plugins.local.images import Images
from gennaker.transport.instances.records import GroupRecord, InstanceRecord
from gennaker.transport.processes import Processes, ProcessSpec, ProcessState, ProcessStatus


class ProcessRuns:
    """Offers `transport.instances.keeping.Runs`."""

    def __init__(self, *, folder: Path, images: Images, secrets: Secrets, host_path: str) -> None:
        """`folder`: where runs are, `<server group>/<number>/<attempt>`."""
        self._folder = folder
        self._images = images
        self._secrets = secrets
        self._host_path = host_path
        self._processes = Processes(folder)

    async def look(self) -> None:
        """This machine's processes can always be looked at."""

    async def groups(self) -> frozenset[str]:
        """Server groups of which there is any run."""
        return frozenset(status.name.partition("/")[0] for status in await self._processes.list())

    async def statuses(self, names: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        """All of them as they are now."""
        found = await self._processes.statuses(names)
        for name, status in found.items():
            if status is not None and status.state is ProcessState.GONE:
                await self._processes.adopt(name)
        return found

    async def start(self, record: GroupRecord, one: InstanceRecord, name: str) -> None:
        """Starts it unless it was started before."""
        new = record.new
        files = await self._images.files(new.image)
        wished = await asyncio.to_thread(
            command.command,
            files,
            environment={**new.environment, "PORT": str(one.port), "HOST": "127.0.0.1", **record.facts(one)},
            host_path=self._host_path,
        )
        secret = await secrets_port.variables(self._secrets, new.environment, new.application)
        spec = ProcessSpec(
            argv=wished.argv,
            working_folder=str(wished.folder),
            environment={name: value for name, value in wished.environment.items() if name not in secret},
            has_secrets=bool(secret),
            stop_signal=wished.stop_signal,
            drain_seconds=new.drain_timeout.total_seconds(),
        )
        await self._processes.start(name, spec, secrets=secret_variables.for_child(secret))

    async def stop(self, name: str, drain_seconds: float) -> None:
        """Tells it to end; its shim ends it after the time."""
        await self._processes.stop(name)

    async def tail(self, name: str, lines: int) -> str:
        """The end of its output."""
        return await self._processes.tail(name, lines)

    async def remove(self, name: str) -> None:
        """Removes its folder."""
        await self._processes.remove(name)

    async def remove_group(self, group: str) -> None:
        """Ends and removes all runs of a server group."""
        for status in await self._processes.list(f"{group}/"):
            await self._processes.stop(status.name)
            await self._processes.wait(status.name, timedelta(seconds=60))
            await self._processes.remove(status.name)
        await asyncio.to_thread(shutil.rmtree, self._folder / group, ignore_errors=True)
