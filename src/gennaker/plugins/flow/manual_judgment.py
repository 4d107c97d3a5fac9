"""Manual judgment: pauses the run durably until an authorised person says continue or stop.

The answer is merged into the stage's context by an event (`ManualJudgmentGiven`, or Gate's PATCH of the stage), which also
makes this task look again at once. The task only reads the answer and says at each look that somebody is waited for; the
engine sends each notification once, and again after its `notifyEveryMs` (`engine/notifying.py`).

Several approvals (`requiredApprovals`) are collected in the task's memory, each person's once, until there are enough that
haven't expired (docs/decisions/0021).
"""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import judgments, lengths, permissions, waiting
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject, to_json
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
    required_approvals: Annotated[int, Meta(ge=1, le=20)] | None = 1
    """So many people have to say continue, each for themselves and with the same input; one says stop for all."""
    approvals_expire_after_ms: Annotated[int, Meta(ge=1000)] | None = None
    """An approval counts for so long; None: as long as the stage waits."""
    prevent_self_approval: bool | None = False
    """Whoever started the execution may not say continue; with several approvals they never may."""
    propagate_authentication_context: bool | None = False
    """Stages that follow run as whoever said continue."""


class Approval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of several."""

    by: str
    at: datetime
    choice: str = ""
    """The input that was chosen."""


class Remembered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the task remembers: of the last answer that didn't count, and of those that did but weren't enough."""

    user: str = ""
    reason: str = ""
    """Who is waited for instead; empty: no answer was refused."""
    approvals: tuple[Approval, ...] = ()


async def judge(context: TaskContext) -> TaskResult:
    """Waits for the answer."""
    status = str(context.stage.context.get("judgmentStatus") or "").lower()
    memory = _still_counting(context, msgspec.convert(context.task.memory, Remembered))
    if status not in ("continue", "stop"):
        return _waiting(context, memory, is_news=False)
    refused = _not_authorised(context) or (_not_independent(context, memory) if status == "continue" else None)
    if refused is not None:
        return _waiting(context, msgspec.structs.replace(refused, approvals=memory.approvals), is_news=True)
    if status == "stop":
        return Failed(problem=_stopped(context), announce=("manualJudgmentStop",))
    return _approved(context, memory)


def _approved(context: TaskContext, memory: Remembered) -> TaskResult:
    """Goes on once there are enough approvals of one choice."""
    choice = context.stage.context.get("judgmentInput", "")
    outputs: JsonObject = {"judgmentInput": choice}
    if _required(context) > 1:
        modified = context.stage.last_modified
        assert modified is not None, "an answer of nobody known was refused"
        one = Approval(by=modified.user, at=modified.at, choice=str(choice or ""))
        approvals = (*memory.approvals, one)
        agreeing = [each for each in approvals if each.choice == one.choice]
        if len(agreeing) < _required(context):
            return _waiting(context, Remembered(approvals=approvals), is_news=True)
        outputs["approvals"] = [to_json(each) for each in agreeing]
    return Done(announce=("manualJudgmentContinue",), outputs=outputs)


def _still_counting(context: TaskContext, memory: Remembered) -> Remembered:
    """Without the approvals that are too old by now."""
    after = context.lookup("approvalsExpireAfterMs")
    if not memory.approvals or not isinstance(after, int | float) or isinstance(after, bool):
        return memory
    oldest = context.at - lengths.of_milliseconds(after)
    return msgspec.structs.replace(memory, approvals=tuple(one for one in memory.approvals if one.at >= oldest))


def _not_independent(context: TaskContext, memory: Remembered) -> Remembered | None:
    """Why the approval doesn't count beside the starter's will and those that there are; None: it does."""
    several = _required(context) > 1
    if not several and context.lookup("preventSelfApproval") is not True:
        return None
    who = context.stage.last_modified.user if context.stage.last_modified else ""
    head = context.execution.head
    if not who or _is_same(who, head.authentication.user):
        return Remembered(user=who, reason=f"somebody else than {who or 'nobody known'}, who started the execution")
    if _is_same(who, head.behind):
        started = f"who started the execution as {head.authentication.user}, or has issued the token that did"
        return Remembered(user=who, reason=f"somebody else than {who}, {started}")
    if several and any(_is_same(who, one.by) for one in memory.approvals):
        return Remembered(user=who, reason=f"somebody else than {who}, whose approval counts once")
    return None


def _is_same(one: str, other: str) -> bool:
    """Upper and lower case don't make two people of one: a proxy may pass on a name as it was typed."""
    return one.casefold() == other.casefold()


def _required(context: TaskContext) -> int:
    wanted = context.lookup("requiredApprovals")
    return wanted if isinstance(wanted, int) and not isinstance(wanted, bool) else 1


def _waiting(context: TaskContext, refused: Remembered, *, is_news: bool) -> TaskResult:
    """`is_news`: an answer has just been refused, or wasn't enough; until there is another one, each look says so again."""
    remembered = to_json(refused)
    assert isinstance(remembered, dict)
    return Again(
        after=_pause(context.stage.context.get("notifications")),
        waiting_for=waiting.ForJudgment(
            reason=_awaited(context, refused),
            roles=_roles(context),
            choices=_choices(context),
            refused=refused.user,
        ),
        memory=remembered,
        announce=("manualJudgment",),
        context={"judgmentStatus": ""} if is_news else {},
    )


def _awaited(context: TaskContext, memory: Remembered) -> str:
    required = _required(context)
    if required == 1:
        return memory.reason or "a person to judge: continue or stop"
    have = ", ".join(one.by for one in memory.approvals) or "nobody yet"
    left = memory.reason or "others who did not start the execution"
    return f"{required} people to say continue (so far: {have}); next {left}"


def _pause(notifications: Json) -> timedelta:
    """Until the next reminder may be due."""
    pause = _LOOKS_AGAIN
    for one in notifications if isinstance(notifications, list) else ():
        every = one.get("notifyEveryMs") if isinstance(one, dict) else None
        if isinstance(every, int | float) and every > 0:
            pause = min(pause, max(_SOONEST, lengths.of_milliseconds(every)))
    return pause


def _not_authorised(context: TaskContext) -> Remembered | None:
    """Why the last judge may not judge; None: they may. Administrators may, as in Orca."""
    wanted = _roles(context)
    modified = context.stage.last_modified
    fitting = (*wanted, *context.services.settings.sign_in.admin_roles)
    if not wanted or (modified is not None and permissions.are_some_of(modified.roles, fitting)):
        return None
    who = modified.user if modified else "nobody known"
    reason = f"someone with one of the roles {', '.join(wanted)} ({who} has none of them)"
    return Remembered(user=modified.user if modified else "", reason=reason)


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
    tasks=(TaskType(name="waitForJudgment", run=judge, timeout=timedelta(days=3), is_calculation=True),),
    restart_clears=("judgmentStatus", "judgmentInput", "judgmentComment", "lastModifiedBy"),
)
