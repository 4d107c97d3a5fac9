"""Conformance of cloud providers: what every implementation of the port CloudProvider must do.

A `World` is one provider's surroundings: images that can be run, and a new provider object over the same state, as
after the server was killed. Tests of one provider alone follow at the end.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
from tests.fakes.clouds import CloudState, FakeCloud
from tests.fakes.documents import MemoryStore
from tests.fakes.image_source import ImageSource
from tests.fakes.web_client import WebClient

from gennaker.interfaces.clouds import (
    Capacity,
    CloudProvider,
    Health,
    HealthProbe,
    Job,
    NewJob,
    NewServerGroup,
    Place,
    ServerGroup,
)
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.local.provider import LocalProvider
from gennaker.transport.processes import Processes
from gennaker.worker.clock import SystemClock

IMAGE = Path(__file__).parents[1] / "fakes" / "image"
CONFIG: JsonObject = {"Cmd": ["python3", "/app/server.py"], "WorkingDir": "/app", "Env": ["COLOUR=blue"]}
PLACE = Place(account="local", region="local")
PROBE = HealthProbe(interval=timedelta(seconds=0.1), timeout=timedelta(seconds=1))

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


class LocalWorld:
    """Real processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = ImageSource()
        self.image = self.source.add("web", "1", IMAGE, CONFIG)
        self._documents = MemoryStore()
        self._provider = self._new()
        self._group = asyncio.TaskGroup()
        self._keeping: asyncio.Task[None] | None = None

    def _new(self) -> LocalProvider:
        return LocalProvider(
            data=self.folder,
            documents=self._documents,
            registries={"local-registry": self.source},
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


@asynccontextmanager
async def world(kind: str, folder: Path) -> AsyncIterator[World]:
    if kind == "fake":
        yield FakeWorld()
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


@pytest.fixture(params=["fake", pytest.param("local", marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    return lambda: world(request.param, tmp_path)


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
        drain_timeout=timedelta(seconds=5),
        labels={"team": "shop"},
    )


async def until(look: Callable[[], Awaitable[Value | None]]) -> Value:
    """The first answer that isn't None, looked for during ten seconds."""
    for _ in range(500):
        found = await look()
        if found is not None:
            return found
        await asyncio.sleep(0.02)
    pytest.fail("it did not happen within ten seconds")


async def group_with(here: World, healths: tuple[Health, ...], name: str = "shop-prod-v000") -> ServerGroup:
    """The server group as soon as its instances have these healths."""

    async def look() -> ServerGroup | None:
        for group in await here.provider().describe("shop"):
            if group.name == name and tuple(one.health for one in group.instances) == healths:
                return group
        return None

    return await until(look)


async def ended(here: World, job: Job) -> Job:
    async def look() -> Job | None:
        found = await here.provider().job(PLACE, job.id)
        assert found is not None
        return found if found.state in (Health.SUCCEEDED, Health.FAILED) else None

    return await until(look)


def test_a_new_server_group_comes_up_as_it_was_asked_for(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            created = await here.provider().create(wanted(here.image, count=2))
            group = await group_with(here, (Health.UP, Health.UP))

            assert (group.name, group.place, group.image, group.version) == (
                created.name,
                PLACE,
                here.image,
                "1.2.3-abc",
            )
            assert (group.moniker.app, group.moniker.stack, group.moniker.sequence) == ("shop", "prod", 0)
            assert (group.load_balancers, group.labels) == (("shop-prod",), {"team": "shop"})
            assert len({one.address for one in group.instances}) == 2

    asyncio.run(story())


def test_creating_with_the_same_key_again_returns_what_exists(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            await here.provider().create(wanted(here.image))
            first = await group_with(here, (Health.UP,))
            await here.restart()
            await here.provider().create(wanted(here.image))
            again = await group_with(here, (Health.UP,))

            assert first == again

    asyncio.run(story())


def test_a_name_that_another_key_has_is_refused(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            new = wanted(here.image)
            await here.provider().create(new)

            with pytest.raises(Refused) as refused:
                await here.provider().create(
                    NewServerGroup(key="other", name=new.name, place=PLACE, image=here.image, capacity=new.capacity)
                )

            assert refused.value.status == 409

    asyncio.run(story())


def test_an_image_that_there_is_not_is_refused(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            with pytest.raises(Refused):
                await here.provider().create(wanted("127.0.0.1:5000/nothing@sha256:" + "0" * 64))

            assert await here.provider().describe("shop") == ()

    asyncio.run(story())


def test_a_restart_of_the_provider_leaves_instances_alone(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            await here.provider().create(wanted(here.image, count=2))
            before = await group_with(here, (Health.UP, Health.UP))
            await here.restart()

            assert await here.provider().describe("shop") == (before,)

    asyncio.run(story())


def test_resizing_down_takes_the_newest_instances(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            await here.provider().create(wanted(here.image, count=3))
            before = await group_with(here, (Health.UP,) * 3)
            one = Capacity(min=1, max=1, desired=1)
            await here.provider().resize(PLACE, before.name, one)
            await here.provider().resize(PLACE, before.name, one)
            after = await group_with(here, (Health.UP,))

            assert after.instances == before.instances[:1]

    asyncio.run(story())


def test_resizing_up_adds_instances(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            await here.provider().create(wanted(here.image))
            before = await group_with(here, (Health.UP,))
            await here.provider().resize(PLACE, before.name, Capacity(min=2, max=2, desired=2))
            after = await group_with(here, (Health.UP, Health.UP))

            assert after.instances[0] == before.instances[0]

    asyncio.run(story())


def test_a_disabled_server_group_is_out_of_service_and_comes_back(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            await here.provider().create(wanted(here.image))
            before = await group_with(here, (Health.UP,))
            await here.provider().set_disabled(PLACE, before.name, is_disabled=True)
            disabled = await group_with(here, (Health.OUT_OF_SERVICE,))
            await here.provider().set_disabled(PLACE, before.name, is_disabled=False)

            assert disabled.is_disabled
            assert await group_with(here, (Health.UP,)) == before

    asyncio.run(story())


def test_a_destroyed_server_group_goes_away_and_may_be_destroyed_again(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            await here.provider().create(wanted(here.image))
            group = await group_with(here, (Health.UP,))
            await here.provider().destroy(PLACE, group.name)
            await here.provider().destroy(PLACE, group.name)

            async def look() -> bool | None:
                return True if await here.provider().describe("shop") == () else None

            await until(look)
            await here.provider().destroy(PLACE, group.name)

    asyncio.run(story())


def test_what_is_not_there_cannot_be_resized(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            with pytest.raises(Refused) as refused:
                await here.provider().resize(PLACE, "shop-prod-v009", Capacity(min=1, max=1, desired=1))

            assert refused.value.status == 404

    asyncio.run(story())


def test_an_unknown_place_is_refused(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            with pytest.raises(Refused):
                await here.provider().destroy(Place(account="moon", region="local"), "shop-prod-v000")

    asyncio.run(story())


def test_an_instances_log_can_be_read(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            await here.provider().create(wanted(here.image))
            group = await group_with(here, (Health.UP,))

            assert "listening" in await here.provider().logs(PLACE, group.name, group.instances[0].id)
            with pytest.raises(Refused):
                await here.provider().logs(PLACE, group.name, "nobody")

    asyncio.run(story())


def test_a_job_is_started_once_and_can_be_stopped(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            new = NewJob(key="job 1", place=PLACE, image=here.image, environment={"PORT": "0"})
            first = await here.provider().run_job(new)
            await here.restart()
            again = await here.provider().run_job(new)
            await here.provider().stop_job(PLACE, first.id)
            await here.provider().stop_job(PLACE, first.id)

            assert first == again
            assert (await ended(here, first)).state is Health.FAILED
            assert await here.provider().job(PLACE, "no such job") is None

    asyncio.run(story())


@pytest.mark.slow
def test_local_gives_an_instance_what_the_image_and_the_request_say(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            await here.provider().create(wanted(here.image, MOOD="good", COLOUR="green"))
            (one,) = (await group_with(here, (Health.UP,))).instances
            assert one.address is not None
            client = WebClient(one.address)
            _, body = await client.get("/environment")
            client.close()

            seen = json.loads(body)
            environment = seen["environment"]
            given = {key: environment[key] for key in ("MOOD", "COLOUR", "GENNAKER_SERVER_GROUP", "GENNAKER_VERSION")}
            assert given == {
                "MOOD": "good",
                "COLOUR": "green",
                "GENNAKER_SERVER_GROUP": "shop-prod-v000",
                "GENNAKER_VERSION": "1.2.3-abc",
            }
            assert environment["PORT"] == one.address.rpartition(":")[2]
            assert seen["folder"].endswith("/rootfs/app")
            assert not {"PYTEST_CURRENT_TEST", "VIRTUAL_ENV"} & set(environment)
            assert here.source.pulls == 1

    asyncio.run(story())


@pytest.mark.slow
def test_local_restarts_a_crashed_instance_and_counts(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            await here.provider().create(wanted(here.image))
            (before,) = (await group_with(here, (Health.UP,))).instances
            assert before.address is not None
            client = WebClient(before.address)
            with pytest.raises(Exception, match="IncompleteRead"):
                await client.get("/crash")

            async def look() -> bool | None:
                ((after,),) = [group.instances for group in await here.provider().describe("shop")]
                return True if after.health is Health.UP and after.restarts == 1 else None

            await until(look)
            assert await client.get("/healthz") == (200, "health")
            client.close()

    asyncio.run(story())


@pytest.mark.slow
def test_local_calls_a_crash_loop_failed_and_shows_the_log(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            image = here.source.add("bad", "1", IMAGE, {"Cmd": ["sh", "-c", "echo no database; exit 7"]})
            await here.provider().create(wanted(image))
            (one,) = (await group_with(here, (Health.FAILED,))).instances

            assert one.restarts >= 3
            assert "crashed" in one.health_reason
            assert "no database" in one.health_reason

    asyncio.run(story())


@pytest.mark.slow
def test_local_calls_an_instance_down_that_answers_with_errors(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            await here.provider().create(wanted(here.image, HEALTH="500"))
            (one,) = (await group_with(here, (Health.DOWN,))).instances

            assert "/healthz answers 500" in one.health_reason

    asyncio.run(story())


@pytest.mark.slow
def test_local_lets_a_stopped_instance_finish_its_requests(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            await here.provider().create(wanted(here.image))
            group = await group_with(here, (Health.UP,))
            assert group.instances[0].address is not None
            client = WebClient(group.instances[0].address)
            async with asyncio.TaskGroup() as tasks:
                slow = tasks.create_task(client.get("/slow/15"))
                await asyncio.sleep(0.3)
                await here.provider().destroy(PLACE, group.name)
                await group_with(here, (Health.DRAINING,))
            client.close()

            assert slow.result() == (200, "tick\n" * 15)

    asyncio.run(story())


@pytest.mark.slow
def test_local_refuses_an_image_with_nothing_to_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            image = here.source.add("empty", "1", IMAGE, {})

            with pytest.raises(Refused, match="neither an entrypoint nor a command"):
                await here.provider().create(wanted(image))

    asyncio.run(story())


@pytest.mark.slow
def test_local_runs_a_job_to_its_end_and_reads_its_reports(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            new = NewJob(
                key="job 2",
                place=PLACE,
                image=here.image,
                command=("sh", "-c", "echo $GREETING; echo '<x/>' > report.xml; exit 4"),
                environment={"GREETING": "hello"},
                reports={"junit": "report.xml", "escape": "../../../../run/run.json", "none": "nothing.xml"},
            )
            job = await ended(here, await here.provider().run_job(new))

            assert (job.state, job.exit_status, job.reports) == (Health.FAILED, 4, {"junit": b"<x/>\n"})
            assert "exited with status 4" in job.reason
            assert "escape" in job.reason
            assert (tmp_path / job.log).read_text() == "hello\n"

    asyncio.run(story())


@pytest.mark.slow
def test_local_stops_a_job_at_its_time_limit(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            new = NewJob(
                key="job 3",
                place=PLACE,
                image=here.image,
                command=("sleep", "60"),
                timeout=timedelta(seconds=0.3),
            )
            job = await ended(here, await here.provider().run_job(new))

            assert (job.state, job.reason) == (Health.FAILED, "The process was stopped at its time limit.")

    asyncio.run(story())
