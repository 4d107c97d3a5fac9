"""Runs in containers: how one is told to end."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from gennaker.interfaces.clouds import Capacity, NewServerGroup, Place
from gennaker.plugins.docker.containers import Container
from gennaker.plugins.docker.images import EngineImage
from gennaker.plugins.docker.runs import PREFIX, ContainerRuns
from gennaker.settings import DockerSettings
from gennaker.transport.instances.records import GroupRecord

NAME = "shop-v000/0.1"
ONE = Capacity(min=1, max=1, desired=1)
RECORD = GroupRecord(
    new=NewServerGroup(
        key="k", name="shop-v000", place=Place(account="local", region="local"), image="web", capacity=ONE
    ),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    capacity=ONE,
)


@pytest.mark.parametrize(
    ("looks", "signals"),
    [
        # One that has just been started may not listen yet.
        ((1.0, 2.0, 3.5, 6.0), ["SIGTERM", "SIGTERM", "SIGTERM"]),
        # One that runs for long has heard it.
        ((60.0, 61.0, 65.0, 70.0), ["SIGTERM"]),
        ((60.0, 91.0), ["SIGTERM", "SIGKILL"]),
        # Until its beginning is over.
        ((8.5, 11.0, 14.0, 17.0), ["SIGTERM", "SIGTERM"]),
    ],
)
def test_one_that_may_not_listen_yet_is_told_again(looks: tuple[float, ...], signals: list[str]) -> None:
    sent: list[str] = []
    at = [0.0]

    class Running:
        """Containers of which one runs, whatever it is told."""

        async def list(self, _: str) -> dict[str, Container]:
            return {f"{PREFIX}{NAME}": Container(id="c", key=NAME, state="running", stop_signal="SIGTERM")}

        async def seen(self, owner: str) -> dict[str, Container]:
            return await self.list(owner)

        async def start(self, *_: object) -> None: ...

        async def signal(self, _: str, name: str) -> None:
            sent.append(name)

    class Ready:
        async def ready(self, reference: str) -> EngineImage:
            return EngineImage(reference=reference, id="1")

    async def owner() -> str:
        return "tests"

    async def story() -> None:
        containers, images = cast("Any", Running()), cast("Any", Ready())
        runs = ContainerRuns(containers, images, DockerSettings(), owner, now=lambda: at[-1])
        await runs.start(RECORD, cast("Any", None), NAME)
        for look in looks:
            at.append(look)
            await runs.stop(NAME, 30)

    asyncio.run(story())

    assert sent == signals
