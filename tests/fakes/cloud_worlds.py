"""Surroundings of cloud providers in tests: images that can be run, and what all their tests use.

A `World` is one provider's surroundings, and a new provider object over the same state, as after the server was killed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import websockets
from tests import waiting
from tests.fakes.clouds import CloudState, FakeCloud
from tests.fakes.documents import MemoryStore
from tests.fakes.engines import EngineInTests
from tests.fakes.faulty import Faults, FaultyCloud
from tests.fakes.kubernetes_world import KubernetesWorld
from tests.fakes.registry import MemoryRegistry

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.interfaces.clouds import (
    Capacity,
    CloudProvider,
    Health,
    HealthProbe,
    Instance,
    Job,
    NewServerGroup,
    Place,
    ServerGroup,
)
from gennaker.model.codec import JsonObject
from gennaker.plugins.docker.provider import DockerProvider, Parts
from gennaker.plugins.local.provider import LocalProvider
from gennaker.transport.processes import Processes
from gennaker.worker.clock import SystemClock, SystemIds

IMAGE = Path(__file__).parents[1] / "fakes" / "image"
CONFIG: JsonObject = {"Cmd": ["python3", "/app/server.py"], "WorkingDir": "/app", "Env": ["COLOUR=blue"]}
PLACE = Place(account="local", region="local")
PROBE = HealthProbe(interval=timedelta(seconds=0.1), timeout=timedelta(minutes=1))
"""Who is slow to answer, as everybody is on a busy machine, isn't down."""
LEAVE_REPORTS = (
    "echo '<x/>' > report.xml; mkdir -p out/deep/er out/none; echo 1 > out/one.txt; echo 2 > out/deep/er/two.png;"
    " ln -s /etc/passwd out/link; ln -s one.txt out/same"
)
"""What a job's shell does to leave a report, and a folder of files, of which one lies elsewhere."""
LEFT_REPORTS = {"junit": b"<x/>\n", "files/one.txt": b"1\n", "files/deep/er/two.png": b"2\n"}

Value = TypeVar("Value")


class World(Protocol):
    """What a test needs of a provider's surroundings."""

    image: str
    """A web server."""

    def provider(self) -> CloudProvider:
        """The provider that works now."""
        ...

    async def restart(self) -> None:
        """Ends the provider as a kill would; another object takes over its state."""
        ...


class FakeWorld:
    """In memory."""

    image = "127.0.0.1:5000/web@sha256:0"

    def __init__(self) -> None:
        self._state = CloudState()
        self._state.images.add(self.image)

    def provider(self) -> CloudProvider:
        return FakeCloud(self._state, PLACE)

    async def restart(self) -> None:
        pass


class FaultlessWorld(FakeWorld):
    """Behind faults, of which there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[str, datetime] = {}

    def provider(self) -> CloudProvider:
        return FaultyCloud(super().provider(), Faults(), SystemClock(), self._begun)


class LocalWorld:
    """Real processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = MemoryRegistry()
        self.image = self.source.add("web", "1", IMAGE, CONFIG)
        self.documents = MemoryStore()
        self.secrets = ResolvedSecrets(Masker())
        self._provider = self._new()
        self._group = asyncio.TaskGroup()
        self._keeping: asyncio.Task[None] | None = None

    def _new(self) -> LocalProvider:
        return LocalProvider(
            data=self.folder,
            documents=self.documents,
            registries={"local-registry": self.source},
            secrets=self.secrets,
            clock=SystemClock(),
        )

    async def open(self) -> None:
        await self._group.__aenter__()
        self._keeping = self._group.create_task(self._provider.keep())

    async def restart(self) -> None:
        assert self._keeping is not None
        self._keeping.cancel()
        await asyncio.wait([self._keeping])
        self._provider = self._new()
        self._keeping = self._group.create_task(self._provider.keep())

    async def close(self) -> None:
        assert self._keeping is not None
        self._keeping.cancel()
        await self._group.__aexit__(None, None, None)
        await Processes(self.folder).stop_all(timedelta(seconds=2))

    def provider(self) -> LocalProvider:
        return self._provider


class DockerWorld:
    """Real containers."""

    def __init__(self, folder: Path, engine: EngineInTests) -> None:
        self.folder = folder
        self.engine = engine
        self.image = engine.image
        self.documents = MemoryStore()
        self.secrets = ResolvedSecrets(Masker())
        self._provider = self._new()
        self._group = asyncio.TaskGroup()
        self._keeping: asyncio.Task[None] | None = None

    def _new(self) -> DockerProvider:
        parts = Parts(
            data=self.folder,
            documents=self.documents,
            registries={},
            secrets=self.secrets,
            clock=SystemClock(),
            ids=SystemIds(),
        )
        return DockerProvider({PLACE.account: self.engine.settings}, parts)

    async def open(self) -> None:
        await self._group.__aenter__()
        self._keeping = self._group.create_task(self._provider.keep())

    async def restart(self) -> None:
        assert self._keeping is not None
        self._keeping.cancel()
        await asyncio.wait([self._keeping])
        self._provider = self._new()
        self._keeping = self._group.create_task(self._provider.keep())

    async def close(self) -> None:
        assert self._keeping is not None
        self._keeping.cancel()
        await self._group.__aexit__(None, None, None)
        await asyncio.to_thread(self.engine.remove_all)

    def provider(self) -> DockerProvider:
        return self._provider


@asynccontextmanager
async def docker_world(folder: Path, engine: EngineInTests) -> AsyncIterator[DockerWorld]:
    docker = DockerWorld(folder, engine)
    await docker.open()
    try:
        yield docker
    finally:
        await docker.close()


@asynccontextmanager
async def world(kind: str, folder: Path, engine: EngineInTests | None = None) -> AsyncIterator[World]:
    if engine is not None:
        async with docker_world(folder, engine) as docker:
            yield docker
        return
    if kind == "kubernetes":
        source = MemoryRegistry()
        yield KubernetesWorld(PLACE, source.add("web", "1", IMAGE, CONFIG), source)
        return
    if kind != "local":
        yield FakeWorld() if kind == "fake" else FaultlessWorld()
        return
    local = LocalWorld(folder)
    await local.open()
    try:
        yield local
    finally:
        await local.close()


@asynccontextmanager
async def local_world(folder: Path) -> AsyncIterator[LocalWorld]:
    async with world("local", folder) as here:
        assert isinstance(here, LocalWorld)
        yield here


Opened = Callable[[], AbstractAsyncContextManager[World]]


def wanted(image: str, name: str = "shop-prod-v000", *, count: int = 1, **environment: str) -> NewServerGroup:
    return NewServerGroup(
        key=f"create {name}",
        name=name,
        place=PLACE,
        image=image,
        version="1.2.3-abc",
        capacity=Capacity(min=count, max=count, desired=count),
        load_balancers=("shop-prod",),
        environment=environment,
        probe=PROBE,
        drain_timeout=timedelta(hours=1),
        labels={"team": "shop"},
    )


async def until(look: Callable[[], Awaitable[Value | None]]) -> Value:
    """The first answer that isn't None."""
    found: list[Value] = []

    async def is_there() -> bool:
        answer = await look()
        found.extend([] if answer is None else [answer])
        return bool(found)

    await waiting.until_found(is_there, "it to happen", pause_seconds=0.02)
    return found[0]


async def group_with(here: World, healths: tuple[Health, ...], name: str = "shop-prod-v000") -> ServerGroup:
    """The server group as soon as its instances have these healths."""

    async def look() -> ServerGroup | None:
        for group in await here.provider().describe("shop"):
            if group.name == name and tuple(one.health for one in group.instances) == healths:
                return group
        return None

    return await until(look)


async def drains_until_it_is_left(here: World, one: Instance) -> None:
    """What an instance has under way when its server group is destroyed goes on for as long as somebody wants it."""
    assert one.address is not None
    async with websockets.connect(f"ws://{one.address}/socket", compression=None) as socket:
        await socket.send("before")
        assert await socket.recv() == "before"
        await here.provider().destroy(PLACE, one.id.rpartition("-")[0])
        await group_with(here, (Health.DRAINING,))
        await socket.send("after")
        assert await socket.recv() == "after"

    async def look() -> bool | None:
        return True if await here.provider().describe("shop") == () else None

    await until(look)


async def ended(here: World, job: Job) -> Job:
    async def look() -> Job | None:
        found = await here.provider().job(PLACE, job.id)
        assert found is not None
        return found if found.state in (Health.SUCCEEDED, Health.FAILED) else None

    return await until(look)
