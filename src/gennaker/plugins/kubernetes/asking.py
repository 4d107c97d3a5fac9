"""Tasks that ask an API server: one that doesn't answer now is outlasted; what it refuses is final."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from gennaker.interfaces.api_servers import ApiFailure
from gennaker.interfaces.stages import StageContext, TaskContext, TaskType
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.event import TaskResult
from gennaker.model.problems import UNAVAILABLE, Refused
from gennaker.plugins.kubernetes import accounts, patience
from gennaker.plugins.kubernetes.objects import Objects

_RETRIES = 12
"""Of what fails on the way to the API server, as an artifact that can't be fetched; with pauses that double, some minutes."""
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
            raise Refused(patience.unavailable(failure), status=UNAVAILABLE) from failure

    return TaskType(name=name, run=asking, stop=stop, timeout=timeout, retries=_RETRIES)


def objects(context: StageContext) -> Objects:
    """The objects of the stage's account. Raises Refused."""
    own = context.stage.context
    name = foreign.text_at(own, "account") or foreign.text_at(own, "credentials")
    return Objects(accounts.find(context.services, name))


async def several(work: Sequence[Callable[[], Awaitable[Found]]], *, at_a_time: int) -> list[Found]:
    """What comes of each, in order. If any fails, the first failure, once all have ended: none goes on unwatched."""
    found: list[Found] = []
    for outcome in await outcomes(work, at_a_time=at_a_time):
        if isinstance(outcome, BaseException):
            raise outcome
        found.append(outcome)
    return found


async def outcomes(
    work: Sequence[Callable[[], Awaitable[Found]]], *, at_a_time: int
) -> list[Found | Refused | ApiFailure]:
    """As `several`, with what the API server has said to each that failed. Anything else that is raised is raised, once all have ended."""
    turns = asyncio.Semaphore(at_a_time)

    async def one(do: Callable[[], Awaitable[Found]]) -> Found:
        async with turns:
            return await do()

    found: list[Found | Refused | ApiFailure] = []
    for outcome in await asyncio.gather(*(one(do) for do in work), return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refused | ApiFailure):
            raise outcome
        found.append(outcome)
    return found
