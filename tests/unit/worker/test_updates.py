"""Updates: every follower gets what is published while it follows; a slow one loses the oldest."""

import asyncio
from collections.abc import AsyncIterator

from gennaker.interfaces.executions import Update
from gennaker.worker.updates import LocalUpdates


def update(number: int) -> Update:
    return Update(topic="execution", id=str(number))


async def first(follower: AsyncIterator[Update]) -> Update:
    return await anext(follower)


def test_every_follower_gets_every_update_in_order() -> None:
    async def main() -> None:
        updates = LocalUpdates()
        followers = [updates.follow() for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            found = [group.create_task(first(follower)) for follower in followers]
            await asyncio.sleep(0)
            for number in range(3):
                updates.publish(update(number))
        assert [task.result().id for task in found] == ["0", "0"]
        for follower in followers:
            assert [(await anext(follower)).id, (await anext(follower)).id] == ["1", "2"]

    asyncio.run(main())


def test_a_slow_follower_loses_the_oldest_and_publishing_never_waits() -> None:
    async def main() -> None:
        updates = LocalUpdates()
        follower = updates.follow()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(first(follower))
            await asyncio.sleep(0)
            for number in range(1500):
                updates.publish(update(number))
        assert waiting.result().id == "500"

    asyncio.run(main())


def test_one_who_has_gone_is_forgotten() -> None:
    async def main() -> None:
        updates = LocalUpdates()
        follower = updates.follow()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(first(follower))
            await asyncio.sleep(0)
            waiting.cancel()
        for number in range(3):
            updates.publish(update(number))
        late = updates.follow()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(first(late))
            await asyncio.sleep(0)
            updates.publish(update(9))
        assert task.result().id == "9"

    asyncio.run(main())
