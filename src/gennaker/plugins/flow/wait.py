"""Wait: holds the pipeline for a fixed time, or until someone skips the rest."""

from datetime import timedelta

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign, lengths, waiting
from gennaker.model.codec import Json
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    wait_time: float = 0
    """Seconds; fractions are allowed."""
    skip_remaining_wait: bool = False
    """Set by whoever skips the rest."""


async def until(context: TaskContext) -> TaskResult:
    """Done when the stage's start plus `waitTime` is past."""
    own = context.stage.context  # as Orca's: what ancestors have put out under these names isn't meant
    if foreign.flag(own.get("skipRemainingWait")):
        return Done()
    began = context.stage.start_time or context.at
    try:
        ends = began + _length(own.get("waitTime"))
    except ValueError as error:
        return Failed(problem=_wrong(error))
    if ends <= context.at:
        return Done()
    return Again(after=ends - context.at, waiting_for=waiting.ForTime(reason=f"{ends:%H:%M:%S} UTC", until=ends))


def _length(value: Json) -> timedelta:
    """A number of seconds, also as text; none where there is none. Raises ValueError."""
    if value is None:
        return timedelta()
    number = float(value) if isinstance(value, str) else value
    if isinstance(number, int | float) and not isinstance(number, bool):
        return lengths.of_seconds(number)
    raise ValueError(f"{value!r} is no number of seconds")


def _wrong(error: ValueError) -> Problem:
    return Problem(
        code="stage.field_wrong",
        message=f"`waitTime` is wrong: {error}.",
        remedy="Give it as a number of seconds.",
        pointer="/waitTime",
    )


stage = StageType(
    name="wait",
    label="Wait",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="wait", run=until, timeout=None, is_calculation=True),),
    restart_clears=("skipRemainingWait",),
)
