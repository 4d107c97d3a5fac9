"""Commands about one stage: patching its context, judging it, skipping it; and what its child or timer tells it."""

from msgspec.structs import replace

from gennaker.engine import graph, keys, limits, moves, starting, tasks, timing
from gennaker.engine.draft import Draft
from gennaker.engine.rules import type_name
from gennaker.model import foreign, judgments, time_limits
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import (
    ChildEnded,
    ManualJudgmentGiven,
    SkipAsked,
    StagePatched,
    TaskStopped,
    TimerRang,
)
from gennaker.model.execution import LastModified, Stage
from gennaker.model.statuses import Status

_ACTIVE = frozenset({Status.RUNNING, Status.PAUSED})
_LASTING = frozenset({Status.SUCCEEDED, Status.TERMINAL, Status.FAILED_CONTINUE, Status.SKIPPED})
"""Statuses that skipping the stage above doesn't change, as in Orca."""
_JUDGMENTS = frozenset({"continue", "stop"})
_CONDITIONS = frozenset(
    {
        "selectedStageRoles",
        "requiredJudgmentRoles",
        "requiredApprovals",
        "approvalsExpireAfterMs",
        "preventSelfApproval",
        "propagateAuthenticationContext",
        "judgmentInputs",
    }
)
"""Of a manual judgment: they are the pipeline's author's to set. Whoever could patch them could answer in anybody's place."""


def patch(draft: Draft, event: StagePatched) -> str:
    """Someone merges keys into a stage's context."""
    stage = draft.stages.get(event.stage_id)
    if stage is None:
        return f"there is no stage {event.stage_id}"
    if event.patch.get("manualSkip") is True:
        refused = _cannot_skip(draft, stage)
        if refused:
            return refused
    changed = _CONDITIONS & event.patch.keys() if type_name(stage) == "manualJudgment" else frozenset()
    if changed:
        return f"who may answer {stage.name}, and how, isn't changed while its execution lasts ({', '.join(sorted(changed))})"
    wrong = _wrong_choice(stage, event.patch.get("judgmentInput"))
    if wrong:
        return wrong
    _modify(draft, stage, event.patch, by=event.by, roles=event.roles)
    if event.patch.get("manualSkip") is True:
        draft.agenda.clear()
        _skip(draft, stage)
    return ""


def task_stopped(draft: Draft, event: TaskStopped) -> str:
    """What a cancelled task had begun was stopped: its stage remembers what became of it, unless it was begun anew meanwhile."""
    stage = draft.stages.get(event.stage_id)
    task = next((one for one in stage.tasks if one.id == event.task_id), None) if stage else None
    if stage is None or task is None or not event.context:
        return ""  # known from the journal; nothing waits for it
    if keys.stop(draft.id, stage, task) != event.key or not task.status.is_complete:
        return f"{stage.name} was begun anew"
    draft.put_context(stage.id, {**stage.context, **event.context})
    return ""


def judge(draft: Draft, event: ManualJudgmentGiven) -> str:
    """Someone answers a manual judgment; the first answer stands until its stage has refused it."""
    stage = draft.stages.get(event.stage_id)
    if stage is None:
        return f"there is no stage {event.stage_id}"
    if type_name(stage) != "manualJudgment":
        return f"stage {stage.name} is no manual judgment"
    if stage.status not in _ACTIVE:
        return f"stage {stage.name} doesn't wait for a judgment; it is {stage.status.value}"
    judgment = event.judgment.lower()
    if judgment not in _JUDGMENTS:
        return f"a judgment is `continue` or `stop`, not {event.judgment!r}"
    if str(stage.context.get("judgmentStatus", "")).lower() in _JUDGMENTS:
        return f"stage {stage.name} was judged before"
    wrong = _wrong_choice(stage, event.judgment_input)
    if wrong:
        return wrong
    given: JsonObject = {
        "judgmentStatus": judgment,
        "judgmentInput": event.judgment_input,
    }
    if event.comment:
        given["judgmentComment"] = event.comment
    _modify(draft, stage, given, by=event.by, roles=event.roles)
    return ""


def _wrong_choice(stage: Stage, given: Json) -> str:
    if type_name(stage) != "manualJudgment":
        return ""
    problem = judgments.refused(stage.context.get("judgmentInputs"), given)
    return str(problem) if problem else ""


def _modify(draft: Draft, stage: Stage, patch: JsonObject, *, by: str, roles: frozenset[str] = frozenset()) -> None:
    changed = replace(
        stage,
        context={**stage.context, **patch, "lastModifiedBy": by},
        last_modified=LastModified(user=by, at=draft.at, roles=roles),
    )
    if changed.is_preparing and changed.status is Status.NOT_STARTED:
        changed = _prepare_anew(draft, changed)
    draft.put(changed)
    if "stageTimeoutMs" in patch and draft.head.status is Status.RUNNING:
        _limit_anew(draft, changed)
    tasks.nudge(draft, stage.id)


def _limit_anew(draft: Draft, stage: Stage) -> None:
    """The patch gives a limit, or another one, to what is running."""
    if stage.status is Status.RUNNING:
        limits.arm_stage(draft, stage)
    for one in [stage, *graph.descendants(draft.graph, draft.stages, stage.id)]:
        for task in one.tasks:
            if task.status is Status.RUNNING:
                limits.arm(draft, one, task)


def _prepare_anew(draft: Draft, stage: Stage) -> Stage:
    """What is being prepared has changed: the answer that comes would undo the patch."""
    draft.drop(keys.prepare_stage(draft.id, stage))
    stage = replace(stage, preparation=stage.preparation + 1)
    draft.emit(starting.preparing(draft, stage))
    return stage


def skip(draft: Draft, event: SkipAsked) -> str:
    """Someone skips a stage: the rest of a wait, a window, a condition of the settings, or one that may be skipped as a whole."""
    stage = draft.stages.get(event.stage_id)
    if stage is None:
        return f"there is no stage {event.stage_id}"
    waits = timing.SKIPPED_BY.get(type_name(stage))
    if waits is not None:
        if stage.status not in _ACTIVE:
            return f"stage {stage.name} isn't waiting; it is {stage.status.value}"
        _modify(draft, stage, dict(waits), by=event.by)
        return ""
    refused = _cannot_skip(draft, stage)
    if refused:
        return refused
    _modify(draft, stage, {"manualSkip": True}, by=event.by)
    draft.agenda.clear()
    _skip(draft, stage)
    return ""


def skip_by_hand(draft: Draft, move: moves.SkipByHand) -> None:
    """Skips a stage that says so itself, in its definition or by what a task has written."""
    stage = draft.stages.get(move.stage_id)
    if stage is not None and stage.status in _ACTIVE:
        _skip(draft, stage)


def _cannot_skip(draft: Draft, stage: Stage) -> str:
    if not draft.rules.of(stage).is_skippable or not foreign.flag(stage.context.get("skippable")):
        return f"stage {stage.name} can't be skipped: its type doesn't allow it, or it doesn't say `skippable: true`"
    if stage.status not in _ACTIVE:
        return f"stage {stage.name} can only be skipped while it runs; it is {stage.status.value}"
    return ""


def _skip(draft: Draft, stage: Stage) -> None:
    """Ends the stage and the pipeline's own stage that it belongs to as SKIPPED, without stopping what they began."""
    top = draft.stages[stage.id]
    while top.parent_id is not None:
        top = draft.stages[top.parent_id]
    for one in [*graph.descendants(draft.graph, draft.stages, top.id), top]:
        tasks.cut(draft, one.id, Status.SKIPPED, reason="the stage was skipped", stops=False)
        starting.forget(draft, draft.stages[one.id])
        if one.id != top.id and one.status not in _LASTING:
            ended = replace(
                draft.stages[one.id],
                status=Status.SKIPPED,
                end_time=draft.at,
                is_preparing=False,
                waiting_for=None,
            )
            draft.put(ended)
    starting.skip(draft, draft.stages[top.id])


def child_ended(draft: Draft, event: ChildEnded) -> str:
    """An execution that a stage has started has ended."""
    stage = draft.stages.get(event.stage_id)
    if stage is None:
        return f"there is no stage {event.stage_id}"
    if not any(tasks.is_begun(task) for task in stage.tasks):
        return f"stage {stage.name} isn't running"
    tasks.nudge(draft, stage.id)
    return ""


def timer_rang(draft: Draft, event: TimerRang) -> str:
    """A time limit may be reached; whether it is is read off the state, so a ring that comes early does no harm."""
    about = keys.timed_stage(draft.id, event.key)
    stage = draft.stages.get(about[0]) if about else None
    if about is None or stage is None:
        return "no timer of this execution has this key"
    if draft.head.status is not Status.RUNNING:
        return f"time doesn't count while the execution is {draft.head.status.value}"
    if not about[1]:
        return _stage_limit(draft, stage, event.key)
    found = tasks.find(draft, stage.id, about[1])
    if found is None or keys.task_deadline(draft.id, *found) != event.key:
        return "the task no longer has this time limit"
    return tasks.task_limit_reached(draft, *found)


def _stage_limit(draft: Draft, stage: Stage, key: str) -> str:
    deadline = timing.stage_deadline(draft, stage)
    if stage.status is not Status.RUNNING or deadline is None or keys.stage_deadline(draft.id, stage) != key:
        return "the stage no longer has this time limit"
    if deadline > draft.at:
        limits.arm_stage(draft, stage)
        return ""
    for one in [stage, *graph.descendants(draft.graph, draft.stages, stage.id)]:
        limit = time_limits.limiting_stage(draft.stages, one)
        if limit is not None and limit.id == stage.id and one.type != timing.WINDOW_TYPE:
            tasks.stage_limit_reached(draft, one)
    return ""
