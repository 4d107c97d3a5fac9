"""Undo Rollout: goes back to what served before a failed deploy, and leaves nothing half-made.

Planned by `createServerGroup` when it fails, not written in pipelines.
"""

from datetime import timedelta

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import undrained
from gennaker.model.event import Again, Done, TaskResult
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import rollouts

_LOOKS_AGAIN = timedelta(milliseconds=500)


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    rollout: str = ""


async def undo(context: TaskContext) -> TaskResult:
    """One step back; done when all is as it was."""
    rollout = await rollouts.of_context(context)
    if rollout is None:
        return Done(status=Status.SKIPPED)
    left = await rollouts.left(context.services, rollout)
    said = await rollouts.undo(context.services, rollout, because="Its deploy failed.")
    if said:
        return Again(after=_LOOKS_AGAIN, waiting_for=rollouts.waits(rollout, said))
    # What has just been removed had this under way when its time was over.
    return Done(context=undrained.context(left))


stage = StageType(
    name="undoRollout",
    label="Undo Rollout",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="undoRollout", run=undo, stop=rollouts.stop, timeout=timedelta(minutes=30), retries=-1),),
)
