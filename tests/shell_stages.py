"""Stage types for the shells' conformance suite: what fails, waits, holds on, asks and finds much.

Beside those of `scripted`, which are made for virtual time.
"""

import asyncio
from datetime import timedelta

from tests.fakes import scripted
from tests.fakes.scripted import Target, stage

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, Done, Failed, PlannedStage, TaskResult
from gennaker.model.problems import Problem
from gennaker.model.waiting import ForOther

LARGE = "x" * 200_000


def plugin(target: Target) -> Plugin:
    """Stage types beside those of `scripted`."""

    async def flaky(context: TaskContext) -> TaskResult:
        target.calls[context.stage.id] += 1
        if target.calls[context.stage.id] < 3:
            return Failed(problem=Problem(code="test.flaky", message="Try again."), retryable=True)
        return Done(outputs={"tries": target.calls[context.stage.id]})

    async def mended(context: TaskContext) -> TaskResult:
        target.calls[context.stage.id] += 1
        if target.calls[context.stage.id] == 1:
            return Failed(problem=Problem(code="test.broken", message="It is broken."))
        return Done(outputs={"mended": True})

    async def holds(context: TaskContext) -> TaskResult:
        name = context.execution.head.id
        target.order.append(f"{name} began")
        try:
            await asyncio.sleep(10_000)
        finally:
            await asyncio.sleep(0.1)
            target.order.append(f"{name} ended")
        return Done()

    async def limited(context: TaskContext) -> TaskResult:
        if context.stage.context.get("holds") is True:
            return await holds(context)
        return Again(after=timedelta(hours=1), waiting_for=ForOther(reason="nothing"))

    async def stop(context: TaskContext) -> None:
        target.order.append(f"{context.execution.head.id} stopped")

    limit = TaskType(name="run", run=limited, stop=stop, timeout=timedelta(seconds=10))
    retried = TaskType(name="run", run=flaky, retries=3, retry_after=timedelta(milliseconds=100))
    more = (
        StageType(name="flaky", label="flaky", about="flaky", spec=StageSpec, tasks=(retried,)),
        StageType(name="limited", label="limited", about="limited", spec=StageSpec, tasks=(limit,)),
        stage("mended", mended),
        stage("looks", _looks),
        stage("large", _large),
        stage("holds", holds, stop=stop),
        _asking(target),
        _surrounded(),
    )
    return scripted.plugin(target, *more)


async def _looks(context: TaskContext) -> TaskResult:
    seen = context.task.memory.get("seen", 0)
    assert isinstance(seen, int)
    if seen >= 2:
        return Done(outputs={"looks": seen})
    again = timedelta(milliseconds=100)
    return Again(after=again, waiting_for=ForOther(reason="the third look"), memory={"seen": seen + 1})


async def _large(_: TaskContext) -> TaskResult:
    many: JsonObject = {f"key{number}": {"n": number, "text": "y" * 100} for number in range(2000)}
    return Done(context={"report": LARGE}, outputs={"large": LARGE, "many": many, "small": "s"})


def _asking(target: Target) -> StageType:
    """Its planning asks somebody, and finds out more than a message may hold."""

    async def plan(_: StageSpec, context: StageContext) -> Plan:
        await asyncio.sleep(0.01)
        return Plan(tasks=(task.planned(),), context={"found": LARGE, "at": context.stage.name})

    async def run(context: TaskContext) -> TaskResult:
        target.calls[context.stage.id] += 1
        return Done(outputs={"length": len(str(context.stage.context["found"]))})

    task = TaskType(name="run", run=run)
    return StageType(
        name="asking", label="asking", about="asking", spec=StageSpec, tasks=(task,), plan=plan, plans_without_io=False
    )


def _surrounded() -> StageType:
    """Stages before and after it, and others when it fails."""

    async def plan(_: StageSpec, __: StageContext) -> Plan:
        before = (PlannedStage(type="make", name="first"), PlannedStage(type="looks", name="then", requisites=(0,)))
        return Plan(before=before, tasks=(task.planned(),))

    async def plan_after(_: StageSpec, __: StageContext) -> tuple[PlannedStage, ...]:
        return (
            PlannedStage(type="make", name="after"),
            PlannedStage(type="wait", name="rest", context={"waitTime": 0.2}),
        )

    async def plan_on_failure(_: StageSpec, __: StageContext) -> tuple[PlannedStage, ...]:
        return (PlannedStage(type="make", name="clean up"),)

    async def run(context: TaskContext) -> TaskResult:
        if context.stage.context.get("breaks") is True:
            return Failed(problem=Problem(code="test.broken", message="It was meant to."))
        return Done(outputs={"middle": True})

    task = TaskType(name="run", run=run)
    return StageType(
        name="surrounded",
        label="surrounded",
        about="surrounded",
        spec=StageSpec,
        tasks=(task,),
        plan=plan,
        plan_after=plan_after,
        plan_on_failure=plan_on_failure,
    )
