"""Tasks that ask an API server: one that doesn't answer now is asked again, for minutes; what it refuses is final."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.stages import StageContext, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.event import Failed, TaskResult
from gennaker.model.problems import Problem
from gennaker.plugins.kubernetes import accounts
from gennaker.plugins.kubernetes.objects import Objects

_RETRIES = 12
"""With pauses that double, some minutes: an API server may restart meanwhile."""
Found = TypeVar("Found")
Run = Callable[[TaskContext], Awaitable[TaskResult]]


def task(
    name: str,
    run: Run,
    *,
    timeout: timedelta = timedelta(minutes=30),
    stop: Callable[[TaskContext], Awaitable[JsonObject | None]] | None = None,
) -> TaskType:
    """A task that asks an API server. What it does may be repeated."""

    async def asking(context: TaskContext) -> TaskResult:
        try:
            return await run(context)
        except ApiFailure as failure:
            problem = Problem(code="kubernetes.unavailable", message=str(failure), remedy="It is asked again.")
            return Failed(problem=problem, retryable=True)

    return TaskType(name=name, run=asking, stop=stop, timeout=timeout, retries=_RETRIES)


def objects(context: StageContext) -> Objects:
    """The objects of the stage's account. Raises Refused."""
    own = context.stage.context
    name = foreign.text_at(own, "account") or foreign.text_at(own, "credentials")
    return Objects(accounts.find(context.services, name))


async def several(work: Sequence[Callable[[], Awaitable[Found]]], *, at_a_time: int) -> list[Found]:
    """What comes of each, in order. If any fails, the first failure, once all have ended: none goes on unwatched."""
    turns = asyncio.Semaphore(at_a_time)

    async def one(do: Callable[[], Awaitable[Found]]) -> Found:
        async with turns:
            return await do()

    found = await asyncio.gather(*(one(do) for do in work), return_exceptions=True)
    for outcome in found:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in found if not isinstance(outcome, BaseException)]
