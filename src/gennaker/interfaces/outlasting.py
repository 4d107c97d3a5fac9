"""Outlasting: what becomes of a task that can't ask somebody now, such as an API server that is exchanged.

The task is run again, with pauses that grow, and fails once that has been so for five minutes. The wait is a durable one: it
holds no worker and outlives a restart. A stage that failed at once would leave half-made what succeeds by itself a minute later.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from gennaker.model.event import Again, Failed
from gennaker.model.execution import Task
from gennaker.model.waiting import ForRetry

LONGEST = timedelta(minutes=5)
"""From the first time without an answer. Managed control planes are away for some minutes while they are exchanged."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=10)


def outlasting(task: Task, failed: Failed, *, at: datetime) -> Again | Failed:
    """The task's next try, or its failure. `failed`: what it would have ended with if nobody had patience."""
    before = _wait(task)
    since = (before and before.since) or at
    gives_up_at = since + LONGEST
    problem = failed.problem
    if at >= gives_up_at:
        minutes = f"{LONGEST.total_seconds() / 60:.0f} minutes"
        message = f"{problem.message} So it was for {minutes}."
        remedy = f"{problem.remedy} Then restart the stage: what it has done already it finds.".strip()
        return replace(failed, problem=replace(problem, message=message, remedy=remedy), retryable=False)
    after = min(max((at - since) / 4, _SHORTEST_PAUSE), _LONGEST_PAUSE)
    wait = ForRetry(
        reason=f"an answer; it is asked again until {gives_up_at:%H:%M:%S} UTC. {problem.message}",
        problem=problem,
        since=since,
        attempt=before.attempt + 1 if before else 2,
        due=at + after,
        gives_up_at=gives_up_at,
    )
    return Again(
        after=after,
        waiting_for=wait,
        memory=task.memory,
        context=failed.context,
        outputs=failed.outputs,
        announce=failed.announce,
    )


def since_when(task: Task) -> datetime | None:
    """Since when somebody couldn't be asked, without an answer in between; None: they could at the last run."""
    wait = _wait(task)
    return wait.since if wait else None


def _wait(task: Task) -> ForRetry | None:
    wait = task.waiting_for
    return wait if isinstance(wait, ForRetry) and wait.gives_up_at is not None else None
