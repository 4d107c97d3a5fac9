"""Manual judgment: pauses the run durably until an authorised person says continue or stop.

The answer is merged into the stage's context by an event (`ManualJudgmentGiven`, or Gate's PATCH of the stage), which also
makes this task look again at once. The task only reads the answer and says at each look that somebody is waited for; the
engine sends each notification once, and again after its `notifyEveryMs` (`engine/notifying.py`).
"""

from datetime import timedelta

import msgspec

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import judgments, lengths, permissions, waiting
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, to_json
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem

_LOOKS_AGAIN = timedelta(minutes=15)
"""The answer wakes the task; this is only how often it says that it still waits."""
_SOONEST = timedelta(seconds=15)
"""How often it looks at most for reminders: Orca's pause between two looks."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One of several answers."""

    value: Plain | None = None


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    instructions: str | None = ""
    judgment_inputs: tuple[Choice, ...] | None = ()
    """Offered with the answer."""
    selected_stage_roles: tuple[str, ...] | None = ()
    required_judgment_roles: tuple[str, ...] | None = ()
    """Who may answer; empty: everybody who may execute the pipeline."""
    propagate_authentication_context: bool | None = False
    """Stages that follow run as whoever said continue."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the task remembers of the last answer that didn't count."""

    user: str = ""
    reason: str = ""
    """Who is waited for instead; empty: no answer was refused."""


async def judge(context: TaskContext) -> TaskResult:
    """Waits for the answer."""
    status = str(context.stage.context.get("judgmentStatus") or "").lower()
    if status in ("continue", "stop"):
        refused = _not_authorised(context)
        if refused is not None:
            return _waiting(context, refused, is_news=True)
        if status == "continue":
            return Done(
                announce=("manualJudgmentContinue",),
                outputs={"judgmentInput": context.stage.context.get("judgmentInput", "")},
            )
        return Failed(problem=_stopped(context), announce=("manualJudgmentStop",))
    return _waiting(context, msgspec.convert(context.task.memory, Refusal), is_news=False)


def _waiting(context: TaskContext, refused: Refusal, *, is_news: bool) -> TaskResult:
    """`is_news`: an answer has just been refused; until there is another one, each look says so again."""
    remembered = to_json(refused)
    assert isinstance(remembered, dict)
    return Again(
        after=_pause(context.stage.context.get("notifications")),
        waiting_for=waiting.ForJudgment(
            reason=refused.reason or "a person to judge: continue or stop",
            roles=_roles(context),
            choices=_choices(context),
            refused=refused.user,
        ),
        memory=remembered,
        announce=("manualJudgment",),
        context={"judgmentStatus": ""} if is_news else {},
    )


def _pause(notifications: Json) -> timedelta:
    """Until the next reminder may be due."""
    pause = _LOOKS_AGAIN
    for one in notifications if isinstance(notifications, list) else ():
        every = one.get("notifyEveryMs") if isinstance(one, dict) else None
        if isinstance(every, int | float) and every > 0:
            pause = min(pause, max(_SOONEST, lengths.of_milliseconds(every)))
    return pause


def _not_authorised(context: TaskContext) -> Refusal | None:
    """Why the last judge may not judge; None: they may."""
    wanted = _roles(context)
    modified = context.stage.last_modified
    if not wanted or (modified is not None and permissions.are_some_of(modified.roles, wanted)):
        return None
    who = modified.user if modified else "nobody known"
    reason = f"someone with one of the roles {', '.join(wanted)} ({who} has none of them)"
    return Refusal(user=modified.user if modified else "", reason=reason)


def _roles(context: TaskContext) -> tuple[str, ...]:
    wanted = context.lookup("requiredJudgmentRoles") or context.lookup("selectedStageRoles")
    return tuple(map(str, wanted)) if isinstance(wanted, list) else ()


def _choices(context: TaskContext) -> tuple[str, ...]:
    return judgments.choices(context.lookup("judgmentInputs"))


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
