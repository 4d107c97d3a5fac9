"""Events: what has happened or was asked. The only input of `advance` and `admit`.

`at` is the only time that the pure rooms know. Results carry everything that was found out while preparing or
performing, so that folding the journal gives the same states again.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

import msgspec

from gennaker.model.codec import JsonObject
from gennaker.model.execution import EffectClass, Head
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.model.waiting import Waiting


class _Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    at: datetime


# Results of tasks


class Done(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="done"):
    """The task has ended, well unless the status says otherwise."""

    status: Status = Status.SUCCEEDED
    """SUCCEEDED, SKIPPED, REDIRECT, FAILED_CONTINUE or STOPPED."""
    context: JsonObject = {}
    """Merged into the stage's context: for the stage itself."""
    outputs: JsonObject = {}
    """Merged into the stage's outputs: for everything downstream."""
    announce: tuple[str, ...] = ()
    """Moments about which the stage's notifications are sent, e.g. `manualJudgmentContinue`."""


class Again(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="again"):
    """The task wants to be run again later: a durable poll."""

    after: timedelta
    waiting_for: Waiting
    """What it waits for; its reason is shown to people."""
    memory: JsonObject = {}
    """Given back at the next run; replaces the earlier memory."""
    context: JsonObject = {}
    outputs: JsonObject = {}
    announce: tuple[str, ...] = ()


class Failed(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag="failed"):
    """The task has failed."""

    problem: Problem
    retryable: bool = False
    """Trying again may help: a refused connection, a 503."""
    status: Status = Status.TERMINAL
    """TERMINAL or CANCELED."""
    context: JsonObject = {}
    outputs: JsonObject = {}
    announce: tuple[str, ...] = ()


TaskResult: TypeAlias = Done | Again | Failed


class Submitted(_Event, frozen=True, gc=False, kw_only=True, tag="Submitted"):
    """The first event of every journal: the execution as it was accepted. Replaying begins with it."""

    head: Head


# Results of preparing


class PlannedTask(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A task as its stage's type planned it; becomes a Task of the stage."""

    name: str
    implementing_class: str
    is_loop_start: bool = False
    is_loop_end: bool = False
    timeout: timedelta | None = None
    is_timeout_overridable: bool = True
    retries: int = 0
    retry_after: timedelta = timedelta(seconds=1)
    effect_class: EffectClass = EffectClass.REPEATABLE


class PlannedStage(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A synthetic stage as its parent's type planned it."""

    type: str
    name: str
    context: JsonObject = {}
    requisites: tuple[int, ...] = ()
    """Positions in the same list of the stages that must end first; empty: starts at once."""


class SubmissionPrepared(_Event, frozen=True, gc=False, kw_only=True, tag="SubmissionPrepared"):
    """The submission was completed, or can't be."""

    key: str
    config: JsonObject = {}
    """The whole definition after expansion: `stages` with refIds, flags, notifications."""
    trigger: JsonObject = {}
    """The trigger with parameters, artifacts and resolved expected artifacts."""
    problems: tuple[Problem, ...] = ()
    """Not empty: the execution ends TERMINAL with them."""


class StagePrepared(_Event, frozen=True, gc=False, kw_only=True, tag="StagePrepared"):
    """A stage was planned, or can't be."""

    key: str
    stage_id: str
    context: JsonObject = {}
    """The evaluated context, which replaces the stage's, expressionEvaluationSummary included."""
    tasks: tuple[PlannedTask, ...] = ()
    before: tuple[PlannedStage, ...] = ()
    skip: str = ""
    """Not empty: the stage is SKIPPED, and why (`stageEnabled`)."""
    problem: Problem | None = None
    """Set: planning failed; the stage fails as `beforeStagePlanningFailed`."""
    is_retryable: bool = False
    """With a problem: planning is tried again after a pause (a provider that didn't answer)."""


class AfterStagesPrepared(_Event, frozen=True, gc=False, kw_only=True, tag="AfterStagesPrepared"):
    """The late stages of a stage were planned, or can't be."""

    key: str
    stage_id: str
    stages: tuple[PlannedStage, ...] = ()
    problem: Problem | None = None
    is_retryable: bool = False
    """With a problem: planning is tried again after a pause."""


class TaskPrepared(_Event, frozen=True, gc=False, kw_only=True, tag="TaskPrepared"):
    """A stage's context was evaluated for a task that starts."""

    key: str
    stage_id: str
    task_id: str
    context: JsonObject = {}
    problem: Problem | None = None


class TaskReported(_Event, frozen=True, gc=False, kw_only=True, tag="TaskReported"):
    """A task was run once."""

    key: str
    stage_id: str
    task_id: str
    result: TaskResult
    is_repeat: bool = False
    """An earlier run with the same key was cut off without an answer."""


class TaskStopped(_Event, frozen=True, gc=False, kw_only=True, tag="TaskStopped"):
    """What a cancelled task had begun outside was stopped, or could not be."""

    key: str
    stage_id: str
    task_id: str
    problem: Problem | None = None
    context: JsonObject = {}
    """Added to the stage's: what has become of what it had begun."""


class Outcome(StrEnum):
    """How an effect that can't be asked about has ended."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Both attempts were cut off without an answer."""


class NotificationReported(_Event, frozen=True, gc=False, kw_only=True, tag="NotificationReported"):
    """A message was sent, could not be, or nobody knows."""

    key: str
    outcome: Outcome
    is_repeat: bool = False
    problem: Problem | None = None


class TimerRang(_Event, frozen=True, gc=False, kw_only=True, tag="TimerRang"):
    """A timer's time has come."""

    key: str


# Commands


class Started(_Event, frozen=True, gc=False, kw_only=True, tag="Started"):
    """The execution may begin: nothing holds it in a queue."""


class Promoted(_Event, frozen=True, gc=False, kw_only=True, tag="Promoted"):
    """There is room for an execution that was buffered while many others ran."""


class Queued(_Event, frozen=True, gc=False, kw_only=True, tag="Queued"):
    """The execution waits in its pipeline's queue."""

    waiting_for: Waiting


class CancelAsked(_Event, frozen=True, gc=False, kw_only=True, tag="CancelAsked"):
    """Someone, or Gennaker, cancels the execution."""

    by: str
    reason: str = ""


class PauseAsked(_Event, frozen=True, gc=False, kw_only=True, tag="PauseAsked"):
    """Someone pauses the execution."""

    by: str


class ResumeAsked(_Event, frozen=True, gc=False, kw_only=True, tag="ResumeAsked"):
    """Someone resumes the execution."""

    by: str


class StagePatched(_Event, frozen=True, gc=False, kw_only=True, tag="StagePatched"):
    """Someone merges keys into a stage's context; its running task looks again at once."""

    stage_id: str
    by: str
    roles: frozenset[str] = frozenset()
    patch: JsonObject = {}
    seen: str = ""
    """Where the patch answers a judgment: as there."""


class ManualJudgmentGiven(_Event, frozen=True, gc=False, kw_only=True, tag="ManualJudgmentGiven"):
    """Someone answers a manual judgment."""

    stage_id: str
    by: str
    roles: frozenset[str] = frozenset()
    judgment: str
    """`continue` or `stop`"""
    judgment_input: str = ""
    comment: str = ""
    """Why, in the approver's words."""
    seen: str = ""
    """Digest of the evidence that holds what the approver saw."""


class SkipAsked(_Event, frozen=True, gc=False, kw_only=True, tag="SkipAsked"):
    """Someone skips a stage."""

    stage_id: str
    by: str


class RestartAsked(_Event, frozen=True, gc=False, kw_only=True, tag="RestartAsked"):
    """Someone restarts a stage and all that follows it."""

    stage_id: str
    by: str
    keeps_child: bool = False
    """The execution that the stage had started was itself restarted: the stage follows it and starts no other."""
    stages: tuple[JsonObject, ...] = ()
    """Stages of the pipeline as it is saved now: some types take keys over from there (`StageType.restart_takes`)."""


class IgnoreFailureAsked(_Event, frozen=True, gc=False, kw_only=True, tag="IgnoreFailureAsked"):
    """Someone lets a failed stage count as FAILED_CONTINUE."""

    stage_id: str
    by: str
    reason: str = ""


class ChildEnded(_Event, frozen=True, gc=False, kw_only=True, tag="ChildEnded"):
    """An execution that a stage of this one has started has ended; its monitor looks again at once."""

    stage_id: str
    child_id: str
    status: Status


Event: TypeAlias = (
    Submitted
    | SubmissionPrepared
    | StagePrepared
    | AfterStagesPrepared
    | TaskPrepared
    | TaskReported
    | TaskStopped
    | NotificationReported
    | TimerRang
    | Started
    | Promoted
    | Queued
    | CancelAsked
    | PauseAsked
    | ResumeAsked
    | StagePatched
    | ManualJudgmentGiven
    | SkipAsked
    | RestartAsked
    | IgnoreFailureAsked
    | ChildEnded
)
"""Everything that an execution can be told; told apart by `type` in JSON."""


# What spans executions


class EnterAsked(_Event, frozen=True, gc=False, kw_only=True, tag="EnterAsked"):
    """An execution wants to begin."""

    execution_id: str
    limit_concurrent: bool = False
    max_concurrent: int = 0
    """0: no cap; only used where `limit_concurrent` is false."""


class Left(_Event, frozen=True, gc=False, kw_only=True, tag="Left"):
    """An execution has ended, or was cancelled while it waited."""

    execution_id: str
    keep_waiting: bool = False
    """False: only the newest waiting execution goes on, the others are cancelled."""


class HoldChanged(_Event, frozen=True, gc=False, kw_only=True, tag="HoldChanged"):
    """An execution was paused (and no longer counts as running) or resumed."""

    execution_id: str
    is_held: bool


class NumberAsked(_Event, frozen=True, gc=False, kw_only=True, tag="NumberAsked"):
    """Someone wants the next server-group number of a cluster; the same holder always gets the same number."""

    holder: str
    taken: tuple[int, ...] = ()
    """Numbers that exist at the provider now."""
    newest: int | None = None
    """Number of the newest existing server group; None: there is none or it has no number."""


class NumberReturned(_Event, frozen=True, gc=False, kw_only=True, tag="NumberReturned"):
    """The holder will not use its number, or the server group now exists and speaks for itself."""

    holder: str


QueueEvent: TypeAlias = EnterAsked | Left | HoldChanged | NumberAsked | NumberReturned
