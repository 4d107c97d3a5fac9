"""What traffic providers promise under load, while servers drain and when they are killed: each with its real program."""

import asyncio
from pathlib import Path

import pytest
from tests.conformance import subjects
from tests.fakes.traffic_stories import CLIENTS, streams_and_sockets_outlive_a_switch, switches_and_a_kill
from tests.fakes.traffic_worlds import PROGRAMS, answers, real

from gennaker.interfaces import traffic
from gennaker.interfaces.clouds import Health
from gennaker.interfaces.traffic import Share
from gennaker.model.problems import Refused

pytestmark = pytest.mark.slow


@pytest.fixture(params=subjects.params({"caddy": None, **PROGRAMS}, debian=("haproxy", "nginx")))
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_switches_under_load_break_nothing_and_a_killed_instance_no_more_than_it_had(
    program: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with real(program, tmp_path) as here:

            async def nothing(_staying: str) -> None:
                """Whoever can't be reached has seen nothing of a request, so another gets it; nor is it called down."""
                told = Health.UNKNOWN if program == "nginx" else Health.UP
                assert [*(await traffic.health_of(here.provider(), "shop")).values()] == [told, told]

            assert await switches_and_a_kill(here, nothing) <= CLIENTS

    asyncio.run(story())


def test_streams_and_sockets_end_while_their_server_drains(program: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with real(program, tmp_path) as here:
            # The one change that makes Caddy load a new configuration.
            await streams_and_sockets_outlive_a_switch(here, another="another")

    asyncio.run(story())


def test_a_killed_program_comes_back_with_what_was_desired(program: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with real(program, tmp_path) as here:
            provider = here.provider()
            (server,) = await here.servers(1)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"a": Share(weight=1, addresses=(server,))})
            was_kept = await provider.is_kept()
            await here.kill()

            again = here.provider()
            is_kept = await again.is_kept()
            await again.reconcile()

            assert (was_kept, is_kept) == (True, False)
            assert await again.describe("shop") == await provider.describe("shop")
            assert await answers(here, balancer, 3) == {server: 3}

    asyncio.run(story())


def test_a_port_that_is_in_use_is_said_and_leaves_nothing_behind(program: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with real(program, tmp_path) as here:
            provider = here.provider()
            (server,) = await here.servers(1)
            await provider.ensure("shop")

            with pytest.raises(Refused, match=f"can't listen on {server}"):
                await provider.ensure("other", server)

            assert await provider.describe("other") is None

    asyncio.run(story())
