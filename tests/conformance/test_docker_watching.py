"""The docker provider follows a real engine's events: what happens is seen, and where nothing happens nothing is asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests.fakes.cloud_worlds import PLACE, DockerWorld, docker_world, ended, group_with, until, wanted
from tests.fakes.engines import EngineInTests

from gennaker.interfaces.clouds import Health, NewJob

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.debian, pytest.mark.xdist_group("containers")]

_EVENTS = "/events"
_QUIET_SECONDS = 1.5


class Door:
    """Before the engine: counts who comes in, and can keep its events to itself."""

    def __init__(self, engine: EngineInTests) -> None:
        self.settings = engine.settings
        self.asked: list[str] = []
        self.has_events = True
        self.streams: list[asyncio.StreamWriter] = []
        self._path = engine.settings.address.removeprefix("unix://")

    async def let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            first = await reader.readline()
            path = first.decode().split()[1].partition("?")[0]
            is_for_events = path.endswith(_EVENTS)
            self.asked.append(path)
            if is_for_events and not self.has_events:
                body = b'{"message": "page not found"}'
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            else:
                self.streams += [writer] if is_for_events else []
                from_engine, to_engine = await asyncio.open_unix_connection(self._path)
                to_engine.write(first)
                await asyncio.gather(_passed_on(reader, to_engine), _passed_on(from_engine, writer))
        writer.close()

    def keep_events(self) -> None:
        """From now on there are none, and who follows them is cut off."""
        self.has_events = False
        for stream in self.streams:
            stream.transport.abort()
        self.streams.clear()

    async def quiet(self) -> int:
        """Waits until nobody has asked for anything for some seconds; how much was asked until then."""

        async def look() -> int | None:
            before = len(self.asked)
            await asyncio.sleep(_QUIET_SECONDS)
            return before if self.streams and len(self.asked) == before else None

        return await until(look)

    async def looks(self) -> None:
        """Waits until somebody looks again and again."""
        target = len(self.asked) + 20

        async def look() -> bool | None:
            return len(self.asked) > target or None

        await until(look)


async def _passed_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while part := await source.read(65_536):
            target.write(part)
            await target.drain()
    target.close()


@asynccontextmanager
async def world_behind_a_door(folder: Path, engine: EngineInTests) -> AsyncIterator[tuple[DockerWorld, Door]]:
    door = Door(engine)
    async with await asyncio.start_server(door.let_in, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = replace(engine.settings, address=f"tcp://127.0.0.1:{port}")
        async with docker_world(folder, replace(engine, settings=settings)) as here:
            yield here, door


async def crashes_are_seen(here: DockerWorld, restarts: int) -> None:
    (name,) = here.engine.names(here.folder)
    await asyncio.to_thread(here.engine.run, "kill", name)

    async def look() -> bool | None:
        ((one,),) = [group.instances for group in await here.provider().describe("shop")]
        return True if one.health is Health.UP and one.restarts == restarts else None

    await until(look)


def test_docker_asks_nothing_while_nothing_happens_and_sees_what_does(
    containers: EngineInTests, tmp_path: Path
) -> None:
    """Also of a job that lies there with its container after its end."""

    async def story() -> None:
        async with world_behind_a_door(tmp_path, containers) as (here, door):
            new = NewJob(key="job 9", place=PLACE, image=here.image, command=("/bin/sh", "-c", "sleep 1; exit 3"))
            job = await ended(here, await here.provider().run_job(new))
            assert (job.state, job.exit_status) == (Health.FAILED, 3)
            await here.provider().create(wanted(here.image))
            await group_with(here, (Health.UP,))

            asked = await door.quiet()
            assert any(path.endswith(_EVENTS) for path in door.asked)
            await crashes_are_seen(here, 1)
            await door.quiet()

            assert len(door.asked) > asked

    with capture_logs() as logs:
        asyncio.run(story())

    assert [line for line in logs if line["event"] == "docker.events_missing"] == []


def test_docker_looks_itself_where_the_engine_s_events_cannot_be_followed(
    containers: EngineInTests, tmp_path: Path
) -> None:
    async def story() -> None:
        async with world_behind_a_door(tmp_path, containers) as (here, door):
            await here.provider().create(wanted(here.image))
            await group_with(here, (Health.UP,))
            await door.quiet()

            door.keep_events()
            await door.looks()
            await crashes_are_seen(here, 1)
            door.has_events = True
            await door.quiet()

    with capture_logs() as logs:
        asyncio.run(story())

    lost = [line for line in logs if line["event"] == "docker.events_lost"]
    assert {line["account"] for line in lost} == {"local"}
    assert any("broke off its answer" in line["why"] for line in lost)
    assert any("Its events can't be followed" in line["why"] for line in lost)
