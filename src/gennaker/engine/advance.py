"""Advance: one event moves one execution on. Pure and total.

Theory of operation. An event is a result (of preparing, of a task, of a timer) or a command. It is applied to a draft,
a working copy of the execution; what follows from it without asking anybody is put on the draft's agenda as moves, and
moves are handled until none is left. What must be done outside becomes an effect under a key that names this attempt
for ever; its answer comes back as an event with the same key.

    Submitted -> PrepareSubmission -> SubmissionPrepared -> (queue: Started) -> stages without requisites start
    a stage:  start -> PrepareStage -> StagePrepared -> before-stages -> tasks -> PrepareAfterStages -> after-stages -> end
              fails -> PrepareAfterStages(on failure) -> those stages -> end
    a task:   start -> (PrepareTask) -> RunTask -> TaskReported: Again -> RunTask, later … Done | Failed -> next task

Rules that hold for every event in every state:
* An event that doesn't fit changes nothing but the version; `ignored` says why. A result whose key isn't the one that
  is waited for is such an event: the same result twice, or a late one, does no harm.
* A status is only ever derived: a stage's from its tasks, its synthetic stages and its own failure flags, an
  execution's from the pipeline's own stages (`rollup`).
* An execution that is RUNNING waits for at least one effect; nothing waits for a clock without a timer.
* Nothing here raises, save for faults of our own.
"""

from typing import assert_never

from gennaker.engine import (
    commands,
    finishing,
    lifecycle,
    moves,
    restarts,
    starting,
    tasks,
)
from gennaker.engine.draft import Draft
from gennaker.engine.rules import Rules
from gennaker.engine.step import Step
from gennaker.model.event import (
    AfterStagesPrepared,
    CancelAsked,
    ChildEnded,
    Event,
    IgnoreFailureAsked,
    ManualJudgmentGiven,
    NotificationReported,
    PauseAsked,
    Promoted,
    Queued,
    RestartAsked,
    ResumeAsked,
    SkipAsked,
    StagePatched,
    StagePrepared,
    Started,
    SubmissionPrepared,
    Submitted,
    TaskPrepared,
    TaskReported,
    TaskStopped,
    TimerRang,
)
from gennaker.model.execution import Execution


def advance(execution: Execution, event: Event, rules: Rules) -> Step:
    """Applies an event to an execution."""
    draft = Draft(execution, at=event.at, rules=rules)
    ignored = apply(draft, event)
    return draft.step(ignored)


def apply(draft: Draft, event: Event) -> str:
    """Applies the event that a draft was begun for; returns why it was ignored, or nothing.

    For shells that write several events in one transaction: what comes of them is that of `advance` for each in turn.
    """
    ignored = _apply(draft, event)
    if ignored:
        draft.undo()
    while draft.agenda:
        _move(draft, draft.agenda.popleft())
    return ignored


def _apply(draft: Draft, event: Event) -> str:  # noqa: C901, PLR0912 - one line for each kind of event
    """Applies the event itself; returns why it was ignored, or nothing."""
    match event:  # what comes most often first: classes are compared one after the other
        case TaskReported():
            return tasks.reported(draft, event)
        case StagePrepared():
            return starting.stage_prepared(draft, event)
        case Submitted():
            return starting.submitted(draft, event)
        case SubmissionPrepared():
            return lifecycle.submission_prepared(draft, event)
        case AfterStagesPrepared():
            return finishing.after_prepared(draft, event)
        case TaskPrepared():
            return tasks.prepared(draft, event)
        case TaskStopped():
            return commands.task_stopped(draft, event)
        case NotificationReported():
            return ""  # known from the journal; nothing waits for it
        case TimerRang():
            return commands.timer_rang(draft, event)
        case Started():
            return lifecycle.started(draft, event)
        case Promoted():
            return starting.promoted(draft, event)
        case Queued():
            return starting.queued(draft, event)
        case CancelAsked():
            return lifecycle.cancel(draft, event)
        case PauseAsked():
            return lifecycle.pause(draft, event)
        case ResumeAsked():
            return lifecycle.resume(draft, event)
        case StagePatched():
            return commands.patch(draft, event)
        case ManualJudgmentGiven():
            return commands.judge(draft, event)
        case SkipAsked():
            return commands.skip(draft, event)
        case RestartAsked():
            return restarts.restart(draft, event)
        case IgnoreFailureAsked():
            return restarts.ignore_failure(draft, event)
        case ChildEnded():
            return commands.child_ended(draft, event)
        case _:
            assert_never(event)


def _move(draft: Draft, move: moves.Move) -> None:
    match move:  # as above: what comes most often first
        case moves.StartStage():
            starting.start_stage(draft, move)
        case moves.BeginWork():
            starting.begin_work(draft, move)
        case moves.StartTask():
            tasks.start(draft, move)
        case moves.CompleteStage():
            finishing.complete_stage(draft, move)
        case moves.Ended():
            finishing.ended(draft, move)
        case moves.SkipByHand():
            commands.skip_by_hand(draft, move)
        case moves.ContinueParent():
            finishing.continue_parent(draft, move)
        case moves.CheckExecution():
            finishing.check_execution(draft)
        case _:
            assert_never(move)
