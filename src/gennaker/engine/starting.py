"""Starting: an execution that was submitted, and stages whose requisites have ended well."""

from datetime import timedelta

from msgspec.structs import replace

from gennaker.engine import (
    failures,
    graph,
    keys,
    limits,
    moves,
    notifying,
    synthetics,
    tasks,
    timing,
)
from gennaker.engine.draft import Draft
from gennaker.model import foreign, records
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import (
    AfterKind,
    PrepareStage,
    PrepareSubmission,
    TellQueue,
)
from gennaker.model.event import (
    EnterAsked,
    Promoted,
    Queued,
    StagePrepared,
    SubmissionPrepared,
    Submitted,
)
from gennaker.model.execution import ExecutionKind, Head, Side, Stage
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForRetry, ForTurn, ForWork, begun

PREPARE_AGAIN_AFTER = timedelta(seconds=15)
PREPARED_AT_MOST = 40
"""Attempts at planning while a provider doesn't answer, as in Orca."""


def submitted(draft: Draft, event: Submitted) -> str:
    """The first event: has the submission prepared."""
    if draft.head.version != 1:
        return "the execution was submitted before"
    draft.head = replace(event.head, version=1)
    if event.head.status is not Status.BUFFERED:
        draft.emit(PrepareSubmission(key=keys.submission(draft.id)))
    return ""


def promoted(draft: Draft, event: Promoted) -> str:
    """An execution that was buffered is taken up: has its submission prepared."""
    if draft.head.status is not Status.BUFFERED:
        return f"the execution isn't buffered; it is {draft.head.status.value}"
    waits = ForWork(reason="the submission to be prepared", what="submission", since=event.at)
    draft.head = replace(draft.head, status=Status.NOT_STARTED, waiting_for=waits)
    draft.emit(PrepareSubmission(key=keys.submission(draft.id)))
    return ""


def prepared(draft: Draft, event: SubmissionPrepared) -> str:
    """The submission is complete: plants the stages and lets the execution begin, or wait for its turn."""
    head = draft.head
    if head.is_submitted or head.status is not Status.NOT_STARTED:
        return "the submission is no longer waited for"
    draft.head = _completed(head, event)
    if event.problems:
        said = "; ".join(str(problem) for problem in event.problems)
        draft.head = replace(
            draft.head,
            status=Status.TERMINAL,
            is_canceled=True,
            canceled_by="system",
            cancellation_reason=f"Failed on startup: {said}",
            waiting_for=None,
        )
        draft.plant([])
        return ""
    draft.plant(synthetics.stages_of(draft.id, event.config, draft.head.kind))
    return ""


def queue_key(head: Head) -> str | None:
    """The queue in which the execution waits for its turn; None: it needs none."""
    if head.kind is ExecutionKind.PIPELINE and head.pipeline_config_id:
        return f"pipeline:{head.pipeline_config_id}"
    return None


def enter(draft: Draft, queue: str) -> None:
    """Asks for the execution's turn."""
    asked = EnterAsked(
        at=draft.at,
        execution_id=draft.id,
        limit_concurrent=draft.head.limit_concurrent,
        max_concurrent=draft.head.max_concurrent_executions,
    )
    turn = ForTurn(reason="its turn in the queue of its pipeline", queue=queue, since=draft.at)
    draft.head = replace(draft.head, waiting_for=turn)
    key = keys.tell_queue(draft.id, "enter", draft.head.version)
    draft.emit(TellQueue(key=key, queue=queue, event=asked))


def queued(draft: Draft, event: Queued) -> str:
    """The execution waits in its queue."""
    if draft.head.status is not Status.NOT_STARTED or not draft.head.is_submitted:
        return "the execution doesn't wait for its turn"
    draft.head = replace(draft.head, waiting_for=begun(event.waiting_for, draft.head.waiting_for, draft.at))
    return ""


def run(draft: Draft) -> None:
    """Lets the execution run: starts whatever can start."""
    is_first = draft.head.start_time is None
    draft.head = replace(
        draft.head,
        status=Status.RUNNING,
        is_canceled=False,
        start_time=draft.at,
        waiting_for=None,
    )
    if is_first:
        notifying.starting(draft)
    top = [draft.stages[stage_id] for stage_id in draft.graph.top]
    ready = [one for one in top if one.status is Status.NOT_STARTED and graph.is_ready(draft.graph, draft.stages, one)]
    for stage in ready:
        draft.then(moves.StartStage(stage.id))
    if not ready:  # otherwise a restarted execution would end at once for a sibling that was cancelled before
        draft.then(moves.CheckExecution())


def start_stage(draft: Draft, move: moves.StartStage) -> None:
    """Has a stage prepared if everything it requires has ended well; does nothing the second time."""
    stage = draft.stages.get(move.stage_id)
    if stage is None or stage.status is not Status.NOT_STARTED or stage.is_preparing:
        return
    if not graph.is_ready(draft.graph, draft.stages, stage):
        return
    if draft.is_paused:
        draft.put(replace(stage, status=Status.PAUSED, waiting_for=tasks.held(draft)))
        if stage.parent_id:
            tasks.mark_paused(draft, stage.parent_id)
        return
    if stage.start_time_expiry is not None and stage.start_time_expiry < draft.at:
        skip(draft, stage)
        return
    planning = ForWork(reason="its plan", what="plan", since=draft.at)
    stage = draft.put(replace(stage, is_preparing=True, waiting_for=planning))
    draft.emit(preparing(draft, stage))


def preparing(draft: Draft, stage: Stage) -> PrepareStage:
    """The effect that has the stage planned."""
    return PrepareStage(key=keys.prepare_stage(draft.id, stage), stage_id=stage.id)


def skip(draft: Draft, stage: Stage) -> None:
    """Ends a stage as SKIPPED without having run; what follows it starts."""
    skipped = replace(
        stage,
        status=Status.SKIPPED,
        end_time=draft.at,
        is_preparing=False,
        waiting_for=None,
    )
    draft.put(skipped)
    draft.then(moves.Ended(stage.id))


def stage_prepared(draft: Draft, event: StagePrepared) -> str:
    """A stage was planned: it runs, is skipped or fails."""
    stage = draft.stages.get(event.stage_id)
    if stage is None:
        return f"there is no stage {event.stage_id}"
    if not _is_awaited(draft, stage, event.key):
        return "the stage no longer waits for this preparation"
    if event.problem is not None and event.is_retryable and stage.preparation < PREPARED_AT_MOST - 1:
        stage = draft.put(planned_again(draft, stage, event.problem))
        draft.emit(preparing(draft, stage), due=draft.at + PREPARE_AGAIN_AFTER)
        return ""
    stage = replace(
        stage,
        context=event.context or stage.context,
        is_preparing=False,
        waiting_for=None,
        preparation=0,
    )
    if event.skip:
        skip(draft, stage)
        return ""
    stage = replace(stage, status=Status.RUNNING, start_time=draft.at, end_time=None)
    if event.problem is not None:
        draft.put(stage)
        shape = failures.exception(event.problem, at=draft.at, operation=stage.type)
        context = failures.in_context(stage.context, event.problem, shape)
        stage = draft.put_context(stage.id, {**context, "beforeStagePlanningFailed": True})
        limits.arm_stage(draft, stage)  # its limit counts for what follows the failure, too
        draft.then(moves.CompleteStage(stage.id))
        return ""
    _begin_stage(draft, stage, event)
    return ""


def planned_again(draft: Draft, stage: Stage, problem: Problem) -> Stage:
    """The stage waiting for another try at its plan."""
    again = ForRetry(
        reason=f"another try at planning, after: {problem.message}",
        problem=problem,
        attempt=stage.preparation + 2,
        at_most=PREPARED_AT_MOST,
        due=draft.at + PREPARE_AGAIN_AFTER,
    )
    waits = begun(again, stage.waiting_for, draft.at)
    return replace(stage, preparation=stage.preparation + 1, waiting_for=waits)


def _is_awaited(draft: Draft, stage: Stage, key: str) -> bool:
    return stage.status is Status.NOT_STARTED and stage.is_preparing and keys.prepare_stage(draft.id, stage) == key


def _begin_stage(draft: Draft, stage: Stage, event: StagePrepared) -> None:
    context = stage.context
    if draft.rules.of(stage).is_skippable and foreign.flag(context.get("skippable")):
        context = {**context, "canManuallySkip": True}
    stage = draft.put(replace(stage, context=context, tasks=synthetics.tasks_of(event.tasks)))
    limits.arm_stage(draft, stage)
    notifying.stage_starting(draft, stage)
    before = synthetics.plant(draft, stage, Side.BEFORE, event.before)
    if not before:
        draft.then(moves.BeginWork(stage.id))
    for child in before:
        if not child.requisite_ref_ids:
            draft.then(moves.StartStage(child.id))


def begin_work(draft: Draft, move: moves.BeginWork) -> None:
    """Starts a stage's first task, or completes the stage if it has none."""
    stage = draft.stages[move.stage_id]
    if not stage.tasks:
        draft.then(moves.CompleteStage(stage.id))
    elif stage.tasks[0].status is Status.NOT_STARTED:
        draft.then(moves.StartTask(stage.id, stage.tasks[0].id))


def forget(draft: Draft, stage: Stage) -> None:
    """Wants neither the stage's preparation nor its timer any more; an answer that comes later is stale."""
    if stage.is_preparing:
        if stage.status is Status.NOT_STARTED:
            draft.drop(keys.prepare_stage(draft.id, stage))
        else:
            for kind in AfterKind:
                draft.drop(keys.prepare_after(draft.id, stage, kind.value))
        draft.put(replace(stage, is_preparing=False, preparation=stage.preparation + 1))
    if timing.stage_deadline(draft, stage) is not None:
        draft.drop(keys.stage_deadline(draft.id, stage))


def _completed(head: Head, event: SubmissionPrepared) -> Head:
    """The head with what the definition says."""
    config = event.config
    trigger = event.trigger or head.trigger
    return replace(
        head,
        root_id=_root(trigger) or head.root_id,
        is_submitted=True,
        waiting_for=None,
        trigger=trigger,
        name=foreign.said_at(config, "name") or head.name,
        description=foreign.said_at(config, "description") or head.description,
        start_time_expiry=synthetics.expiry(config.get("startTimeExpiry")) or head.start_time_expiry,
        limit_concurrent=_flag(config.get("limitConcurrent"), default=head.limit_concurrent),
        max_concurrent_executions=_count(config.get("maxConcurrentExecutions")) or head.max_concurrent_executions,
        keep_waiting_pipelines=_flag(config.get("keepWaitingPipelines"), default=head.keep_waiting_pipelines),
        notifications=tuple(foreign.mappings(config.get("notifications"))) or head.notifications,
        spel_evaluator=foreign.text(config.get("spelEvaluator")) or head.spel_evaluator,
        template_variables=foreign.mapping(config.get("templateVariables")) or head.template_variables,
        source=config.get("source") or head.source,
    )


def _root(trigger: JsonObject) -> str:
    """The execution from which the parent descends, where the submission has found a parent; else nothing."""
    parent = trigger.get("parentExecution")
    if not isinstance(parent, dict):
        return ""
    return foreign.text(parent.get("rootId")) or foreign.text(parent.get("id"))


def _flag(value: Json, *, default: bool) -> bool:
    return default if value is None else foreign.flag(value)


def _count(value: Json) -> int:
    return max(records.whole(value) or 0, 0)
