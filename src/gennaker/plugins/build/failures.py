"""Failures: what a task's code refuses becomes one problem with everything that is wrong in it."""

from collections.abc import Awaitable, Callable
from functools import wraps

from gennaker.interfaces.stages import TaskContext
from gennaker.model.codec import Json, to_json
from gennaker.model.event import Failed, TaskResult
from gennaker.model.problems import Problem, Refused

Run = Callable[[TaskContext], Awaitable[TaskResult]]
_SERVER_FAULT = 500


def as_one(run: Run) -> Run:
    """The task, failing with all problems at once; faults of a server (5xx) may be tried again."""

    @wraps(run)
    async def wrapped(context: TaskContext) -> TaskResult:
        try:
            return await run(context)
        except Refused as refused:
            return Failed(problem=joined(refused.problems), retryable=refused.status >= _SERVER_FAULT)

    return wrapped


def joined(problems: tuple[Problem, ...]) -> Problem:
    """One problem of several: the first one's code, every sentence, and all of them as details."""
    first = problems[0]
    if len(problems) == 1:
        return first
    listed: list[Json] = [to_json(problem) for problem in problems]
    remedies = dict.fromkeys(problem.remedy for problem in problems if problem.remedy)
    return Problem(
        code=first.code,
        message=f"{len(problems)} problems: " + " ".join(problem.message for problem in problems),
        remedy=" ".join(remedies),
        details={"problems": listed},
    )
