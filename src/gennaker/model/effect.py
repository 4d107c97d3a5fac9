"""Effects: what the engine asks to have done. Each is a row in the outbox until its result is recorded.

`key` names an effect for ever: the same attempt at the same thing has the same key, also after a crash. A result
with a key that the execution no longer waits for is ignored. Keys are readable:
`<execution>/<stage>/<what>/<attempt>[/<poll>]`.
"""

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import msgspec

from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.event import Event, QueueEvent


class _Effect(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    key: str


class PrepareSubmission(_Effect, frozen=True, gc=False, kw_only=True, tag="PrepareSubmission"):
    """Complete the trigger, resolve artifacts, expand and validate the definition; answered by SubmissionPrepared."""


class PrepareStage(_Effect, frozen=True, gc=False, kw_only=True, tag="PrepareStage"):
    """Evaluate the stage's context, read its spec, plan tasks and before-stages; answered by StagePrepared."""

    stage_id: str


class AfterKind(StrEnum):
    """Which late stages are planned."""

    AFTER = "after"
    ON_FAILURE = "on-failure"


class PrepareAfterStages(_Effect, frozen=True, gc=False, kw_only=True, tag="PrepareAfterStages"):
    """Plan the stages that follow a stage's tasks, or its failure; answered by AfterStagesPrepared."""

    stage_id: str
    kind: AfterKind


class PrepareTask(_Effect, frozen=True, gc=False, kw_only=True, tag="PrepareTask"):
    """Evaluate the stage's context once more before a task starts; answered by TaskPrepared."""

    stage_id: str
    task_id: str
    until: datetime | None = None
    """As of RunTask."""


class RunTask(_Effect, frozen=True, gc=False, kw_only=True, tag="RunTask"):
    """Run a task once; answered by TaskReported. `due` in the outbox makes it a durable poll."""

    stage_id: str
    task_id: str
    until: datetime | None = None
    """When the task's time limit is reached: a TimerRang is due then, if the run is still wanted. None: it has none, or a timer apart."""


class StopTask(_Effect, frozen=True, gc=False, kw_only=True, tag="StopTask"):
    """Undo or stop what a cancelled task has begun outside; answered by TaskStopped, which changes nothing."""

    stage_id: str
    task_id: str
    reason: str


class StartTimer(_Effect, frozen=True, gc=False, kw_only=True, tag="StartTimer"):
    """Ring at an instant; answered by TimerRang with the same key."""

    rings_at: datetime
    about: str


class TellQueue(_Effect, frozen=True, gc=False, kw_only=True, tag="TellQueue"):
    """Tell what spans executions; `admit` is folded into the same transaction."""

    queue: str
    event: QueueEvent


class Deliver(_Effect, frozen=True, gc=False, kw_only=True, tag="Deliver"):
    """Hand an event to another execution (a child that ended, an admission, a superseding)."""

    execution_id: str
    event: Event
    audit: tuple[AuditEntry, ...] = ()
    """Written in the transaction that applies the event: who gave a command that came by way of another server."""


class Notify(_Effect, frozen=True, gc=False, kw_only=True, tag="Notify"):
    """Send one message to one address; performed at most twice with the key as delivery id."""

    notification: JsonObject
    """Spinnaker's notification: type, address, when, message …"""
    moment: str
    """`pipeline.starting|complete|failed`, `stage.starting|complete|failed`, `manualJudgment|…Continue|…Stop`."""
    stage_id: str | None = None


class Announce(_Effect, frozen=True, gc=False, kw_only=True, tag="Announce"):
    """Tell the rest of the house what has happened: dependent pipelines start from it. Repeatable."""

    moment: str
    """`execution.ended`"""


Effect: TypeAlias = (
    PrepareSubmission
    | PrepareStage
    | PrepareAfterStages
    | PrepareTask
    | RunTask
    | StopTask
    | StartTimer
    | TellQueue
    | Deliver
    | Notify
    | Announce
)
"""All of them; told apart by `type` in JSON."""


class PendingEffect(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """An effect in the outbox."""

    effect: Effect
    execution_id: str
    due: datetime | None = None
    """Not before; None: at once."""
    tries: int = 0
    """Raised, in a commit of its own, before a repeat of an effect that may happen at most twice."""
