"""Stage types and tasks: what a plugin offers to pipelines.

A stage type is one file (docs/architecture.md): a `Spec` (typed view of the stage's JSON), an `async plan`, tasks.
Tasks are short and idempotent; whatever takes long says `Again` and comes back.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import PlannedStage, PlannedTask, TaskResult
from gennaker.model.execution import EffectClass, Execution, Stage, Task
from gennaker.model.problems import Problem


class StageSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of every stage's typed view; unknown keys of the stage's JSON are left alone."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a stage does, as planned when it starts."""

    before: tuple[PlannedStage, ...] = ()
    tasks: tuple[PlannedTask, ...] = ()
    context: JsonObject = {}
    """Merged into the stage's context."""


class Unplannable(Exception):
    """A stage can't be planned; its problem becomes the stage's failure."""

    def __init__(self, problem: Problem, *, retryable: bool = False) -> None:
        """Retryable: asked again after a pause (a provider that didn't answer)."""
        super().__init__(str(problem))
        self.problem = problem
        self.retryable = retryable


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A value after its expressions were evaluated."""

    value: Json
    failed: tuple[str, ...] = ()
    """What each expression that failed, or was null, says; its text stays in the value."""
    summary: JsonObject = {}
    """Orca's expressionEvaluationSummary."""


class Sight(Protocol):
    """What a stage sees of its execution beyond single keys: the engine's rules of look-up, for stage types."""

    @property
    def user(self) -> str:
        """On whose behalf the stage runs: the execution's user, or whoever judged before and passes that on."""
        ...

    @property
    def roles(self) -> frozenset[str]:
        """The roles of that user when the execution was started, or the judgment given."""
        ...

    def ancestors(self) -> Iterator[Stage]:
        """The stage itself and everything before it, nearest first; a stage may come twice."""
        ...

    def artifacts(self) -> list[JsonObject]:
        """The artifacts that the stage sees: its own, its ancestors' by nearness, the trigger's; each once."""
        ...

    def bound_artifact(self, expected_id: str) -> JsonObject | None:
        """The artifact that was bound to the expected one of this id, nearest first."""
        ...

    def evaluate(self, value: Json) -> Evaluation:
        """Any JSON with its expressions evaluated as the stage sees them."""
        ...

    def outputs_of(self, execution: Execution) -> JsonObject:
        """The outputs of an execution's own stages as one map: what a finished child hands to its parent."""
        ...

    def artifacts_of(self, execution: Execution, *, without_ref_id: str = "") -> list[JsonObject]:
        """All artifacts of an execution, latest stages first, then its trigger's; `without_ref_id` leaves a stage out."""
        ...


class StageContext(msgspec.Struct, frozen=True, kw_only=True):
    """What planning and tasks see of the execution. Nothing in it may be changed."""

    execution: Execution
    stage: Stage
    lookup: Callable[[str], Json]
    """A key of the stage's context, else the nearest ancestor's output of that name, else None (Orca's rule)."""
    sight: Sight
    """Everything else that it sees."""
    services: Services
    at: datetime
    """Now."""


class TaskContext(StageContext, frozen=True, kw_only=True):
    """What a task sees."""

    task: Task
    key: str
    """Key of this run; the same for a repeat of the same run."""
    attempt_key: str
    """Key of this attempt: the same for all polls of the task. The idempotency key for what the task creates."""
    is_repeat: bool
    """An earlier run with this key was cut off: look whether it did its work before doing it again."""


class TaskType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of task."""

    name: str
    """Unique within its stage type; what the stage's task list shows."""
    run: Callable[[TaskContext], Awaitable[TaskResult]]
    stop: Callable[[TaskContext], Awaitable[JsonObject | None]] | None = None
    """Undoes or stops what a cancelled task has begun; idempotent. What it returns is added to its stage's context."""
    timeout: timedelta | None = timedelta(hours=1)
    is_timeout_overridable: bool = True
    retries: int = 5
    """Retryable failures in a row that are forgiven; -1: all."""
    retry_after: timedelta = timedelta(seconds=1)
    effect_class: EffectClass = EffectClass.REPEATABLE
    is_calculation: bool = False
    """It changes nothing, and as far as it asks no service its result follows from the execution and the time alone: a
    what-if (`gennaker replay --with`) works it out anew."""

    def planned(self, *, is_loop_start: bool = False, is_loop_end: bool = False, name: str = "") -> PlannedTask:
        """This task as an item of a plan."""
        return PlannedTask(
            name=name or self.name,
            implementing_class=self.name,
            is_loop_start=is_loop_start,
            is_loop_end=is_loop_end,
            timeout=self.timeout,
            is_timeout_overridable=self.is_timeout_overridable,
            retries=self.retries,
            retry_after=self.retry_after,
            effect_class=self.effect_class,
        )


class StageType(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of stage. `plan` and its sisters get the spec read from the evaluated context."""

    name: str
    """Spinnaker's `type`."""
    label: str
    about: str
    """Markdown: what it does, for reference pages and forms."""
    spec: type[StageSpec]
    tasks: tuple[TaskType, ...] = ()
    plan: Callable[[StageSpec, StageContext], Awaitable[Plan]] | None = None
    """None: all tasks in order, no before-stages."""
    plan_after: Callable[[StageSpec, StageContext], Awaitable[tuple[PlannedStage, ...]]] | None = None
    """Stages that follow the tasks; planned when the tasks are done."""
    plan_on_failure: Callable[[StageSpec, StageContext], Awaitable[tuple[PlannedStage, ...]]] | None = None
    """Stages that follow a failure (TERMINAL or STOPPED)."""
    check: Callable[[JsonObject], Iterable[Problem]] | None = None
    """What else is wrong in the stage's JSON as it was written, with pointers from the stage; asked when all its fields are
    of their types. What it says of a value with `${` is left out."""
    warn: Callable[[JsonObject], Iterable[Problem]] | None = None
    """What of the stage's JSON works in Spinnaker and not here, or hardly anywhere, likewise: told when the pipeline is saved, and no
    reason to refuse it."""
    aliases: tuple[str, ...] = ()
    plans_without_io: bool = True
    """Planning asks nobody: done in the same transaction as the event that caused it."""
    restart_clears: tuple[str, ...] = ()
    """Keys of context and outputs that a restart removes."""
    restart_takes: tuple[str, ...] = ()
    """Keys that a restart takes from the pipeline as it is saved now, where whoever restarts hands that over."""
    restart_remembers: tuple[str, ...] = ()
    """Keys of the context that a restart keeps in `restartDetails`: `buildInfo` as `previousBuildInfo`."""
    evaluates_in_order: str = ""
    """Key of a list of `{key, value}` whose values are evaluated one after another, each seen by those that follow (with
    the evaluator v4); a restart begins with what was written there, and without outputs."""
    runs_in_dry_run: bool = False
    """It changes nothing outside, so a dry run does it too; of all others a dry run only makes the plan."""
    is_skippable: bool = False
    """A person may skip it by `manualSkip`."""
    ends_with_all_before: bool = False
    """It is over when all its before-stages are, or can never start, also where one of them has failed."""
    instead: str = ""
    """Not empty: Spinnaker has such stages and Gennaker hasn't; what to do instead. Warned of when a pipeline is saved."""
