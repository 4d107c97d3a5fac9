"""The cloud provider `docker`: server groups whose instances are containers, and jobs, on any number of engines.

Requests only change records (Documents `docker.ACCOUNT.server-groups`, `docker.ACCOUNT.jobs`); `transport/instances` makes
the containers match, in `keep`, which runs as long as the server.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import structlog

from gennaker.interfaces.clock import Clock, Ids
from gennaker.interfaces.clouds import Capacity, Job, NewJob, NewServerGroup, Place, ServerGroup
from gennaker.interfaces.documents import Documents
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.docker import options as container_options
from gennaker.plugins.docker import owners, problems, runs
from gennaker.plugins.docker.containers import Containers
from gennaker.plugins.docker.engine import Engine
from gennaker.plugins.docker.images import Images
from gennaker.plugins.docker.jobs import Jobs
from gennaker.plugins.docker.options import Options
from gennaker.plugins.docker.runs import ContainerRuns
from gennaker.settings import DockerSettings
from gennaker.transport.instances.keeping import Instances
from gennaker.transport.instances.records import GroupRecord, instance_id

log = structlog.get_logger()

_TICK_SECONDS = 0.5
"""Between two looks at jobs."""
_PAUSE_SECONDS = 2.0
"""After one that has failed."""


class Account:
    """One engine and what is kept going on it."""

    def __init__(self, name: str, settings: DockerSettings, parts: "Parts") -> None:
        """Nothing is asked before the first request."""
        self.place = Place(account=name, region=settings.region)
        self.settings = settings
        self._data = parts.data
        self._ids = parts.ids
        self._owner = ""
        self._engine = Engine(name, settings)
        self.containers = Containers(self._engine, settings, parts.secrets)
        self.images = Images(self._engine, settings, parts.registries, parts.secrets)
        self.instances = Instances(
            provider="docker",
            key=f"{parts.data}/docker/{name}",
            documents=parts.documents(f"docker.{name}.server-groups"),
            runs=ContainerRuns(self.containers, self.images, settings, self.owner),
            clock=parts.clock,
            host=settings.instance_host,
        )
        self.jobs = Jobs(
            containers=self.containers,
            images=self.images,
            documents=parts.documents(f"docker.{name}.jobs"),
            clock=parts.clock,
            data=parts.data,
            owner=self.owner,
        )

    async def owner(self) -> str:
        """The mark of this installation on its containers."""
        if not self._owner:
            self._owner = await asyncio.to_thread(owners.kept, self._data, self._ids.uuid)
        return self._owner

    async def keep(self) -> None:
        """Keeps instances as they should be and ends jobs in time, until cancelled."""
        following = self.containers.follow(await self.owner(), self.instances.nudge)
        async with asyncio.TaskGroup() as group:
            group.create_task(following, name=f"docker:{self.place.account}:events")
            group.create_task(self.instances.keep(), name=f"docker:{self.place.account}:instances")
            await self._keep_jobs()

    async def _keep_jobs(self) -> None:
        said = ""
        while True:
            why = ""
            try:
                await self.jobs.look()
            except Refused as refused:
                why = str(refused)
            if why and why != said:
                log.warning("docker.jobs_unknown", account=self.place.account, why=why)
            said = why
            await asyncio.sleep(_PAUSE_SECONDS if why else _TICK_SECONDS)

    async def check_memory(self, new: NewServerGroup, options: Options) -> None:
        """Raises Refused where the limits of all instances together would be more than the engine says that its machine has."""
        wanted = container_options.memory_bytes(options.memory) * new.needs_room_for
        if not wanted or self.settings.overcommit:
            return
        records = [one for one in await self.instances.records() if not one.is_destroyed]
        taken = sum(container_options.memory_of(one.new.provider_options) * one.capacity.desired for one in records)
        if 0 < (there := await self._engine.memory_bytes()) < taken + wanted:
            raise problems.no_memory(self.place.account, new.name, wanted=wanted, taken=taken, there=there)


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What every account needs."""

    data: Path
    documents: Callable[[str], Documents]
    registries: Mapping[str, ImageRegistry]
    secrets: Secrets
    clock: Clock
    ids: Ids


class DockerProvider:
    """Offers the port CloudProvider."""

    name = "docker"

    def __init__(self, accounts: Mapping[str, DockerSettings], parts: Parts) -> None:
        """Nothing runs before `keep`."""
        self._clock = parts.clock
        self._accounts = {name: Account(name, settings, parts) for name, settings in accounts.items()}

    @classmethod
    def of(cls, services: Services) -> "DockerProvider":
        """The provider as the server has it."""
        parts = Parts(
            data=services.data,
            documents=services.documents,
            registries=services.registries,
            secrets=services.secrets,
            clock=services.clock,
            ids=services.ids,
        )
        return cls(services.settings.docker, parts)

    async def places(self) -> tuple[Place, ...]:
        """One an account."""
        return tuple(account.place for account in self._accounts.values())

    async def create(self, new: NewServerGroup) -> ServerGroup:
        """Begins a server group. Raises Refused for an image that can't be had or run, and for a name that is taken."""
        account = self._account(new.place)
        found = await account.instances.record(new.name)
        if found is None:
            options = container_options.of_server_group(new.provider_options, account.settings)
            await account.check_memory(new, options)
            await account.containers.check_secrets(new.environment, new.application)
            image = await account.images.ready(new.image)
            runs.check(image, options, new.environment)
            pinned = msgspec.structs.replace(new, image=image.reference)
            record = GroupRecord(new=pinned, created_at=self._clock.now(), capacity=new.capacity)
            await account.instances.add(record)
            found = await account.instances.record(new.name)
        if found is None or found.new.key != new.key or found.is_destroyed:
            raise problems.taken(new.name)
        return await account.instances.shown(found)

    async def resize(self, place: Place, name: str, capacity: Capacity) -> None:
        """Sets the target capacity; the newest instances beyond it are drained and stopped, unhealthy ones first."""
        await self._change(place, name, lambda record: msgspec.structs.replace(record, capacity=capacity))

    async def set_disabled(self, place: Place, name: str, *, is_disabled: bool) -> None:
        """Records whether the server group takes part in traffic."""
        await self._change(place, name, lambda record: msgspec.structs.replace(record, is_disabled=is_disabled))

    async def destroy(self, place: Place, name: str) -> None:
        """Drains and removes."""
        instances = self._account(place).instances
        await instances.change(name, lambda record: msgspec.structs.replace(record, is_destroyed=True))

    async def describe(self, application: str) -> tuple[ServerGroup, ...]:
        """All server groups of an application, oldest first, with live health."""
        return await self._described(lambda record: record.moniker.app == application)

    async def describe_all(self) -> tuple[ServerGroup, ...]:
        """As `describe`, of all applications. Offers the port AllAtOnce."""
        return await self._described(lambda _: True)

    async def _described(self, is_wanted: Callable[[GroupRecord], bool]) -> tuple[ServerGroup, ...]:
        found = [
            (record, account)
            for account in self._accounts.values()
            for record in await account.instances.records()
            if is_wanted(record)
        ]
        found.sort(key=lambda one: (one[0].created_at, one[0].name))
        return tuple([await account.instances.shown(record) for record, account in found])

    async def logs(self, place: Place, name: str, instance_id: str, lines: int = 200) -> str:
        """The end of an instance's log."""
        account = self._account(place)
        record = await account.instances.record(name)
        for one in record.instances if record else ():
            if _is_named(name, one.number, instance_id):
                return await account.instances.log(name, one, lines)
        raise problems.unknown(instance_id)

    async def run_job(self, new: NewJob) -> Job:
        """Begins a job, or returns the one that has this key."""
        return await self._account(new.place).jobs.run(new)

    async def job(self, place: Place, job_id: str) -> Job | None:
        """The job as it is now."""
        return await self._account(place).jobs.find(job_id)

    async def stop_job(self, place: Place, job_id: str) -> None:
        """Stops a job."""
        await self._account(place).jobs.stop(job_id)

    async def keep(self) -> None:
        """Keeps all accounts going until cancelled."""
        async with asyncio.TaskGroup() as group:
            for account in self._accounts.values():
                group.create_task(account.keep(), name=f"docker:{account.place.account}")
            await asyncio.Event().wait()

    async def _change(self, place: Place, name: str, change: Callable[[GroupRecord], GroupRecord]) -> None:
        if not await self._account(place).instances.change(name, change):
            raise problems.unknown(name)

    def _account(self, place: Place) -> Account:
        account = self._accounts.get(place.account)
        if account is None or account.place != place:
            known = tuple(f"{one.place.account}/{one.place.region}" for one in self._accounts.values())
            raise problems.unknown_place(place.account, place.region, known)
        return account


async def keep(services: Services) -> None:
    """Keeps the server's own provider going."""
    provider = services.clouds[DockerProvider.name]
    assert isinstance(provider, DockerProvider)
    await provider.keep()


def _is_named(group: str, number: int, wanted: str) -> bool:
    return instance_id(group, number) == wanted
