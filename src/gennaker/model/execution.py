"""Executions: a run of a pipeline (or an orchestration), its stages and their tasks.

Frozen records. A step of the engine makes a new `Execution` that shares all unchanged stages with the old one.
Field names on the wire are made by the API; here they are the engine's.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

import immutables
import msgspec

from gennaker.model.codec import Json, JsonObject
from gennaker.model.statuses import Status
from gennaker.model.waiting import Waiting

NO_TIME = timedelta()
"""Defaults that are written nowhere are known by being the same object, which a zero made anew is in some Pythons only."""


class ExecutionKind(StrEnum):
    """Pipelines have a definition and triggers; orchestrations are ad-hoc lists of stages ("tasks" in Deck)."""

    PIPELINE = "PIPELINE"
    ORCHESTRATION = "ORCHESTRATION"


class Side(StrEnum):
    """On which side of its parent's own tasks a synthetic stage runs."""

    BEFORE = "STAGE_BEFORE"
    AFTER = "STAGE_AFTER"


class EffectClass(StrEnum):
    """What may be done with a task's effect whose outcome is unknown after a crash (docs/guarantees.md)."""

    REPEATABLE = "repeatable"
    """The target takes a key, can be asked, or repeating changes nothing: performed again until it answers."""
    AT_MOST_TWICE = "at-most-twice"
    """The target can't be asked: one repeat with the same delivery id, then the outcome is `unknown`."""


class Task(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One step of a stage: the unit that the worker performs."""

    id: str
    """`1`, `2`, … within its stage."""
    name: str
    implementing_class: str = ""
    """Name by which the worker finds the code: that of a `TaskType` of the stage's type."""
    status: Status = Status.NOT_STARTED
    start_time: datetime | None = None
    end_time: datetime | None = None
    is_stage_start: bool = False
    is_stage_end: bool = False
    is_loop_start: bool = False
    is_loop_end: bool = False
    attempt: int = 0
    """Raised whenever the task starts (again): part of the key of its effect, so that late results are told apart."""
    poll: int = 0
    """How often the task has said `Again` in this attempt; also part of the key."""
    failures: int = 0
    """Retryable failures in a row, reset by any other result."""
    memory: JsonObject = {}
    """What the task asked to get back at its next poll."""
    waiting_for: Waiting | None = None
    """Why the task isn't done yet; set by every `Again`. None: it hasn't begun, or has ended."""
    due: datetime | None = None
    """When the next poll happens, None while one is under way."""
    is_prepared: bool = False
    """The stage's context was evaluated for this attempt."""
    is_nudged: bool = False
    """What it waits for has changed while a run was under way: its next poll is due at once."""
    paused_for: timedelta = NO_TIME
    """How long the execution was paused during this attempt: time that doesn't count against its limit."""
    is_limit_carried: bool = False
    """What is asked for it while it runs carries its time limit; else the limit has a timer apart (see `engine.limits`)."""
    timeout: timedelta | None = None
    """None: no limit of its own."""
    is_timeout_overridable: bool = True
    """The stage's `stageTimeoutMs` replaces `timeout`."""
    retries: int = 0
    """How many retryable failures in a row are forgiven; -1: all, until the time-out."""
    retry_after: timedelta = timedelta(seconds=1)
    """Pause before the first retry; doubled each time up to a minute."""
    effect_class: EffectClass = EffectClass.REPEATABLE
    exception: JsonObject = {}
    """Orca's taskExceptionDetails."""


class LastModified(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who changed a stage last (a judgment, a skipped wait)."""

    user: str
    at: datetime
    roles: frozenset[str] = frozenset()


class Stage(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A stage of an execution; synthetic ones belong to a parent."""

    id: str
    ref_id: str
    type: str
    name: str
    requisite_ref_ids: tuple[str, ...] = ()
    status: Status = Status.NOT_STARTED
    start_time: datetime | None = None
    end_time: datetime | None = None
    scheduled_time: datetime | None = None
    start_time_expiry: datetime | None = None
    context: JsonObject = {}
    outputs: JsonObject = {}
    tasks: tuple[Task, ...] = ()
    side: Side | None = None
    """None: a stage of the pipeline itself."""
    parent_id: str | None = None
    last_modified: LastModified | None = None
    attempt: int = 0
    """Raised by every restart; part of the keys of the stage's effects."""
    is_preparing: bool = False
    """A PrepareStage or PrepareAfterStages effect is under way."""
    preparation: int = 0
    """Raised whenever preparing begins anew (a retry, a patch meanwhile): part of the key of its effect."""
    paused_for: timedelta = NO_TIME
    """How long the execution was paused since the stage started: time that doesn't count against its limit."""
    are_after_stages_planned: bool = False
    are_failure_stages_planned: bool = False
    waiting_for: Waiting | None = None
    """Why a stage that hasn't ended isn't moving on, where its tasks don't say it."""

    @property
    def is_synthetic(self) -> bool:
        """Planned by its parent, not written in the pipeline."""
        return self.parent_id is not None


class Paused(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The last pause; a second one overwrites the first, as in Orca, but the sum of all is kept."""

    paused_by: str
    pause_time: datetime
    resumed_by: str | None = None
    resume_time: datetime | None = None
    total_before: timedelta = NO_TIME
    """Length of all earlier pauses."""


class SystemNotification(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Something that the engine wants people to see while it lasts: a task that is tried again, for example."""

    created_at: datetime
    group: str
    """What it is about; open at most once at a time."""
    message: str
    is_closed: bool = False
    """It has passed."""


class Authentication(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """On whose behalf the execution runs."""

    user: str
    allowed_accounts: tuple[str, ...] = ()


StageMap = immutables.Map[str, Stage]


class Head(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """Everything of an execution but its stages: one row in the store."""

    id: str
    kind: ExecutionKind = ExecutionKind.PIPELINE
    application: str
    name: str = ""
    description: str = ""
    root_id: str = ""
    status: Status = Status.NOT_STARTED
    is_canceled: bool = False
    canceled_by: str | None = None
    cancellation_reason: str | None = None
    build_time: datetime
    start_time: datetime | None = None
    end_time: datetime | None = None
    start_time_expiry: datetime | None = None
    limit_concurrent: bool = False
    max_concurrent_executions: int = 0
    keep_waiting_pipelines: bool = False
    trigger: JsonObject = {}
    authentication: Authentication
    roles: tuple[str, ...] = ()
    """Of whoever started it, in order; a `runAsUser` has none."""
    behind: str = ""
    """The person behind a service account that it was started as: counts as its starter, too, where approvals must be others'."""
    paused: Paused | None = None
    origin: str = "api"
    pipeline_config_id: str | None = None
    spel_evaluator: str | None = None
    notifications: tuple[JsonObject, ...] = ()
    initial_config: JsonObject = {}
    """The definition as it was submitted; one made from a template is expanded when the submission is prepared."""
    template_variables: JsonObject = {}
    source: Json = None
    system_notifications: tuple[SystemNotification, ...] = ()
    """Oldest first, the latest ones only."""
    partition: str | None = None
    """The installation that has accepted it, where installations have names (`engine.partition`)."""
    additional_headers: dict[str, str] = {}
    """Headers of the request that started it, or its parent, which the settings want to be kept."""
    waiting_for: Waiting | None = None
    """Why an execution that hasn't ended isn't moving on, where its stages don't say it."""
    is_submitted: bool = False
    """The submission was prepared: stages exist, the trigger is complete."""
    version: int = 0
    """Number of events that were applied."""
    stage_order: tuple[str, ...] = ()
    """Ids of all stages in the order in which they are shown: synthetic ones next to their parent."""


class Execution(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A run of a pipeline or an orchestration."""

    head: Head
    stages: StageMap = immutables.Map()
    """All stages by id, synthetic ones included; a persistent map, so that a step shares what it doesn't change."""

    def in_order(self) -> Iterator[Stage]:
        """All stages, synthetic ones next to their parent."""
        for stage_id in self.head.stage_order:
            yield self.stages[stage_id]

    def top_level(self) -> Iterator[Stage]:
        """The pipeline's own stages."""
        return (stage for stage in self.in_order() if stage.parent_id is None)

    def children(self, parent_id: str, side: Side | None = None) -> Iterator[Stage]:
        """Direct synthetic stages of a stage, of one side or of both."""
        return (s for s in self.in_order() if s.parent_id == parent_id and (side is None or s.side == side))
