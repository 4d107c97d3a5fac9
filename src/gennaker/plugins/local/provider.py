"""The cloud provider `local`: server groups whose instances are processes, and jobs, on this machine.

Requests only change records (Documents `local.server-groups`, `local.jobs`); `transport/instances` makes the processes match,
in `keep`, which runs as long as the server.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from gennaker.interfaces import secrets as secrets_port
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.clouds import Capacity, Job, NewJob, NewServerGroup, Place, ServerGroup
from gennaker.interfaces.documents import Documents
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.services import Services
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.local import command
from gennaker.plugins.local.images import Images
from gennaker.plugins.local.jobs import Jobs
from gennaker.plugins.local.records import PLACE
from gennaker.plugins.local.runs import ProcessRuns
from gennaker.transport import processes
from gennaker.transport.instances.keeping import Instances
from gennaker.transport.instances.records import GroupRecord, instance_id

_SWEEP_SECONDS = 600.0


class LocalProvider:
    """Offers the port CloudProvider."""

    name = "local"

    def __init__(
        self,
        *,
        data: Path,
        documents: Callable[[str], Documents],
        registries: Mapping[str, ImageRegistry],
        secrets: Secrets,
        clock: Clock,
    ) -> None:
        """`data`: the data folder. Nothing runs before `keep`."""
        self._clock = clock
        self._secrets = secrets
        self._images = Images(data / "images", registries)
        folder = data / "local" / "instances"
        self.instances = Instances(
            provider=self.name,
            key=str(folder),
            documents=documents("local.server-groups"),
            runs=ProcessRuns(folder=folder, images=self._images, secrets=secrets, host_path=processes.host_path()),
            clock=clock,
        )
        self.jobs = Jobs(
            folder=data / "local" / "jobs",
            documents=documents("local.jobs"),
            images=self._images,
            secrets=secrets,
            clock=clock,
            host_path=processes.host_path(),
        )

    @classmethod
    def of(cls, services: Services) -> "LocalProvider":
        """The provider as the server has it."""
        return cls(
            data=services.data,
            documents=services.documents,
            registries=services.registries,
            secrets=services.secrets,
            clock=services.clock,
        )

    async def places(self) -> tuple[Place, ...]:
        """This machine."""
        return (PLACE,)

    async def create(self, new: NewServerGroup) -> ServerGroup:
        """Begins a server group. Raises Refused for an image that can't be run and for a name that is taken."""
        _check_place(new.place)
        found = await self.instances.record(new.name)
        if found is None:
            await secrets_port.variables(self._secrets, new.environment, new.application)
            files = await self._images.files(new.image)
            await asyncio.to_thread(
                command.command, files, environment=new.environment, host_path=processes.host_path()
            )
            pinned = msgspec.structs.replace(new, image=files.reference)
            record = GroupRecord(new=pinned, created_at=self._clock.now(), capacity=new.capacity)
            await self.instances.add(record)
            found = await self.instances.record(new.name)
        if found is None or found.new.key != new.key or found.is_destroyed:
            raise Refused(_taken(new.name), status=409)
        return await self.instances.shown(found)

    async def resize(self, place: Place, name: str, capacity: Capacity) -> None:
        """Sets the target capacity; the newest instances beyond it are drained and stopped, unhealthy ones first."""
        _check_place(place)
        if not await self.instances.change(name, lambda record: msgspec.structs.replace(record, capacity=capacity)):
            raise Refused(_unknown(name), status=404)

    async def set_disabled(self, place: Place, name: str, *, is_disabled: bool) -> None:
        """Records whether the server group takes part in traffic."""
        _check_place(place)
        if not await self.instances.change(
            name, lambda record: msgspec.structs.replace(record, is_disabled=is_disabled)
        ):
            raise Refused(_unknown(name), status=404)

    async def destroy(self, place: Place, name: str) -> None:
        """Drains and removes."""
        _check_place(place)
        await self.instances.change(name, lambda record: msgspec.structs.replace(record, is_destroyed=True))

    async def describe(self, application: str) -> tuple[ServerGroup, ...]:
        """All server groups of an application, oldest first, with live health."""
        records = [record for record in await self.instances.records() if record.moniker.app == application]
        return await self._shown(records)

    async def describe_all(self) -> tuple[ServerGroup, ...]:
        """As `describe`, of all applications. Offers the port AllAtOnce."""
        return await self._shown([*await self.instances.records()])

    async def _shown(self, records: list[GroupRecord]) -> tuple[ServerGroup, ...]:
        records.sort(key=lambda record: (record.created_at, record.name))
        return tuple([await self.instances.shown(record) for record in records])

    async def logs(self, place: Place, name: str, instance_id: str, lines: int = 200) -> str:
        """The end of an instance's log."""
        _check_place(place)
        record = await self.instances.record(name)
        if record is not None:
            for one in record.instances:
                if _is_named(record, one.number, instance_id):
                    return await self.instances.log(name, one, lines)
        raise Refused(_unknown(instance_id), status=404)

    async def run_job(self, new: NewJob) -> Job:
        """Begins a job, or returns the one that has this key."""
        _check_place(new.place)
        return await self.jobs.run(new)

    async def job(self, place: Place, job_id: str) -> Job | None:
        """The job as it is now."""
        _check_place(place)
        return await self.jobs.find(job_id)

    async def stop_job(self, place: Place, job_id: str) -> None:
        """Stops a job."""
        _check_place(place)
        await self.jobs.stop(job_id)

    async def keep(self) -> None:
        """Keeps instances as they should be, and sweeps old jobs, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.instances.keep(), name="local:instances")
            while True:
                await self.jobs.sweep()
                await asyncio.sleep(_SWEEP_SECONDS)


async def keep(services: Services) -> None:
    """Keeps the server's own provider going."""
    provider = services.clouds[LocalProvider.name]
    assert isinstance(provider, LocalProvider)
    await provider.keep()


def _is_named(record: GroupRecord, number: int, wanted: str) -> bool:
    return instance_id(record.name, number) == wanted


def _check_place(place: Place) -> None:
    if place != PLACE:
        raise Refused(
            Problem(
                code="local.place",
                message=f"The provider local has no account {place.account!r} with region {place.region!r}.",
                remedy="Write account local and region local.",
            )
        )


def _taken(name: str) -> Problem:
    return Problem(
        code="server_group.exists",
        message=f"There is a server group {name} already.",
        remedy="Wait until it is destroyed, or create one with another number.",
    )


def _unknown(name: str) -> Problem:
    return Problem(
        code="server_group.unknown",
        message=f"There is no {name} in the provider local.",
        remedy="It may have been destroyed; look at the application's clusters.",
    )
