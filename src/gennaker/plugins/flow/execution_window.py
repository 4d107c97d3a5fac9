"""Execution window: holds a stage until its window is open, then perhaps for a delay left to chance.

Planned by the engine before the stage's other parts (`restrictExecutionDuringTimeWindow: true`), never written in a
pipeline. Time limits don't hold here, as in Orca. Whoever sets `skipRemainingWait` ends both waits.
"""

import hashlib
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType
from gennaker.model import lengths, waiting
from gennaker.model.codec import JsonObject
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.model.stage_keys import Jitter
from gennaker.plugins.flow import windows

_LOOKS_AGAIN = timedelta(minutes=10)
"""At the latest: the clock may have been set meanwhile."""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """Nothing is read here: what is wrong with a window ends the first task, as in Orca, not the planning."""


async def plan(_: StageSpec, context: StageContext) -> Plan:
    """The wait for the window, and for the delay if there is to be one."""
    jitter = _jitter(context)
    if jitter is None:
        return Plan(tasks=(_SUSPEND.planned(),))
    own = context.stage.context
    seconds = own.get("waitTime", _chosen(jitter, context))
    return Plan(tasks=(_SUSPEND.planned(), _DELAY.planned()), context={"waitTime": seconds})


def _jitter(context: StageContext) -> Jitter | None:
    try:
        jitter = windows.read(context.stage.context.get("restrictedExecutionWindow")).jitter
    except Refused:
        return None  # said by the first task
    if jitter is None or not jitter.enabled or jitter.max_delay == 0:
        return None
    is_manual = context.execution.head.trigger.get("type") == "manual"
    return None if jitter.skip_manual and is_manual else jitter


def _chosen(jitter: Jitter, context: StageContext) -> int:
    """A delay between the two bounds, derived from what it is for: planning again gives the same."""
    named = f"{context.execution.head.id}/{context.stage.id}/{context.stage.attempt}"
    drawn = int.from_bytes(hashlib.sha256(named.encode()).digest()[:8], "big")
    return jitter.min_delay + drawn % (jitter.max_delay - jitter.min_delay + 1)


async def suspend(context: TaskContext) -> TaskResult:
    """Done when the window is open."""
    own = context.stage.context
    try:
        window = windows.read(own.get("restrictedExecutionWindow"))
        zone = ZoneInfo(context.services.settings.engine.time_zone)
        opens = windows.opening(window, context.at, zone)
    except Refused as refused:
        return _failed(refused.problems[0], " ".join(str(problem) for problem in refused.problems))
    except (ZoneInfoNotFoundError, ValueError) as error:
        problem = Problem(code="window.zone", message=f"The setting `engine.time-zone` is no time zone: {error}.")
        return _failed(problem, problem.message)
    if opens == context.at or _is_skipped(own):
        return Done()
    if opens is None:
        problem = Problem(
            code="window.never",
            message="The execution window never opens.",
            remedy="Give a window whose end is not before its start within the same hour.",
            pointer="/restrictedExecutionWindow/whitelist",
        )
        return _failed(problem, problem.message)
    said = f"the execution window to open at {opens.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
    waits = waiting.ForWindow(reason=said, opens_at=opens.astimezone(UTC))
    return Again(after=min(opens - context.at, _LOOKS_AGAIN), waiting_for=waits)


def _failed(problem: Problem, said: str) -> Failed:
    return Failed(
        problem=problem, context={"failureReason": f"Exception occurred while calculating time window: {said}"}
    )


async def delay(context: TaskContext) -> TaskResult:
    """Done when the chosen seconds have passed since the window was found open."""
    own = context.stage.context
    seconds = own.get("waitTime")
    if _is_skipped(own) or not isinstance(seconds, int | float):
        return Done()
    ends = (context.task.start_time or context.at) + lengths.of_seconds(seconds)
    if ends <= context.at:
        return Done()
    return Again(after=ends - context.at, waiting_for=waiting.ForTime(reason=f"{ends:%H:%M:%S} UTC", until=ends))


def _is_skipped(own: JsonObject) -> bool:
    return str(own.get("skipRemainingWait", "")).lower() == "true"


_SUSPEND = TaskType(name="suspendExecutionDuringTimeWindow", run=suspend, timeout=None, is_calculation=True)
_DELAY = TaskType(name="waitForJitter", run=delay, timeout=None, is_calculation=True)

stage = StageType(
    name="restrictExecutionDuringTimeWindow",
    label="Execution Window",
    about=__doc__,
    spec=Spec,
    tasks=(_SUSPEND, _DELAY),
    plan=plan,
)
