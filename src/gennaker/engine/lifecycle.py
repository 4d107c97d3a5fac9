"""The life of an execution as a whole: accepted, admitted, cancelled, paused, resumed."""

from msgspec.structs import replace

from gennaker.engine import finishing, keys, limits, moves, starting, tasks, timing
from gennaker.engine.draft import Draft
from gennaker.model.effect import TellQueue
from gennaker.model.event import (
    CancelAsked,
    HoldChanged,
    PauseAsked,
    ResumeAsked,
    Started,
    SubmissionPrepared,
)
from gennaker.model.execution import NO_TIME, Paused, Stage
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForPause

_EXPIRED = "Could not begin execution before start time expiry"  # Orca's words


def submission_prepared(draft: Draft, event: SubmissionPrepared) -> str:
    """The submission is complete: the execution enters its queue, begins, or ends because it can't run."""
    ignored = starting.prepared(draft, event)
    if ignored:
        return ignored
    if draft.head.status.is_complete:
        finishing.end_execution(draft, Status.TERMINAL, reason="the submission can't run")
        return ""
    queue = starting.queue_key(draft.head)
    if queue is None:
        _begin(draft)
    else:
        starting.enter(draft, queue)
    return ""


def started(draft: Draft, _: Started) -> str:
    """It is the execution's turn."""
    if draft.head.status is not Status.NOT_STARTED or not draft.head.is_submitted:
        return "the execution doesn't wait for its turn"
    _begin(draft)
    return ""


def _begin(draft: Draft) -> None:
    expiry = draft.head.start_time_expiry
    if draft.head.start_time is None and expiry is not None and expiry < draft.at:
        _cancel(draft, "spinnaker", _EXPIRED)
        return
    has_initial = any(not draft.stages[stage_id].requisite_ref_ids for stage_id in draft.graph.top)
    starting.run(draft)
    if not has_initial:
        finishing.end_execution(draft, Status.TERMINAL, reason="the pipeline has no stage to begin with")


def cancel(draft: Draft, event: CancelAsked) -> str:
    """Someone cancels the execution: at once, whatever it is doing."""
    if draft.head.status.is_complete:
        return f"the execution has ended {draft.head.status.value}"
    _cancel(draft, event.by, event.reason)
    return ""


def _cancel(draft: Draft, by: str, reason: str) -> None:
    if not draft.head.is_submitted:
        draft.drop(keys.submission(draft.id))
    draft.head = replace(
        draft.head,
        is_canceled=True,
        canceled_by=by,
        cancellation_reason=reason or None,
        waiting_for=None,
    )
    said = f"cancelled by {by}"
    finishing.end_execution(draft, Status.CANCELED, reason=f"{said}: {reason}" if reason else said)


def pause(draft: Draft, event: PauseAsked) -> str:
    """Someone pauses the execution: nothing new is begun until it is resumed.

    Differs from Orca, where stages and tasks still start and pause at their first run.
    """
    if draft.head.status is not Status.RUNNING:
        return f"only a running execution can be paused; this one is {draft.head.status.value}"
    before = draft.head.paused
    total = before.total_before if before else NO_TIME
    if before and before.resume_time is not None:
        total += before.resume_time - before.pause_time
    draft.head = replace(
        draft.head,
        status=Status.PAUSED,
        paused=Paused(paused_by=event.by, pause_time=draft.at, total_before=total),
        waiting_for=ForPause(reason=f"{tasks.RESUMING} (paused by {event.by})", by=event.by, since=draft.at),
    )
    _tell_queue(draft, is_held=True)
    for stage in draft.in_order():
        if stage.status is Status.RUNNING:
            tasks.hold(draft, stage.id)
            _disarm(draft, stage)
    for stage in draft.in_order():
        if any(task.status is Status.PAUSED for task in stage.tasks):
            tasks.mark_paused(draft, stage.id)
    return ""


def _disarm(draft: Draft, stage: Stage) -> None:
    if timing.stage_deadline(draft, stage) is not None:
        draft.drop(keys.stage_deadline(draft.id, stage))


def resume(draft: Draft, event: ResumeAsked) -> str:
    """Someone resumes the execution: what was held goes on, every time limit is longer by the pause."""
    paused = draft.head.paused
    if draft.head.status is not Status.PAUSED or paused is None:
        return f"only a paused execution can be resumed; this one is {draft.head.status.value}"
    draft.head = replace(
        draft.head,
        status=Status.RUNNING,
        paused=replace(paused, resumed_by=event.by, resume_time=draft.at),
        waiting_for=None,
    )
    _tell_queue(draft, is_held=False)
    for stage in draft.in_order():
        if stage.status in (Status.RUNNING, Status.PAUSED):
            _release(draft, stage, paused)
    return ""


def _release(draft: Draft, stage: Stage, paused: Paused) -> None:
    if stage.start_time is None:
        draft.put(replace(stage, status=Status.NOT_STARTED, waiting_for=None))
        draft.then(moves.StartStage(stage.id))
        return
    # A stage whose planning ended during the pause has started in it: only what came after counts.
    length = draft.at - max(paused.pause_time, stage.start_time)
    stage = draft.put(replace(stage, status=Status.RUNNING, paused_for=stage.paused_for + length))
    tasks.release(draft, stage.id, draft.at - paused.pause_time)
    limits.arm_stage(draft, draft.stages[stage.id])


def _tell_queue(draft: Draft, *, is_held: bool) -> None:
    queue = starting.queue_key(draft.head)
    if queue is not None:
        changed = HoldChanged(at=draft.at, execution_id=draft.id, is_held=is_held)
        key = keys.tell_queue(draft.id, "hold" if is_held else "release", draft.head.version)
        draft.emit(TellQueue(key=key, queue=queue, event=changed))
