"""Scripted stage types and the system that they act on: for tests of whatever performs effects.

The target counts. `made` holds what exists there, by key, as in a system that takes idempotency keys; `calls` holds every
request that reached a system that takes none.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

from tests.fakes.mailbox import Inbox, Mailbox

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.execution import EffectClass
from gennaker.model.problems import Problem
from gennaker.model.waiting import ForOther


class Target:
    """A world outside, which survives the process."""

    def __init__(self) -> None:
        self.made: dict[str, int] = {}
        """Key → how often it was asked for; it exists once."""
        self.calls: Counter[str] = Counter()
        """Calls that can't be told from one another, by stage."""
        self.repeats: list[str] = []
        """Stages of calls that were marked as repeats."""
        self.inbox = Inbox()
        """Of the notifier `test`."""
        self.stopped: list[str] = []
        self.order: list[str] = []
        """What happened, in order, for tests that look at it."""


def plugin(target: Target, *more: StageType) -> Plugin:
    """Stage types `make`, `call`, `poll`, `hang`, `fail`, and the notifier `test`."""

    def mailbox(_: Services) -> Mailbox:
        return Mailbox(target.inbox)

    async def make(context: TaskContext) -> TaskResult:
        target.made[context.attempt_key] = target.made.get(context.attempt_key, 0) + 1
        return Done(outputs={"made": context.stage.name})

    async def call(context: TaskContext) -> TaskResult:
        target.calls[context.stage.name] += 1
        if context.is_repeat:
            target.repeats.append(context.stage.name)
        return Done()

    async def poll(context: TaskContext) -> TaskResult:
        seen = context.task.memory.get("seen", 0)
        assert isinstance(seen, int)
        if seen >= 2:
            return Done(outputs={"polls": seen})
        return Again(
            after=timedelta(seconds=20), waiting_for=ForOther(reason="the third look"), memory={"seen": seen + 1}
        )

    async def hang(_: TaskContext) -> TaskResult:
        target.order.append("began")
        try:
            await asyncio.sleep(10_000)
        finally:
            await asyncio.sleep(1)
            target.order.append("ended")
        return Done()

    async def stop(context: TaskContext) -> None:
        target.order.append("stopped")
        target.stopped.append(context.attempt_key)

    async def fail(_: TaskContext) -> TaskResult:
        return Failed(problem=Problem(code="test.failed", message="It was meant to fail."))

    return Plugin(
        name="scripted",
        stages=(
            stage("make", make),
            stage("call", call, effect_class=EffectClass.AT_MOST_TWICE),
            stage("poll", poll),
            stage("hang", hang, stop=stop),
            stage("fail", fail),
            *more,
        ),
        notifiers=(mailbox,),
    )


def stage(
    name: str,
    run: Callable[[TaskContext], Awaitable[TaskResult]],
    *,
    stop: Callable[[TaskContext], Awaitable[None]] | None = None,
    effect_class: EffectClass = EffectClass.REPEATABLE,
) -> StageType:
    """A stage type of one task."""
    task = TaskType(name="run", run=run, stop=stop, effect_class=effect_class)
    return StageType(name=name, label=name, about=name, spec=StageSpec, tasks=(task,))
