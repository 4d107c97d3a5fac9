"""The world outside the simulated servers: what their tasks act on, and the stage types that act.

What a task meets is drawn from its key, so that it depends on nothing but the universe's seed; performing it again may
meet something else. The world counts: what takes a key exists once, all other requests are kept with their keys.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random  # noqa: TID251 - seeded dice

from tests.fakes.mailbox import Inbox, Mailbox
from tests.simulation import shapes

from gennaker.interfaces.notifiers import Message, Unanswered, Undelivered
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType, Unplannable
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, Done, Failed, PlannedStage, TaskResult
from gennaker.model.execution import EffectClass
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForOther

PROBLEM = Problem(code="world.broken", message="It broke.")
_POLLS_AT_MOST = 4
Reach = Callable[[], Awaitable[None]]


class World:
    """What outlives every server."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.made: set[str] = set()
        """Things that exist, by key."""
        self.runs: Counter[str] = Counter()
        """How often each run of a task was performed."""
        self.calls: Counter[str] = Counter()
        """Requests that carry no key, by the run that made them."""
        self.marked: set[str] = set()
        """Calls that were marked as repeats."""
        self.inbox = Inbox()
        self.stopped: set[str] = set()
        self.is_kind = False
        """From now on nothing is put off any more: what was begun comes to its end."""

    def result(self, context: TaskContext) -> TaskResult:
        """What a run of a task meets."""
        performed = self.runs[context.key]
        self.runs[context.key] += 1
        dice = Random(f"{self.seed}/{context.key}/{performed}")
        is_final = self.is_kind or context.task.poll >= _POLLS_AT_MOST
        wanted: JsonObject = {"seen": dice.randint(0, 9)}
        outputs: JsonObject = {"result": dice.randint(0, 9), "list": [dice.randint(0, 3)]}
        ends: list[TaskResult] = [
            *[Done(outputs=outputs, context=wanted)] * 7,
            Done(status=Status.SKIPPED),
            Failed(problem=PROBLEM, context=wanted),
            Failed(problem=PROBLEM, status=Status.CANCELED),
            Done(status=Status.FAILED_CONTINUE, outputs=outputs),
            Done(status=Status.STOPPED),
            Done(status=Status.TERMINAL),
        ]
        if is_final:
            return dice.choice(ends)
        memory: JsonObject = {"poll": context.task.poll}
        pause = timedelta(seconds=dice.choice((-1, 0, 0.5, 10, 10, 120)))
        goes_on: list[TaskResult] = [
            *[Again(after=pause, waiting_for=ForOther(reason="something"), memory=memory, context=wanted)] * 4,
            Failed(problem=PROBLEM, retryable=True),
            Done(status=Status.REDIRECT),
            Done(status=Status.RUNNING),
        ]
        return dice.choice((*ends, *goes_on))

    def fate(self, message: Message) -> Exception | None:
        """What comes of a message: it sometimes fails, and sometimes nobody knows."""
        chance = Random(f"{self.seed}/{message.delivery_id}").random()
        if chance < 0.05:
            return Undelivered("Nobody lives there.")
        return Unanswered("The line went dead.") if chance < 0.1 else None


def plugin(world: World, reach: Reach) -> Plugin:
    """The stage types and the notifier of one server, which gets to the world by `reach`."""
    tasks = _tasks(world, reach)

    async def plan(_: StageSpec, context: StageContext) -> Plan:
        _stumble(world, context)
        dice = _dice(world, context, "plan")
        listed = [
            tasks[foreign.text(one["kind"])].planned(
                name=foreign.text(one["name"]),
                is_loop_start=one["loopStart"] is True,
                is_loop_end=one["loopEnd"] is True,
            )
            for one in shapes.tasks(dice)
        ]
        return Plan(tasks=tuple(listed), before=shapes.children(dice, depth=_depth(context)))

    async def plan_after(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
        _stumble(world, context)
        return shapes.children(_dice(world, context, "after"), depth=_depth(context))

    async def plan_on_failure(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
        _stumble(world, context)
        return shapes.children(_dice(world, context, "failure"), depth=_depth(context))

    async def ask(spec: StageSpec, context: StageContext) -> Plan:
        await reach()
        await asyncio.sleep(_dice(world, context, f"slow {context.stage.preparation}").choice((0, 0.2, 5)))
        return await plan(spec, context)

    def kind(name: str, **more: object) -> StageType:
        given: dict[str, object] = {"plan": plan, **more}
        return StageType(name=name, label=name, about=name, spec=StageSpec, tasks=tuple(tasks.values()), **given)  # type: ignore[arg-type]  # a table's keywords

    return Plugin(
        name="world",
        stages=(
            kind("work"),
            kind("after", plan_after=plan_after),
            kind("rescue", plan_on_failure=plan_on_failure),
            kind("both", plan_after=plan_after, plan_on_failure=plan_on_failure, restart_clears=("result",)),
            kind("skippable", plan_after=plan_after, is_skippable=True),
            kind("asking", plan=ask, plans_without_io=False, plan_on_failure=plan_on_failure),
        ),
        notifiers=(lambda _: Mailbox(world.inbox, reach=reach, fate=world.fate),),
    )


def _tasks(world: World, reach: Reach) -> dict[str, TaskType]:
    async def make(context: TaskContext) -> TaskResult:
        await reach()
        world.made.add(context.attempt_key)
        result = world.result(context)
        await reach()
        return result

    async def call(context: TaskContext) -> TaskResult:
        await reach()
        world.calls[context.key] += 1
        if context.is_repeat:
            world.marked.add(context.key)
        result = world.result(context)
        await asyncio.sleep(Random(f"{world.seed}/{context.key}").choice((0, 0.1, 20)))
        await reach()
        return result

    async def linger(context: TaskContext) -> TaskResult:
        await reach()
        world.made.add(context.attempt_key)
        await asyncio.sleep(Random(f"{world.seed}/{context.key}").choice((0.1, 5, 90)))
        await reach()
        return world.result(context)

    async def stop(context: TaskContext) -> None:
        await reach()
        world.stopped.add(context.attempt_key)

    many = -1
    types = (
        TaskType(name="make", run=make),
        TaskType(name="call", run=call, effect_class=EffectClass.AT_MOST_TWICE),
        TaskType(name="limited", run=linger, timeout=timedelta(seconds=20)),
        TaskType(name="stubborn", run=make, retries=many, timeout=timedelta(seconds=100), is_timeout_overridable=False),
        TaskType(name="stoppable", run=linger, stop=stop),
    )
    return {one.name: one for one in types}


def _stumble(world: World, context: StageContext) -> None:
    """Some stages can't be planned, some not at once."""
    stage = context.stage
    dice = _dice(world, context, f"stumble {stage.preparation} {stage.status}")
    if dice.random() < (0.02 if world.is_kind else 0.06):
        raise Unplannable(PROBLEM, retryable=not world.is_kind and dice.random() < 0.7)


def _dice(world: World, context: StageContext, what: str) -> Random:
    return Random(f"{world.seed}/{what}/{context.execution.head.id}/{context.stage.ref_id}/{context.stage.attempt}")


def _depth(context: StageContext) -> int:
    depth, stage = 0, context.stage
    while stage.parent_id is not None:
        depth, stage = depth + 1, context.execution.stages[stage.parent_id]
    return depth
