"""Pacing: an engine with room lets everybody in at once, one with a queue lets in fewer, until the queue has gone."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable

from structlog.testing import capture_logs
from tests.fakes.virtual_time import VirtualTime

from gennaker.worker.pacing import Pace


class Engine:
    """An engine that makes one step after the other, each as long as it is told, ten an execution."""

    def __init__(self, time: VirtualTime) -> None:
        self.pace = Pace(now=lambda: time.seconds)
        self.step_seconds = 0.0005
        self.waited: list[float] = []
        self._time = time
        self._one_at_a_time = asyncio.Lock()

    async def submit(self) -> None:
        began = self._time.seconds
        await self.pace.turn()
        self.waited.append(self._time.seconds - began)

    async def run(self, took: list[float], steps: int = 10) -> None:
        for _ in range(steps):
            number = self.pace.began()
            began = self._time.seconds
            async with self._one_at_a_time:
                await asyncio.sleep(self.step_seconds)
            took.append(self._time.seconds - began)
            self.pace.ended(number)

    async def offered(self, rate: float, seconds: float) -> list[float]:
        """How long steps took while so many executions were offered a second."""
        took: list[float] = []

        async def one(after: float) -> None:
            await asyncio.sleep(after)
            await self.submit()
            await self.run(took)

        async with asyncio.TaskGroup() as group:
            for number in range(round(rate * seconds)):
                group.create_task(one(number / rate))
        return took


def in_virtual_time(story: Callable[[Engine], Awaitable[None]]) -> None:
    time = VirtualTime()

    async def tell() -> None:
        await story(Engine(time))

    time.run(tell())


def test_an_engine_with_room_lets_everybody_in_at_once() -> None:
    async def story(engine: Engine) -> None:
        await engine.offered(rate=40, seconds=5)
        assert max(engine.waited) == 0.0

    in_virtual_time(story)


def test_steps_stay_quick_when_more_is_offered_than_the_engine_can_do() -> None:
    """It can do 2,000 steps a second, which is 200 executions; 1,000 are offered at one instant."""

    async def story(engine: Engine) -> None:
        took = await engine.offered(rate=1_000_000, seconds=0.001)
        assert len(took) == 10_000
        slowest = heapq.nlargest(len(took) // 100, took)[-1]
        assert sorted(took)[len(took) // 2] < 0.01
        assert slowest < 0.03, "without pacing half a second"
        assert max(engine.waited) < 5_000 * engine.step_seconds * 10

    in_virtual_time(story)


def test_a_queue_from_the_start_is_no_slow_disk() -> None:
    """Recovery has let many in before anybody could be paced: what comes then waits until the queue has gone."""

    async def story(engine: Engine) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(60):
                group.create_task(engine.run([], steps=100))
            took = await engine.offered(rate=1_000_000, seconds=0.002)
        assert sorted(took)[len(took) * 3 // 4] < 0.03

    in_virtual_time(story)


def test_what_the_engine_can_do_is_used() -> None:
    async def story(engine: Engine) -> None:
        began = asyncio.get_running_loop().time()
        await engine.offered(rate=1_000_000, seconds=0.001)
        took = asyncio.get_running_loop().time() - began
        assert 10_000 * engine.step_seconds / took > 0.5

    in_virtual_time(story)


def test_after_a_queue_has_gone_nobody_waits_any_more() -> None:
    async def story(engine: Engine) -> None:
        engine.step_seconds = 0.02
        await engine.offered(rate=50, seconds=4)
        assert max(engine.waited) > 0.1
        engine.step_seconds = 0.0005
        await engine.offered(rate=20, seconds=10)
        engine.waited.clear()
        await engine.offered(rate=20, seconds=5)
        assert max(engine.waited) == 0.0

    in_virtual_time(story)


def test_a_slow_disk_is_no_queue() -> None:
    """Every step takes 5 ms here, however few there are."""

    async def story(engine: Engine) -> None:
        engine.step_seconds = 0.005
        await engine.offered(rate=10, seconds=20)
        engine.waited.clear()
        await engine.offered(rate=10, seconds=5)
        assert max(engine.waited) == 0.0

    in_virtual_time(story)


def test_that_new_executions_wait_is_said_once_and_when_it_is_over() -> None:
    async def story(engine: Engine) -> None:
        engine.step_seconds = 0.02
        await engine.offered(rate=50, seconds=4)
        engine.step_seconds = 0.0005
        await engine.offered(rate=2, seconds=10)

    with capture_logs() as lines:
        in_virtual_time(story)

    assert [line["event"] for line in lines] == ["engine.busy", "engine.has_room"]
