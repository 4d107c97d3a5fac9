"""Conformance of cloud providers: what every implementation of the port CloudProvider must do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.conformance import subjects
from tests.fakes.cloud_worlds import PLACE, Opened, World, ended, group_with, until, wanted, world
from tests.fakes.clouds import FakeCloud
from tests.fakes.faulty import FaultyCloud

from gennaker.interfaces.clouds import (
    AllAtOnce,
    Capacity,
    CloudProvider,
    Health,
    NewJob,
    NewServerGroup,
    Place,
)
from gennaker.model.problems import Refused
from gennaker.plugins.docker.provider import DockerProvider
from gennaker.plugins.kubernetes.provider import KubernetesProvider
from gennaker.plugins.local.provider import LocalProvider

pytestmark = pytest.mark.xdist_group("containers")

SUBJECTS: dict[str, type[CloudProvider]] = {
    "fake": FakeCloud,
    "without faults": FaultyCloud,
    "local": LocalProvider,
    "docker": DockerProvider,
    "kubernetes": KubernetesProvider,
}

ALL_AT_ONCE: dict[str, type[AllAtOnce]] = {
    "fake": FakeCloud,
    "local": LocalProvider,
    "docker": DockerProvider,
    "kubernetes": KubernetesProvider,
}


@pytest.fixture(params=subjects.params(SUBJECTS, slow=("local", "docker"), debian=("docker",), root=("docker",)))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    engine = request.getfixturevalue("containers") if request.param == "docker" else None

    @asynccontextmanager
    async def checked() -> AsyncIterator[World]:
        async with world(request.param, tmp_path, engine) as here:
            assert type(here.provider()) is SUBJECTS[request.param]
            yield here

    return checked


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


def test_it_names_the_place_in_which_something_can_be_created(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            assert PLACE in await here.provider().places()

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

            provider = here.provider()
            assert await provider.describe("shop") == (before,)
            assert await provider.describe("other") == ()
            assert isinstance(provider, AllAtOnce) == (type(provider) in ALL_AT_ONCE.values())
            if isinstance(provider, AllAtOnce):
                assert await provider.describe_all() == (before,)

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


def test_what_is_not_there_cannot_be_changed_or_read(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider, name = here.provider(), "shop-prod-v009"
            for asked in (
                provider.resize(PLACE, name, Capacity(min=1, max=1, desired=1)),
                provider.set_disabled(PLACE, name, is_disabled=True),
                provider.logs(PLACE, name, f"{name}-0"),
            ):
                with pytest.raises(Refused) as refused:
                    await asked
                assert refused.value.status == 404

    asyncio.run(story())


def test_an_unknown_place_is_refused_whatever_is_to_be_done_there(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            provider, moon, name = here.provider(), Place(account="moon", region="local"), "shop-prod-v000"
            await provider.create(wanted(here.image))
            for asked in (
                provider.create(replace(wanted(here.image), key="other", place=moon)),
                provider.resize(moon, name, Capacity(min=0, max=0, desired=0)),
                provider.set_disabled(moon, name, is_disabled=True),
                provider.destroy(moon, name),
                provider.logs(moon, name, f"{name}-0"),
                provider.run_job(NewJob(key="job", place=moon, image=here.image)),
                provider.job(moon, "job"),
                provider.stop_job(moon, "job"),
            ):
                with pytest.raises(Refused):
                    await asked

            (group,) = await provider.describe("shop")
            assert (group.capacity.desired, group.is_disabled) == (wanted(here.image).capacity.desired, False)

    asyncio.run(story())


def test_a_job_of_an_image_that_there_is_not_is_refused(opened: Opened) -> None:
    async def story() -> None:
        async with opened() as here:
            image = "127.0.0.1:5000/nothing@sha256:" + "0" * 64
            with pytest.raises(Refused):
                await here.provider().run_job(NewJob(key="job", place=PLACE, image=image))

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
