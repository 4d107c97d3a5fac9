"""Wait until: holds the pipeline until an instant, given in epoch milliseconds; without one it ends at once."""

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import waiting
from gennaker.model.codec import from_milliseconds, milliseconds
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    epoch_millis: int | None = None


async def until(context: TaskContext) -> TaskResult:
    """Done when the instant is past."""
    wanted = context.lookup("epochMillis")
    if wanted is None or wanted == "":
        return Done()
    try:
        ends = from_milliseconds(int(str(wanted)))
    except (ValueError, OverflowError):
        problem = Problem(code="wait.no_instant", message=f"{wanted!r} is no instant in epoch milliseconds.")
        return Failed(problem=problem)
    began = {"startTime": context.stage.context.get("startTime") or milliseconds(context.at)}
    if ends <= context.at:
        return Done(context=began)
    waits = waiting.ForTime(reason=f"{ends:%Y-%m-%d %H:%M:%S} UTC", until=ends)
    return Again(after=ends - context.at, waiting_for=waits, context=began)


stage = StageType(
    name="waitUntil",
    label="Wait Until",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="waitUntil", run=until, timeout=None, is_calculation=True),),
    restart_clears=("startTime",),
)
