"""What traffic providers promise under load, while servers drain and when they are killed: each with its real program."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import websockets
from tests.conformance import subjects
from tests.fakes.traffic_worlds import PROGRAMS, answers, real
from tests.fakes.web_client import Load, WebClient

from gennaker.interfaces.traffic import Share
from gennaker.model.problems import Refused

pytestmark = pytest.mark.slow
CLIENTS = 8


@pytest.fixture(params=subjects.params({"caddy": None, **PROGRAMS}, debian=("haproxy", "nginx")))
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_switches_under_load_break_nothing_and_a_killed_instance_no_more_than_it_had(
    program: str, tmp_path: Path
) -> None:
    async def story() -> None:
        async with real(program, tmp_path) as here:
            provider = here.provider()
            first, second = await here.servers(2)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"a": Share(weight=1, addresses=(first,))})
            load = Load(balancer.address, clients=CLIENTS, pause_seconds=0.02)
            both = frozenset({first.removeprefix("127.0.0.1"), second.removeprefix("127.0.0.1")})

            async with asyncio.TaskGroup() as group:
                group.create_task(load.run())
                for number in range(16):
                    await asyncio.sleep(0.02)
                    await provider.set_weights(
                        "shop",
                        {
                            "a": Share(weight=number % 3, addresses=(first,)),
                            "b": Share(weight=(number + 1) % 4 + 1, addresses=(second,)),
                        },
                    )
                unbroken = (list(load.broken), set(load.statuses), set(load.bodies))
                both_serve = {"a": Share(weight=1, addresses=(first,)), "b": Share(weight=4, addresses=(second,))}
                await provider.set_weights("shop", both_serve)
                await here.processes.stop(second.rpartition(":")[2], is_immediate=True)
                assert await here.processes.wait(second.rpartition(":")[2], timedelta(seconds=30)) is not None
                afterwards = await answers(here, balancer, 20)
                load.stop()

            assert unbroken == ([], {200}, both)
            assert afterwards == {first: 20}, "whoever can't be reached has seen nothing of a request"
            failed = len(load.broken) + sum(count for status, count in load.statuses.items() if status != 200)
            assert failed <= CLIENTS

    asyncio.run(story())


def test_streams_and_sockets_end_while_their_server_drains(program: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with real(program, tmp_path) as here:
            provider = here.provider()
            old, new = await here.servers(2)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"old": Share(weight=1, addresses=(old,))})
            load = Load(balancer.address, clients=5, pause_seconds=0.05)
            stream = WebClient(balancer.address)

            async with asyncio.TaskGroup() as group:
                group.create_task(load.run())
                slow = group.create_task(stream.get("/slow/50"))
                async with websockets.connect(f"ws://{balancer.address}/socket", compression=None) as socket:
                    await socket.send("before")
                    assert await socket.recv() == "before"
                    await provider.set_weights("shop", {"new": Share(weight=1, addresses=(new,))})
                    await provider.ensure("another")  # The one change that makes Caddy load a new configuration.
                    assert (await provider.in_flight("shop"))[old] == 2
                    await here.processes.stop(old.rpartition(":")[2])
                    await socket.send("after")
                    assert await socket.recv() == "after"
                assert await slow == (200, "tick\n" * 50)
                load.stop()
            stream.close()

            ended = await here.processes.wait(old.rpartition(":")[2], timedelta(seconds=5))
            assert ended is not None
            assert ended.exit_status == 0
            assert set(load.statuses) == {200}
            assert await provider.in_flight("shop") == {new: 0}

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
