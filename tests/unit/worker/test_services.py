"""Services: kept running, started again after a growing pause."""

import asyncio
import itertools
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.fakes.journal import MemoryJournal
from tests.fakes.virtual_time import VirtualTime

from gennaker.interfaces.plugins import Service
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.problems import Problem, Refused
from gennaker.worker import services
from gennaker.worker.alone import Alone

ALONE = Alone(MemoryJournal())


def run_for(seconds: float, *wanted: Service) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(services.run_all(wanted, None, ALONE))  # type: ignore[arg-type]  # nobody looks at them
            await asyncio.sleep(seconds)
            running.cancel()

    VirtualTime().run(main())


def test_a_service_that_raises_is_started_again_after_a_growing_pause() -> None:
    starts: list[float] = []

    async def fails(_: Any) -> None:
        starts.append(asyncio.get_running_loop().time())
        raise ValueError("broken")

    with capture_logs() as lines:
        run_for(200, Service(name="fails", run=fails))

    pauses = [round(later - earlier, 2) for earlier, later in itertools.pairwise(starts)]
    assert pauses[:7] == [0.5, 1, 2, 4, 8, 16, 30]
    assert set(pauses[7:]) == {30}
    assert {line["error"] for line in lines} == {"broken"}


def test_one_whose_tasks_fail_is_started_again_too() -> None:
    starts: list[float] = []

    async def fails(_: Any) -> None:
        raise ValueError("broken")

    async def runs(_: Any) -> None:
        starts.append(asyncio.get_running_loop().time())
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(_))

    run_for(10, Service(name="fails", run=runs))

    assert [round(later - earlier, 2) for earlier, later in itertools.pairwise(starts)] == [0.5, 1, 2, 4]


def test_one_that_raises_after_it_has_run_for_long_is_started_again_soon() -> None:
    starts: list[float] = []
    ends: list[float] = []

    async def fails(_: Any) -> None:
        now = asyncio.get_running_loop().time
        starts.append(now())
        if len(starts) in (6, 7):
            await asyncio.sleep(40)
        ends.append(now())
        raise ValueError("broken")

    run_for(120, Service(name="fails", run=fails))

    pauses = [round(start - end, 2) for end, start in zip(ends, starts[1:], strict=False)]
    assert pauses[:8] == [0.5, 1, 2, 4, 8, 0.5, 0.5, 1]


@pytest.mark.parametrize("kind", [StoreUnusable, Refused])
def test_what_a_person_must_mend_is_logged_as_its_sentence_without_a_trace(kind: type[StoreUnusable | Refused]) -> None:
    full = kind(Problem(code="store.full", message="There is no space left.", remedy="Free some."))

    async def fails(_: Any) -> None:
        raise ExceptionGroup("in a task of the service's", [full])

    with capture_logs() as lines:
        run_for(1, Service(name="fails", run=fails))

    assert {(line["error"], line["exc_info"]) for line in lines} == {("There is no space left. Free some.", False)}


def test_a_service_that_returns_is_started_again_and_the_others_run_on() -> None:
    returned, ran = 0, 0

    async def returns(_: Any) -> None:
        nonlocal returned
        returned += 1

    async def runs(_: Any) -> None:
        nonlocal ran
        while True:
            ran += 1
            await asyncio.sleep(1)

    run_for(100, Service(name="returns", run=returns), Service(name="runs", run=runs))

    assert returned > 5
    assert ran in {100, 101}
