"""What is told of each load balancer under load: switches that break nothing, and a drain that what is under way outlives."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import websockets
from tests import waiting
from tests.fakes.traffic_worlds import RealWorld, answers
from tests.fakes.web_client import Load, WebClient

from gennaker.interfaces.traffic import Share

CLIENTS = 8
_OK = 200


async def switches_and_a_kill(here: RealWorld, noticed: Callable[[str], Awaitable[None]], *, switches: int = 16) -> int:
    """Fails if a switch breaks anything; then kills an instance and returns how many requests that cost until others answer all.

    `noticed`: does what is to be done, given the instance that stays, for the killed one to get no more requests.
    """
    provider = here.provider()
    first, second = await here.programs(2)
    balancer = await provider.ensure("shop")
    await provider.set_weights("shop", {"a": Share(weight=1, addresses=(first,))})
    load = Load(balancer.address, clients=CLIENTS, pause_seconds=0.02)

    async with asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await waiting.until(lambda: load.bodies[first] or load.broken, "users to be served")
        for number in range(switches):
            await asyncio.sleep(0.02)
            await provider.set_weights(
                "shop",
                {
                    "a": Share(weight=number % 3, addresses=(first,)),
                    "b": Share(weight=(number + 1) % 4 + 1, addresses=(second,)),
                },
            )
        await waiting.until(lambda: load.bodies[second] or load.broken, "users to be served by the other one, too")
        unbroken = (list(load.broken), set(load.statuses), set(load.bodies))
        both_serve = {"a": Share(weight=1, addresses=(first,)), "b": Share(weight=4, addresses=(second,))}
        await provider.set_weights("shop", both_serve)
        await here.processes.stop(second.rpartition(":")[2], is_immediate=True)
        assert await here.processes.wait(second.rpartition(":")[2], timedelta(minutes=5)) is not None
        await noticed(first)
        failed_before = _failed(load)
        afterwards = await answers(here, balancer, 20)
        load.stop()

    assert unbroken == ([], {_OK}, {first, second})
    assert afterwards == {first: 20}
    assert _failed(load) - failed_before <= CLIENTS, "each may have had one under way"
    return _failed(load)


async def streams_and_sockets_outlive_a_switch(here: RealWorld, *, another: str = "") -> None:
    """Fails if any is cut while its server drains, or isn't counted. `another`: a load balancer that is made meanwhile."""
    provider = here.provider()
    old, new = await here.programs(2)
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
            if another:
                await provider.ensure(another)

            async def is_counted() -> bool:
                """Beside them nothing, once what users had under way at the switch is over."""
                count = (await provider.in_flight("shop"))[old]
                return count == 2 or (slow.done() and count == 1)

            await waiting.until_found(is_counted, "stream and socket to be counted")
            await here.processes.stop(old.rpartition(":")[2])
            await socket.send("after")
            assert await socket.recv() == "after"
        assert await slow == (_OK, "tick\n" * 50)
        load.stop()
    stream.close()

    ended = await here.processes.wait(old.rpartition(":")[2], timedelta(minutes=5))
    assert ended is not None
    assert ended.exit_status == 0
    assert set(load.statuses) == {_OK}

    async def is_over() -> bool:
        """Of who has ended nothing is left to be known."""
        left = await provider.in_flight("shop")
        return {address: count for address, count in left.items() if count is not None} == {new: 0}

    await waiting.until_found(is_over, "nothing to be counted any more")


def _failed(load: Load) -> int:
    return len(load.broken) + sum(count for status, count in load.statuses.items() if status != _OK)
