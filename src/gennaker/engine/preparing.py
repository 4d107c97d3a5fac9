"""Preparing: what must be found out before a submission, a stage or a task can go on.

Reached as the performing of a Prepare effect; the answer is the event that `advance` waits for. Nothing is decided
here about the execution: expressions are evaluated, the stage's JSON is read strictly, its type plans. Pure apart from
the type's own code and the ports it is given.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from gennaker.engine import (
    asking,
    conditions,
    contexts,
    evaluating,
    graph,
    keys,
    lookup,
    parents,
    rules,
    specs,
    submission,
    timing,
)
from gennaker.engine.sight import StageSight
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, Unplannable
from gennaker.model import foreign
from gennaker.model.codec import plain, to_json
from gennaker.model.effect import (
    AfterKind,
    Effect,
    PrepareAfterStages,
    PrepareStage,
    PrepareSubmission,
    PrepareTask,
)
from gennaker.model.event import AfterStagesPrepared, Event, PlannedStage, StagePrepared, TaskPrepared
from gennaker.model.execution import Execution, Side, Stage
from gennaker.model.problems import Problem, Refused

Planned = TypeVar("Planned")
_DEEPEST = 30
"""Stages within one another: the deepest that there are, of canaries, need eight."""
Prepare = PrepareSubmission | PrepareStage | PrepareAfterStages | PrepareTask


def needs_io(effect: Effect, execution: Execution, stage_types: Mapping[str, StageType]) -> bool:
    """Whether performing the effect may ask anybody outside. False only for preparing that is pure calculation."""
    match effect:
        case PrepareTask(stage_id=stage_id):
            stage = execution.stages.get(stage_id)
            return stage is not None and _asks(execution, stage)
        case PrepareStage(stage_id=stage_id) | PrepareAfterStages(stage_id=stage_id):
            stage = execution.stages.get(stage_id)
            if stage is not None and _asks(execution, stage):
                return True
            stage_type = None if stage is None else specs.find(stage_types, rules.type_name(stage))
            return stage_type is not None and not stage_type.plans_without_io
        case _:
            return True


def _asks(execution: Execution, stage: Stage) -> bool:
    return asking.asks(stage.context) or parents.are_asked_for(execution.head.trigger, stage.context)


async def prepare(
    effect: Effect,
    execution: Execution,
    *,
    stage_types: Mapping[str, StageType],
    services: Services,
    at: datetime,
) -> Event:
    """Performs a Prepare effect; what goes wrong is a problem in the event, never an exception."""
    match effect:
        case PrepareStage():
            stage = execution.stages.get(effect.stage_id)
            if stage is None:
                return StagePrepared(at=at, key=effect.key, stage_id=effect.stage_id, problem=_gone(effect))
            if parents.are_asked_for(execution.head.trigger, stage.context):
                execution = await parents.seen(execution, stage.context, services.executions)
            return await _Stage(execution, stage, stage_types=stage_types, services=services, at=at).prepare(effect.key)
        case PrepareSubmission():
            return await submission.prepare(
                execution, key=effect.key, stage_types=stage_types, services=services, at=at
            )
        case PrepareAfterStages():
            stage = execution.stages.get(effect.stage_id)
            if stage is None:
                return AfterStagesPrepared(at=at, key=effect.key, stage_id=effect.stage_id, problem=_gone(effect))
            execution = await parents.seen(execution, stage.context, services.executions)
            return await _Stage(execution, stage, stage_types=stage_types, services=services, at=at).prepare_after(
                effect
            )
        case PrepareTask():
            return await _task(effect, execution, stage_types, services=services, at=at)
        case _:
            raise AssertionError(f"{type(effect).__name__} needs no preparing")  # our own bug


async def _task(
    effect: PrepareTask,
    execution: Execution,
    stage_types: Mapping[str, StageType],
    *,
    services: Services,
    at: datetime,
) -> TaskPrepared:
    prepared = TaskPrepared(at=at, key=effect.key, stage_id=effect.stage_id, task_id=effect.task_id)
    stage = execution.stages.get(effect.stage_id)
    if stage is None:
        return replace(prepared, problem=_gone(effect))
    execution = await parents.seen(execution, stage.context, services.executions)
    evaluated = await _evaluated(execution, stage, stage_types, services=services, at=at)
    return replace(prepared, context=evaluated.context, problem=evaluated.problem)


async def _evaluated(
    execution: Execution, stage: Stage, stage_types: Mapping[str, StageType], *, services: Services, at: datetime
) -> evaluating.Evaluated:
    """The stage's context, with answers to what its expressions ask outside."""
    in_order = _in_order(stage, stage_types)
    if services.outside is None or not asking.asks(stage.context):
        return evaluating.context_of(execution, stage, at=at, in_order=in_order)
    return await asking.with_answers(
        lambda answers: evaluating.context_of(execution, stage, at=at, in_order=in_order, lookup=answers),
        services.outside,
    )


def _in_order(stage: Stage, stage_types: Mapping[str, StageType]) -> str:
    stage_type = specs.find(stage_types, rules.type_name(stage))
    return stage_type.evaluates_in_order if stage_type else ""


def _gone(effect: Prepare) -> Problem:
    return Problem(code="stage.vanished", message=f"What {effect.key} is about no longer exists.")


class _Stage:
    """The preparing of one stage."""

    def __init__(
        self,
        execution: Execution,
        stage: Stage,
        *,
        stage_types: Mapping[str, StageType],
        services: Services,
        at: datetime,
    ) -> None:
        self._execution = execution
        self._stage = stage
        self._stage_types = stage_types
        self._services = services
        self._at = at

    async def prepare(self, key: str) -> StagePrepared:
        """Evaluates, asks whether the stage is enabled, reads its spec, plans."""
        stage = self._stage
        written = stage.context
        problem: Problem | None = None
        if stage.parent_id is None:  # children were evaluated when they were planned
            evaluated = await self._context_of(stage)
            problem = evaluated.problem
            if evaluated.context is not stage.context:
                stage = self._set(replace(stage, context=evaluated.context))
        stage = self._with_texts(stage)
        answer = StagePrepared(at=self._at, key=key, stage_id=stage.id, context=stage.context)
        if problem is not None:
            return replace(answer, problem=problem)
        skip = conditions.why_disabled(self._execution, stage, at=self._at)
        if skip:
            return replace(answer, context=written, skip=skip)
        plan, problem, is_retryable = await self._planned(self._plan, specs.check_keys(stage))
        if plan is None:
            return replace(answer, problem=problem, is_retryable=is_retryable)
        if not _is_acyclic(plan.before):
            return replace(answer, problem=_circle(stage))
        if plan.before and self._is_too_deep():
            return replace(answer, problem=_nested(stage))
        planned = _with_window(stage, plan.before)
        before, problem = await self._evaluated(planned) if planned else ((), None)
        context = {**stage.context, **plan.context} if plan.context else stage.context
        return replace(answer, context=context, tasks=plan.tasks, before=before, problem=problem)

    def _with_texts(self, stage: Stage) -> Stage:
        stage_type = specs.find(self._stage_types, rules.type_name(stage))
        told = specs.texts(stage_type, stage) if stage_type else {}
        return self._set(replace(stage, context={**stage.context, **told})) if told else stage

    async def prepare_after(self, effect: PrepareAfterStages) -> AfterStagesPrepared:
        """Plans the late stages; their contexts stay raw until a task of theirs starts."""
        plan, problem, is_retryable = await self._planned(
            lambda of, spec: _plan_late(of, effect.kind, spec, self._context())
        )
        if plan is not None and not _is_acyclic(plan):
            plan, problem = None, _circle(self._stage)
        if plan and self._is_too_deep():
            plan, problem = None, _nested(self._stage)
        return AfterStagesPrepared(
            at=self._at,
            key=effect.key,
            stage_id=self._stage.id,
            stages=plan or (),
            problem=problem,
            is_retryable=is_retryable,
        )

    async def _planned(
        self, plan: Callable[[StageType, StageSpec], Awaitable[Planned]], problems: tuple[Problem, ...] = ()
    ) -> tuple[Planned | None, Problem | None, bool]:
        """What the stage's type plans, or the problem with it and whether trying again may help; `problems` are known."""
        name = rules.type_name(self._stage)
        stage_type = specs.find(self._stage_types, name)
        if stage_type is None:
            return None, specs.unknown_type(name, self._stage.name, self._stage_types), False
        if stage_type.instead:
            return None, specs.not_offered(stage_type, self._stage.name), False
        spec = specs.read(stage_type, self._stage, lambda key: lookup.find(self._execution, self._stage, key))
        if problems or isinstance(spec, tuple):
            found = spec if isinstance(spec, tuple) else ()
            known = {one.pointer for one in problems}
            more = (one for one in found if one.pointer not in known)
            return None, _together((*problems, *more), self._stage), False
        try:
            return await plan(stage_type, spec), None, False
        except Unplannable as unplannable:
            return None, unplannable.problem, unplannable.retryable
        except Refused as refused:
            return None, _together(refused.problems, self._stage), refused.is_unavailable
        except Exception as error:  # noqa: BLE001 - a plugin's fault fails its stage, not the worker
            return None, _fault(stage_type, error), False

    async def _plan(self, stage_type: StageType, spec: StageSpec) -> Plan:
        if stage_type.plan is None:
            return Plan(tasks=tuple([task.planned() for task in stage_type.tasks]))
        plan = await stage_type.plan(spec, self._context())
        return replace(plan, before=_plain(plan.before), context=plain(plan.context))

    def _context_of(self, stage: Stage) -> Awaitable[evaluating.Evaluated]:
        return _evaluated(self._execution, stage, self._stage_types, services=self._services, at=self._at)

    async def _evaluated(self, planned: Sequence[PlannedStage]) -> tuple[tuple[PlannedStage, ...], Problem | None]:
        """The before-stages with their contexts evaluated as they will see their ancestors."""
        done: list[PlannedStage] = []
        for one in planned:
            if not contexts.has_expressions(one.context):
                done.append(one)
                continue
            child = Stage(
                id=keys.stage_id(self._execution.head.id, f"{self._stage.ref_id}<?"),
                ref_id="",
                type=one.type,
                name=one.name,
                context=one.context,
                side=Side.BEFORE,
                parent_id=self._stage.id,
            )
            evaluated = await self._context_of(child)
            if evaluated.problem is not None:
                return (), evaluated.problem
            done.append(replace(one, context=evaluated.context))
        return tuple(done), None

    def _is_too_deep(self) -> bool:
        """Whether the stage is as deep within others as stages may be."""
        return graph.depth(self._execution.stages, self._stage) >= _DEEPEST

    def _context(self) -> StageContext:
        return StageContext(
            execution=self._execution,
            stage=self._stage,
            lookup=lookup.of_stage(self._execution, self._stage),
            sight=StageSight(self._execution, self._stage, at=self._at),
            services=self._services,
            at=self._at,
        )

    def _set(self, stage: Stage) -> Stage:
        self._stage = stage
        self._execution = replace(self._execution, stages=self._execution.stages.set(stage.id, stage))
        return stage


async def _plan_late(
    stage_type: StageType, kind: AfterKind, spec: StageSpec, context: StageContext
) -> tuple[PlannedStage, ...]:
    plan = stage_type.plan_after if kind is AfterKind.AFTER else stage_type.plan_on_failure
    return () if plan is None else _plain(await plan(spec, context))


def _plain(planned: Sequence[PlannedStage]) -> tuple[PlannedStage, ...]:
    """The stages with their contexts as JSON. Raises TypeError, ValueError."""
    return tuple(replace(one, context=plain(one.context)) for one in planned)


def _with_window(stage: Stage, before: Sequence[PlannedStage]) -> tuple[PlannedStage, ...]:
    """The before-stages behind the wait for the execution window, if the stage is restricted to one."""
    if not foreign.flag(stage.context.get("restrictExecutionDuringTimeWindow")):
        return tuple(before)
    hidden = ("restrictExecutionDuringTimeWindow", "stageTimeoutMs", "alias")
    window = PlannedStage(
        type=timing.WINDOW_TYPE,
        name=timing.WINDOW_TYPE,
        context={key: value for key, value in stage.context.items() if key not in hidden},
    )
    moved = (replace(one, requisites=tuple(place + 1 for place in one.requisites) or (0,)) for one in before)
    return (window, *moved)


def _is_acyclic(planned: Sequence[PlannedStage]) -> bool:
    """Every planned stage can start some day: its requisites are in the list and don't require it in turn."""
    done: set[int] = set()
    while len(done) < len(planned):
        ready = {place for place, one in enumerate(planned) if place not in done and done.issuperset(one.requisites)}
        if not ready:
            return False
        done |= ready
    return True


def _circle(stage: Stage) -> Problem:
    return Problem(
        code="stage.plan_failed",
        message=f"The plan of stage {stage.name} has stages that wait for each other, or for one that isn't planned.",
        remedy="This is a fault in the code of the stage type.",
    )


def _nested(stage: Stage) -> Problem:
    return Problem(
        code="stage.plan_failed",
        message=f"Stage {stage.name} is part of a stage that is part of a stage, and so on, {_DEEPEST} times over.",
        remedy="This is a fault in the code of the stage type, whose parts plan themselves again.",
    )


def _together(problems: tuple[Problem, ...], stage: Stage) -> Problem:
    """One problem that says all of them: a stage fails for one reason."""
    if len(problems) == 1:
        return problems[0]
    return Problem(
        code="stage.fields_wrong",
        message=f"Stage {stage.name} has {len(problems)} wrong fields. "
        + " ".join(str(problem) for problem in problems),
        details={"problems": [to_json(problem) for problem in problems]},
    )


def _fault(stage_type: StageType, error: Exception) -> Problem:
    return Problem(
        code="stage.plan_failed",
        message=f"Planning a stage of type {stage_type.name} failed: {type(error).__name__}: {error}",
        remedy="This is a fault in the code of the stage type.",
    )
