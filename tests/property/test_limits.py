"""The loop rings time limits that runs carry, whether a run is under way or waits, also after a crash."""

import asyncio
from datetime import timedelta

import pytest
from tests import make
from tests.harness import Harness, problem_of

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, TaskResult
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther
from gennaker.plugins.flow import plugin as flow

PIPELINE: JsonObject = {
    "application": "shop",
    "name": "deliver",
    "stages": [make.stage_json("slow", type="slow", name="slow")],
}


@pytest.mark.parametrize("kill_at", [[], ["effect.before:RunTask:slow.run"]], ids=["undisturbed", "killed"])
@pytest.mark.parametrize("is_at_work", [True, False], ids=["under way", "waiting"])
def test_a_limit_that_a_run_carries_ends_the_task(is_at_work: bool, kill_at: list[str]) -> None:
    looks = 0

    async def slow(_: TaskContext) -> TaskResult:
        nonlocal looks
        looks += 1
        if is_at_work and looks > 1:
            await asyncio.sleep(1_000_000)
        return Again(after=timedelta(hours=1 if is_at_work else 10), waiting_for=ForOther(reason="nothing"))

    run = TaskType(name="run", run=slow, timeout=timedelta(hours=3))
    stage = StageType(name="slow", label="", about="", spec=StageSpec, tasks=(run,))
    harness = Harness(flow.plugin, Plugin(name="slow", stages=(stage,)))

    execution = harness.run(PIPELINE, kill_at=kill_at)

    assert execution.head.status is Status.TERMINAL
    assert "run of stage slow timed out after 3 hours" in problem_of(execution)
    assert asyncio.run(harness.journal.pending()) == ()
