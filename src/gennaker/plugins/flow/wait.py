"""Wait: holds the pipeline for a fixed time, or until someone skips the rest."""

from datetime import timedelta

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import waiting
from gennaker.model.event import Again, Done, TaskResult


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    wait_time: float = 30
    """Seconds; fractions are allowed."""
    skip_remaining_wait: bool = False
    """Set by whoever skips the rest."""


async def until(context: TaskContext) -> TaskResult:
    """Done when the stage's start plus `waitTime` is past."""
    if context.lookup("skipRemainingWait") is True:
        return Done()
    began = context.stage.start_time or context.at
    seconds = context.lookup("waitTime")
    ends = began + timedelta(seconds=float(seconds) if isinstance(seconds, int | float | str) else 30)
    if ends <= context.at:
        return Done()
    return Again(after=ends - context.at, waiting_for=waiting.ForTime(reason=f"{ends:%H:%M:%S} UTC", until=ends))


stage = StageType(
    name="wait",
    label="Wait",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="wait", run=until, timeout=None),),
    restart_clears=("skipRemainingWait",),
)
