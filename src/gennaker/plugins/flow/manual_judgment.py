"""Manual judgment: pauses the run durably until an authorised person says continue or stop.

The answer is merged into the stage's context by an event (`ManualJudgmentGiven`, or Gate's PATCH of the stage), which also
makes this task look again at once. The task itself only notifies, once, and reads the answer.
"""

from datetime import timedelta

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem

_LOOKS_AGAIN = timedelta(minutes=15)
"""The answer wakes the task; this is only how often it says that it still waits."""


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    instructions: str = ""
    judgment_inputs: tuple[dict[str, str], ...] = ()
    """`[{"value": "…"}]`: choices that are offered with the answer."""
    selected_stage_roles: tuple[str, ...] = ()
    required_judgment_roles: tuple[str, ...] = ()
    """Who may answer; empty: everybody who may execute the pipeline."""
    propagate_authentication_context: bool = False
    send_notifications: bool = False


async def judge(context: TaskContext) -> TaskResult:
    """Waits for the answer."""
    status = str(context.stage.context.get("judgmentStatus") or "").lower()
    if status in ("continue", "stop"):
        refused = _not_authorised(context)
        if refused:
            return _waiting(context, refused, reset=True)
        if status == "continue":
            return Done(
                announce=("manualJudgmentContinue",),
                outputs={"judgmentInput": context.stage.context.get("judgmentInput", "")},
            )
        return Failed(problem=_stopped(context), announce=("manualJudgmentStop",))
    return _waiting(context, "a person to judge: continue or stop")


def _waiting(context: TaskContext, waiting_for: str, *, reset: bool = False) -> TaskResult:
    has_notified = bool(context.task.memory.get("notified"))
    return Again(
        after=_LOOKS_AGAIN,
        waiting_for=waiting_for,
        memory={"notified": True},
        announce=() if has_notified else ("manualJudgment",),
        context={"judgmentStatus": ""} if reset else {},
    )


def _not_authorised(context: TaskContext) -> str:
    """Why the last judge may not judge, or nothing."""
    wanted = context.lookup("requiredJudgmentRoles") or context.lookup("selectedStageRoles") or []
    modified = context.stage.last_modified
    if not isinstance(wanted, list) or not wanted:
        return ""
    if modified is not None and modified.roles & {str(role) for role in wanted}:
        return ""
    who = modified.user if modified else "nobody known"
    return f"someone with one of the roles {', '.join(map(str, wanted))} ({who} has none of them)"


def _stopped(context: TaskContext) -> Problem:
    who = context.stage.last_modified.user if context.stage.last_modified else "someone"
    why = context.stage.context.get("judgmentComment")
    return Problem(
        code="judgment.stopped",
        message=f"{who} judged to stop" + (f": {why}" if why else "."),
    )


stage = StageType(
    name="manualJudgment",
    label="Manual Judgment",
    about=__doc__,
    spec=Spec,
    tasks=(TaskType(name="waitForJudgment", run=judge, timeout=timedelta(days=3)),),
    restart_clears=("judgmentStatus", "judgmentInput", "judgmentComment", "lastModifiedBy"),
)
