"""Restarts: running a stage again with all that follows it, and letting a failed stage count as passed.

Orca's rules: a restart acts on the pipeline's own stage, resets it and every ended stage downstream, keeps outputs
except those that the stage's type clears, and leaves cancelled siblings as they are. An execution that had ended goes
through its queue again. One difference: a stage whose requisites haven't ended well isn't restarted, because the
execution would then wait for something that never happens.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from gennaker.engine import graph, keys, moves, starting, variables
from gennaker.engine.draft import Draft
from gennaker.engine.rules import type_name
from gennaker.model.codec import JsonObject, milliseconds
from gennaker.model.effect import Deliver
from gennaker.model.event import IgnoreFailureAsked, RestartAsked
from gennaker.model.execution import Stage, StageMap
from gennaker.model.statuses import Status

_FORGOTTEN = frozenset({"exception", "problems", "beforeStagePlanningFailed", "manualSkip"})
_FAILED = (Status.TERMINAL, Status.STOPPED)
_PAUSED = "the execution is paused: resume it first"
_CHILD = frozenset({"executionId", "executionName"})


def restart(draft: Draft, event: RestartAsked) -> str:
    """Someone restarts a stage."""
    found = draft.stages.get(event.stage_id)
    if found is None:
        return f"there is no stage {event.stage_id}"
    stage = _top(draft, found)
    if event.keeps_child and not draft.head.status.is_complete:
        return "a child was restarted, which only an execution that is over follows again"
    refused = _cannot_restart(draft, stage)
    if refused:
        return refused
    details: JsonObject = {
        "restartedBy": event.by,
        "restartTime": milliseconds(draft.at),
    }
    if "exception" in stage.context:
        details["previousException"] = stage.context["exception"]
    following = [one for one in graph.all_downstream(draft.graph, draft.stages, stage) if one.status.is_complete]
    busy = _still_running(draft, [stage, *following])
    if busy:
        return busy
    _reset(draft, stage, details, kept=_CHILD if event.keeps_child else frozenset())
    for one in following:
        _reset(draft, one, {}, kept=frozenset())
    for one in (stage, *following):
        _take(draft, one, event.stages)
    _restart_parent(draft, event)
    _run_again(draft, stage)
    return ""


def ignore_failure(draft: Draft, event: IgnoreFailureAsked) -> str:
    """Someone lets a failed stage count as FAILED_CONTINUE: what follows it runs."""
    found = draft.stages.get(event.stage_id)
    if found is None:
        return f"there is no stage {event.stage_id}"
    stage = _top(draft, found)
    if draft.head.status is Status.PAUSED and stage.status in _FAILED:
        return _PAUSED
    refused = why_not_ignored(draft.graph, draft.stages, stage)
    if refused:
        return refused
    details: JsonObject = {
        "by": event.by,
        "reason": event.reason,
        "time": milliseconds(draft.at),
    }
    if "exception" in stage.context:
        details["previousException"] = stage.context["exception"]
    context = {key: value for key, value in stage.context.items() if key not in _FORGOTTEN}
    context["ignoreFailureDetails"] = details
    draft.put(replace(stage, status=Status.FAILED_CONTINUE, context=context))
    if draft.head.status is Status.RUNNING:
        draft.then(moves.Ended(stage.id))
    else:
        _run_again(draft, stage)
    return ""


def why_not_ignored(relations: graph.Graph, stages: StageMap, stage: Stage) -> str:
    """Why the failure of a top-level stage can't be ignored; empty: it can."""
    if stage.status not in _FAILED:
        return f"stage {stage.name} hasn't failed; it is {stage.status.value}"
    for one in (stage, *graph.descendants(relations, stages, stage.id)):
        if type_name(one) == "manualJudgment" and one.status in _FAILED:
            return f"nobody has let {one.name} go on, and that isn't ignored: restart it to have it judged anew"
    return ""


def why_not_again(relations: graph.Graph, stages: StageMap, stage: Stage) -> str:
    """Why a top-level stage can't be restarted; empty: it can, unless what follows it still runs."""
    if stage.is_preparing or not (stage.status.is_complete or stage.status is Status.NOT_STARTED):
        return f"stage {stage.name} is {stage.status.value}: only a stage that has ended can be restarted"
    if not graph.is_ready(relations, stages, stage):
        return f"stage {stage.name} requires stages that haven't ended well: restart one of those"
    return ""


def _top(draft: Draft, stage: Stage) -> Stage:
    while stage.parent_id is not None:
        stage = draft.stages[stage.parent_id]
    return stage


def _cannot_restart(draft: Draft, stage: Stage) -> str:
    if draft.head.status is Status.PAUSED:
        return _PAUSED
    if not draft.head.is_submitted or (draft.head.status is Status.NOT_STARTED):
        return "the execution hasn't begun"
    return why_not_again(draft.graph, draft.stages, stage)


def _still_running(draft: Draft, stages: list[Stage]) -> str:
    """A stage may have ended while one of its parallel children goes on: its work must not be forgotten."""
    for stage in stages:
        for child in graph.descendants(draft.graph, draft.stages, stage.id):
            if child.is_preparing or child.status in (Status.RUNNING, Status.PAUSED):
                return f"{child.name}, a part of stage {stage.name}, is still running: wait for its end"
    return ""


def _reset(draft: Draft, stage: Stage, details: JsonObject, *, kept: frozenset[str]) -> None:
    draft.remove(graph.children(draft.graph, draft.stages, stage.id))
    gone = {*_FORGOTTEN, *draft.rules.of(stage).restart_clears} - kept
    details = {**details, **_remembered(stage, draft.rules.of(stage).restart_remembers)}
    context = {key: value for key, value in stage.context.items() if key not in gone}
    outputs = {key: value for key, value in stage.outputs.items() if key not in gone}
    in_order = draft.rules.of(stage).evaluates_in_order
    if in_order and in_order in context:
        context[in_order], outputs = variables.restored(context[in_order]), {}
    if details:
        context["restartDetails"] = details
    fresh = Stage(
        id=stage.id,
        ref_id=stage.ref_id,
        type=stage.type,
        name=stage.name,
        requisite_ref_ids=stage.requisite_ref_ids,
        context=context,
        outputs=outputs,
        start_time_expiry=stage.start_time_expiry,
        last_modified=stage.last_modified,
        attempt=stage.attempt + 1,
    )
    draft.put(fresh)


def _remembered(stage: Stage, keys_: Sequence[str]) -> JsonObject:
    """What a restart drops and `restartDetails` keeps, e.g. `buildInfo` as `previousBuildInfo`."""
    return {f"previous{key[0].upper()}{key[1:]}": stage.context[key] for key in keys_ if key in stage.context}


def _take(draft: Draft, stage: Stage, saved: Sequence[JsonObject]) -> None:
    """Keys that the stage's type takes from the pipeline as it is saved now, e.g. preconditions that were corrected."""
    wanted = draft.rules.of(stage).restart_takes
    now = next((one for one in saved if str(one.get("refId")) == stage.ref_id and one.get("type") == stage.type), None)
    taken: JsonObject = {key: now[key] for key in wanted if now is not None and key in now}
    if taken:
        draft.put_context(stage.id, {**draft.stages[stage.id].context, **taken})


def _run_again(draft: Draft, stage: Stage) -> None:
    queue = starting.queue_key(draft.head)
    if draft.head.status is Status.RUNNING:
        draft.then(moves.StartStage(stage.id))
    elif queue is None:
        starting.run(draft)
    else:
        draft.head = replace(draft.head, status=Status.NOT_STARTED)
        starting.enter(draft, queue)


def _restart_parent(draft: Draft, event: RestartAsked) -> None:
    """The stage of another execution that has started this one follows it again, if that execution is over, too."""
    parent = draft.head.trigger.get("parentExecution")
    stage_id = draft.head.trigger.get("parentPipelineStageId")
    parent_id = parent.get("id") if isinstance(parent, dict) else None
    if draft.head.status is Status.RUNNING or not isinstance(parent_id, str) or not isinstance(stage_id, str):
        return
    again = RestartAsked(at=draft.at, stage_id=stage_id, by=event.by, keeps_child=True)
    key = keys.deliver(draft.id, "child-restarted", parent_id, draft.head.version)
    draft.emit(Deliver(key=key, execution_id=parent_id, event=again))
