"""Finishing: completing stages and executions, their late stages, and what an end cuts off.

Follows Orca's CompleteStageHandler, ContinueParentStageHandler and CompleteExecutionHandler. Where Orca asks again
after some seconds, here whoever ends last asks.
"""

from msgspec.structs import replace

from gennaker.engine import (
    evaluating,
    failures,
    graph,
    keys,
    moves,
    notifying,
    rollup,
    starting,
    synthetics,
    tasks,
    timing,
)
from gennaker.engine.draft import Draft
from gennaker.model.effect import (
    AfterKind,
    Announce,
    Deliver,
    PrepareAfterStages,
    TellQueue,
)
from gennaker.model.event import AfterStagesPrepared, ChildEnded, Left
from gennaker.model.execution import Side, Stage
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForWork

_OPEN = frozenset({Status.NOT_STARTED, Status.RUNNING, Status.PAUSED})
_ACTIVE = frozenset({Status.RUNNING, Status.PAUSED})
_LATE = {
    AfterKind.AFTER: frozenset(
        {
            Status.NOT_STARTED,
            Status.RUNNING,
            *(s for s in Status if s.satisfies_downstream),
        }
    ),
    AfterKind.ON_FAILURE: frozenset({Status.TERMINAL, Status.STOPPED}),
}
"""With which derived status of a stage its late stages of each kind run."""


def complete_stage(draft: Draft, move: moves.CompleteStage) -> None:
    """Derives a stage's status; plans and starts late stages first where there are some, else ends the stage."""
    stage = draft.stages.get(move.stage_id)
    if stage is None or stage.status not in _OPEN or stage.is_preparing or stage.start_time is None:
        return
    stage = _read_again(draft, stage)
    status = _derived(draft, stage)
    for kind, statuses in _LATE.items():
        if status in statuses and _has_late_work(draft, stage, kind):
            return
    if status is Status.NOT_STARTED:
        status = Status.SKIPPED
    if status is not Status.RUNNING:
        _finish(draft, draft.stages[stage.id], status)


def _read_again(draft: Draft, stage: Stage) -> Stage:
    """The stage with what couldn't be evaluated before its tasks, and can be with what they have put out.

    Orca's CompleteTaskHandler does so; whether an expression counts as failed is only known then.
    """
    is_late = stage.are_after_stages_planned or stage.are_failure_stages_planned
    has_worked = any(task.status.is_complete for task in stage.tasks)
    if is_late or not has_worked or evaluating.FAILURES not in stage.context:
        return stage
    done = evaluating.once_more(draft.execution(), stage, at=draft.at)
    return stage if done.problem is not None else draft.put_context(stage.id, done.context)


def _derived(draft: Draft, stage: Stage) -> Status:
    children = graph.children(draft.graph, draft.stages, stage.id)
    has_unstarted = any(one.side is Side.AFTER and one.status is Status.NOT_STARTED for one in children)
    status = rollup.stage_status(stage, children, has_unstarted_after=has_unstarted)
    return Status.TERMINAL if rollup.fails_on_expressions(stage) else status


def _has_late_work(draft: Draft, stage: Stage, kind: AfterKind) -> bool:
    """Whether the stage isn't over because late stages must be planned, start now, or run after a failure."""
    rule = draft.rules.of(stage)
    if kind is AfterKind.AFTER:
        is_planned, plans = stage.are_after_stages_planned, rule.plans_after
    else:
        is_planned, plans = stage.are_failure_stages_planned, rule.plans_on_failure
    if plans and not is_planned:
        stage = draft.put(
            replace(
                stage,
                is_preparing=True,
                waiting_for=ForWork(reason=f"its {kind.value} stages to be planned", what="plan", since=draft.at),
            )
        )
        key = keys.prepare_after(draft.id, stage, kind.value)
        draft.emit(PrepareAfterStages(key=key, stage_id=stage.id, kind=kind))
        return True
    after = [one for one in graph.children(draft.graph, draft.stages, stage.id) if one.side is Side.AFTER]
    if kind is AfterKind.ON_FAILURE:
        return is_planned and any(one.status in _ACTIVE or one.is_preparing for one in after)
    waiting = [one for one in after if one.status is Status.NOT_STARTED and not one.requisite_ref_ids]
    for child in waiting:
        draft.then(moves.StartStage(child.id))
    return bool(waiting)


def after_prepared(draft: Draft, event: AfterStagesPrepared) -> str:
    """Late stages were planned: they start, or the stage completes without any."""
    stage = draft.stages.get(event.stage_id)
    if stage is None:
        return f"there is no stage {event.stage_id}"
    kind = _awaited_kind(draft, stage, event.key)
    if kind is None or stage.status not in _ACTIVE or not stage.is_preparing:
        return "the stage no longer waits for this preparation"
    if event.problem is not None and event.is_retryable and stage.preparation < starting.PREPARED_AT_MOST - 1:
        stage = draft.put(starting.planned_again(draft, stage, event.problem))
        key = keys.prepare_after(draft.id, stage, kind.value)
        again = PrepareAfterStages(key=key, stage_id=stage.id, kind=kind)
        draft.emit(again, due=draft.at + starting.PREPARE_AGAIN_AFTER)
        return ""
    stage = replace(stage, is_preparing=False, waiting_for=None, preparation=0)
    if kind is AfterKind.AFTER:
        stage = draft.put(replace(stage, are_after_stages_planned=True))
    else:
        stage = draft.put(replace(stage, are_failure_stages_planned=True))
    if event.problem is not None and tasks.is_dry(draft, stage):
        # Such a plan may need what the tasks put out, and in a dry run they put out nothing.
        draft.put_context(stage.id, {**stage.context, "dryRunNotPlanned": event.problem.message})
        draft.then(moves.CompleteStage(stage.id))
    elif event.problem is not None:
        shape = failures.exception(event.problem, at=draft.at, operation=stage.type)
        draft.put_context(stage.id, failures.in_context(stage.context, event.problem, shape))
        _finish(draft, draft.stages[stage.id], Status.TERMINAL)
    elif kind is AfterKind.AFTER:
        synthetics.plant(draft, stage, Side.AFTER, event.stages)
        draft.then(moves.CompleteStage(stage.id))
    else:
        _plant_on_failure(draft, stage, event)
    return ""


def _awaited_kind(draft: Draft, stage: Stage, key: str) -> AfterKind | None:
    """Which late stages the key is about, if these haven't been planned yet."""
    if key == keys.prepare_after(draft.id, stage, AfterKind.AFTER) and not stage.are_after_stages_planned:
        return AfterKind.AFTER
    if key == keys.prepare_after(draft.id, stage, AfterKind.ON_FAILURE) and not stage.are_failure_stages_planned:
        return AfterKind.ON_FAILURE
    return None


def _plant_on_failure(draft: Draft, stage: Stage, event: AfterStagesPrepared) -> None:
    children = graph.children(draft.graph, draft.stages, stage.id)
    over = {one.name for one in children if one.side is Side.AFTER and one.status.is_complete}
    if not event.stages or any(one.name in over for one in event.stages):
        # At once, as in Orca: after-stages that run beside the one that failed aren't waited for.
        _finish(draft, stage, _derived(draft, stage))
        return
    # Planted first: a stage that has just been taken out, and perhaps patched, isn't to come back as another.
    planted = synthetics.plant(draft, stage, Side.AFTER, event.stages, is_linear=True)
    draft.remove([one for one in children if one.status is Status.NOT_STARTED and not one.is_preparing])
    draft.then(moves.StartStage(planted[0].id))


def _finish(draft: Draft, stage: Stage, status: Status) -> None:
    if timing.stage_deadline(draft, stage) is not None:
        draft.drop(keys.stage_deadline(draft.id, stage))
    context = failures.with_expression_errors(stage.context)
    stage = draft.put(
        replace(
            stage,
            status=status,
            end_time=draft.at,
            context=context,
            is_preparing=False,
            waiting_for=None,
        )
    )
    notifying.stage_ended(draft, stage)
    draft.then(moves.Ended(stage.id))


def ended(draft: Draft, move: moves.Ended) -> None:
    """Goes on with what follows a stage that has just ended."""
    stage = draft.stages.get(move.stage_id)
    if stage is None:
        return
    if stage.parent_id is not None and stage.side is not None:
        _child_ended(draft, stage, stage.parent_id, stage.side)
        return
    if stage.status.satisfies_downstream and (_start_ready(draft, stage) or _is_joined_later(draft, stage)):
        return  # the execution can't be over, and looking at all its stages would cost more than anything else here
    draft.then(moves.CheckExecution())


def _child_ended(draft: Draft, stage: Stage, parent_id: str, side: Side) -> None:
    goes_on = stage.status in (Status.SUCCEEDED, Status.SKIPPED) or (
        stage.status is Status.FAILED_CONTINUE and stage.context.get("allowSiblingStagesToContinueOnFailure") is True
    )
    if not goes_on and side is Side.BEFORE and _awaits_others(draft, draft.stages[parent_id]):
        return
    if not goes_on:
        draft.then(moves.CompleteStage(parent_id))
    elif not _start_downstream(draft, stage, parent_id):
        draft.then(moves.ContinueParent(parent_id, side))


def _start_ready(draft: Draft, stage: Stage) -> bool:
    """Starts what follows and can start now; says whether there was anything."""
    ready = [
        one
        for one in graph.downstream(draft.graph, draft.stages, stage)
        if one.status is Status.NOT_STARTED and graph.is_ready(draft.graph, draft.stages, one)
    ]
    for one in ready:
        draft.then(moves.StartStage(one.id))
    return bool(ready)


def _is_joined_later(draft: Draft, stage: Stage) -> bool:
    """A stage that follows waits for another branch, which is still being worked on."""
    following = graph.downstream(draft.graph, draft.stages, stage)
    return any(graph.waits_for_active(draft.graph, draft.stages, one) for one in following)


def _start_downstream(draft: Draft, stage: Stage, parent_id: str) -> bool:
    """Starts what follows a synthetic stage; says whether any of it runs, now or when what it waits for too has ended."""
    following = graph.downstream(draft.graph, draft.stages, stage)
    for one in following:
        draft.then(moves.StartStage(one.id))
    blocked = graph.blocked(draft.graph, draft.stages, parent_id) if following else frozenset[str]()
    return any(one.id not in blocked for one in following)


def continue_parent(draft: Draft, move: moves.ContinueParent) -> None:
    """Goes on with a parent whose synthetic stages of one side have all ended."""
    parent = draft.stages.get(move.parent_id)
    if parent is None or parent.status not in _ACTIVE:
        return
    side = [one for one in graph.children(draft.graph, draft.stages, parent.id) if one.side is move.side]
    if move.side is Side.AFTER:
        # Not "all complete": one whose requisite failed never starts, and Orca then waits for ever.
        if not any(one.status in _ACTIVE or one.is_preparing for one in side):
            draft.then(moves.CompleteStage(parent.id))
    elif all(one.status.satisfies_downstream for one in side):
        if not _is_completing(parent):
            draft.then(moves.BeginWork(parent.id))
    elif draft.rules.of(parent).ends_with_all_before and not _awaits_others(draft, parent):
        draft.then(moves.CompleteStage(parent.id))


def _awaits_others(draft: Draft, parent: Stage) -> bool:
    """The parent's type has all before-stages end first, and one of them still runs or will."""
    if not draft.rules.of(parent).ends_with_all_before:
        return False
    before = [one for one in graph.children(draft.graph, draft.stages, parent.id) if one.side is Side.BEFORE]
    if any(one.status in _ACTIVE or one.is_preparing for one in before):
        return True
    blocked = graph.blocked(draft.graph, draft.stages, parent.id)
    return any(one.status is Status.NOT_STARTED and one.id not in blocked for one in before)


def _is_completing(stage: Stage) -> bool:
    """A before-stage that failed but lets go on has completed its parent while a parallel one was still running."""
    return stage.is_preparing or stage.are_after_stages_planned or stage.are_failure_stages_planned


def check_execution(draft: Draft) -> None:
    """Ends the execution if its own stages say that nothing is left."""
    if draft.head.status not in _ACTIVE:
        return
    status = rollup.execution_status(
        [draft.stages[stage_id] for stage_id in draft.graph.top],
        is_ready=lambda stage: graph.is_ready(draft.graph, draft.stages, stage),
        fails_late=lambda: _fails_late(draft),
    )
    if status is None and not any(_may_go_on(draft, stage) for stage in draft.stages.values()):
        status = Status.TERMINAL  # what is left requires stages that don't exist, or each other
    if status is not None:
        end_execution(draft, status, reason=f"the execution has ended {status.value}")


def _may_go_on(draft: Draft, stage: Stage) -> bool:
    if stage.status in _ACTIVE or stage.is_preparing:
        return True
    is_open = stage.status is Status.NOT_STARTED and stage.parent_id is None
    return is_open and graph.is_ready(draft.graph, draft.stages, stage)


def _fails_late(draft: Draft) -> bool:
    return any(
        stage.status is Status.STOPPED and stage.context.get("completeOtherBranchesThenFail") is True
        for stage in draft.stages.values()
    )


def end_execution(draft: Draft, status: Status, *, reason: str) -> None:
    """Ends the execution: cuts off what still runs and tells everyone who waits for the end."""
    _cut_off(draft, reason)
    if status is Status.CANCELED and any(draft.stages[one].status is Status.TERMINAL for one in draft.graph.top):
        status = Status.TERMINAL  # what had failed before somebody cancelled has failed all the same
    draft.agenda.clear()
    version = draft.head.version
    end_time = draft.at if draft.head.start_time is not None else draft.head.end_time
    draft.head = replace(draft.head, status=status, end_time=end_time, waiting_for=None)
    queue = starting.queue_key(draft.head)
    if queue is not None:
        left = Left(
            at=draft.at,
            execution_id=draft.id,
            keep_waiting=draft.head.keep_waiting_pipelines,
        )
        draft.emit(TellQueue(key=keys.tell_queue(draft.id, "leave", version), queue=queue, event=left))
    draft.emit(Announce(key=keys.ended(draft.id, version), moment="execution.ended"))
    _tell_parent(draft, status)
    notifying.ended(draft)


def _tell_parent(draft: Draft, status: Status) -> None:
    parent = draft.head.trigger.get("parentExecution")
    stage_id = draft.head.trigger.get("parentPipelineStageId")
    if not isinstance(parent, dict) or not isinstance(stage_id, str):
        return
    parent_id = parent.get("id")
    if not isinstance(parent_id, str) or not parent_id:
        return
    event = ChildEnded(at=draft.at, stage_id=stage_id, child_id=draft.id, status=status)
    key = keys.deliver(draft.id, "child-ended", parent_id, draft.head.version)
    draft.emit(Deliver(key=key, execution_id=parent_id, event=event))


def _cut_off(draft: Draft, reason: str) -> None:
    cut: list[Stage] = []
    for stage in draft.in_order():
        if stage.status is Status.PAUSED and stage.start_time is None:
            draft.put(replace(stage, status=Status.NOT_STARTED, waiting_for=None))
        elif stage.status in _ACTIVE or stage.is_preparing:
            tasks.cut(draft, stage.id, Status.CANCELED, reason=reason)
            starting.forget(draft, draft.stages[stage.id])
            cut.append(stage)
    for stage in sorted(cut, key=lambda one: graph.depth(draft.stages, one), reverse=True):
        _end_cut(draft, draft.stages[stage.id])


def _end_cut(draft: Draft, stage: Stage) -> None:
    """Ends a stage whose tasks and parts have been cut off."""
    stage = replace(stage, waiting_for=None)
    if stage.status in _ACTIVE:
        status = rollup.cut_status(stage, graph.children(draft.graph, draft.stages, stage.id))
        context = failures.with_expression_errors(stage.context)
        stage = replace(stage, status=status, context=context, end_time=draft.at)
    draft.put(stage)
