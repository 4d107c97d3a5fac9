"""Performing: doing what the engine asked for, once, and bringing back what came of it.

The only place where a task's code, a provider or a notifier may raise anything at all: here it becomes a result.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import msgspec
import structlog

from gennaker.engine import identity, keys, lookup, parents, preparing, rules
from gennaker.engine.sight import StageSight
from gennaker.interfaces import outlasting
from gennaker.interfaces.notifiers import Notifier, Unanswered, Undelivered
from gennaker.interfaces.probes import Probe
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.interfaces.storage import StoreUnusable
from gennaker.migration import shadowing
from gennaker.migration.phases import Phases
from gennaker.model import foreign, needs
from gennaker.model.codec import JsonObject, plain
from gennaker.model.effect import (
    Effect,
    Notify,
    PrepareAfterStages,
    PrepareStage,
    PrepareSubmission,
    PrepareTask,
    RunTask,
    StartTimer,
    StopTask,
)
from gennaker.model.event import (
    Again,
    Event,
    Failed,
    NotificationReported,
    Outcome,
    TaskReported,
    TaskResult,
    TaskStopped,
    TimerRang,
)
from gennaker.model.execution import EffectClass, Execution, Stage, Task
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.worker import messages
from gennaker.worker.probes import SilentProbe

log = structlog.get_logger()

_FAULTS = (Exception, asyncio.CancelledError)
"""What performed code may raise; a CancelledError is looked at more closely by `_pass_on_own_cancellation`."""

_STOPS_FOR, _STOPS_AGAIN = timedelta(seconds=90), timedelta(seconds=3)
_STOPS_WAITING = 8
"""So many stops at once wait for whom they can't ask. Each holds one of the worker's hands, and there is other work."""
Stop = Callable[[TaskContext], Awaitable[JsonObject | None]]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How an effect is performed this time."""

    is_repeat: bool = False
    """It may have been performed before: the process died before the result was recorded."""
    is_given_up: bool = False
    """It must not be performed again; its outcome is unknown."""


class Performer:
    """Performs effects that don't concern other executions."""

    def __init__(
        self, *, stage_types: Mapping[str, StageType], services: Services, phases: Phases, probe: Probe
    ) -> None:
        """`stage_types` by name and alias."""
        self._stage_types = stage_types
        self._phases = phases
        self._services = services
        self._probe = probe
        self._stops_waiting = asyncio.Semaphore(_STOPS_WAITING)
        self._is_watched = not isinstance(probe, SilentProbe)  # spares each effect the making of its name

    def _reached(self, moment: str, name: str) -> None:
        if self._is_watched:
            self._probe.reached(f"effect.{moment}:{name}")

    def prepare_now(self, effect: Effect, execution: Execution) -> Awaitable[Event] | None:
        """The preparing of an effect that asks nobody (see `worker.stepping`), None for the others."""
        if preparing.needs_io(effect, execution, self._stage_types):
            return None
        return self._prepare(effect, execution)

    def effect_class(self, effect: Effect, execution: Execution) -> EffectClass:
        """What may be done with the effect after a crash."""
        match effect:
            case Notify():
                return EffectClass.AT_MOST_TWICE
            case RunTask(stage_id=stage_id, task_id=task_id):
                found = _find(execution, stage_id, task_id)
                return found[1].effect_class if found else EffectClass.REPEATABLE
            case _:
                return EffectClass.REPEATABLE

    async def perform(self, effect: Effect, execution: Execution, run: Run) -> Event:
        """Performs and returns the event with the result; never raises for what the performed code does."""
        name = _name(effect, execution) if self._is_watched else ""
        self._reached("before", name)
        match effect:  # what comes most often first: classes are compared one after the other
            case RunTask():
                event = await self._run_task(effect, execution, run)
            case PrepareSubmission() | PrepareStage() | PrepareAfterStages() | PrepareTask():
                event = await self._prepare(effect, execution)
            case StopTask():
                event = await self._stop_task(effect, execution)
            case StartTimer(key=key):
                event = TimerRang(at=self._now(), key=key)
            case Notify():
                event = await self._notify(effect, execution, run)
            case other:
                raise AssertionError(f"{type(other).__name__} is not performed here")
        self._reached("after", name)
        return self._services.secrets.masked(event)

    def _now(self) -> datetime:
        return self._services.clock.now()

    def _prepare(self, effect: Effect, execution: Execution) -> Awaitable[Event]:
        return preparing.prepare(
            effect, execution, stage_types=self._stage_types, services=self._services, at=self._now()
        )

    async def _run_task(self, effect: RunTask, execution: Execution, run: Run) -> Event:
        found = _find(execution, effect.stage_id, effect.task_id)
        if found is None:
            result: TaskResult = Failed(problem=_vanished(effect.task_id))
        elif run.is_given_up:
            result = Failed(problem=_unknown_outcome(found[1].name))
        else:
            result = await self._result(effect, execution, *found, is_repeat=run.is_repeat)
        return TaskReported(
            at=self._now(),
            key=effect.key,
            stage_id=effect.stage_id,
            task_id=effect.task_id,
            result=result,
            is_repeat=run.is_repeat,
        )

    async def _result(
        self, effect: RunTask, execution: Execution, stage: Stage, task: Task, *, is_repeat: bool
    ) -> TaskResult:
        task_type = self._task_type(stage, task)
        if task_type is None:
            return Failed(problem=_unknown_task(stage, task))
        if self._services.settings.sign_in.required or not self._phases.hold_nothing:  # spares most tasks the asking
            not_allowed = await self._refusal(execution, stage) or await self._kept_back(execution, stage)
            if not_allowed is not None:
                return Failed(problem=not_allowed)
        if parents.are_asked_for(execution.head.trigger, stage.context):
            execution = await parents.seen(execution, stage.context, self._services.executions)
        try:
            is_again = is_repeat or outlasting.since_when(task) is not None
            context = self._context(execution, stage, task, key=effect.key, is_repeat=is_again)
            return _plain(await task_type.run(context))
        except Refused as refused:
            failed = Failed(problem=refused.problems[0])
            if refused.is_unavailable and task.effect_class is EffectClass.REPEATABLE:
                return outlasting.outlasting(task, failed, at=self._now())
            return failed
        except StoreUnusable:
            raise  # not the task's failure: the worker stops, and repeats the task when it can go on
        except _FAULTS as error:
            _pass_on_own_cancellation(error)
            log.exception("task.raised", task=task.name, stage_type=stage.type, key=effect.key)
            return Failed(problem=_unexpected(task.name, error))

    async def _refusal(self, execution: Execution, stage: Stage) -> Problem | None:
        """Why whoever the stage runs for may not have it done; roles are those of the start, or of the judgment."""
        if not self._services.settings.sign_in.required:
            return None  # spares each task looking for who is behind it
        wanted = needs.of_stage(rules.type_name(stage), stage.context, execution.head.application)
        if not wanted:
            return None
        acting = Principal(
            name=identity.user_of(execution, stage), roles=identity.roles_of(execution, stage), via="stage"
        )
        return await self._services.authoriser.refusal(acting, *wanted)

    async def _kept_back(self, execution: Execution, stage: Stage) -> Problem | None:
        """Why a stage may not change what is another application's, which isn't cut over yet."""
        if not await self._phases.may_hold():
            return None
        for need in needs.of_targets(stage.context, execution.head.application):
            if need.application and await self._phases.is_held(need.application):
                return shadowing.refusal(need.application, f"the stage {stage.name}")
        return None

    async def _stop_task(self, effect: StopTask, execution: Execution) -> Event:
        problem: Problem | None = None
        told: JsonObject | None = None
        found = _find(execution, effect.stage_id, effect.task_id)
        task_type = self._task_type(*found) if found else None
        if found and task_type and task_type.stop:
            context = self._context(execution, *found, key=effect.key, is_repeat=True)
            try:
                told = await self._stopped(task_type.stop, context)
            except Refused as refused:
                problem = refused.problems[0]
            except StoreUnusable:
                raise
            except _FAULTS as error:
                _pass_on_own_cancellation(error)
                log.exception("task.stop_raised", task=found[1].name, key=effect.key)
                problem = _unexpected(f"stopping {found[1].name}", error)
        return TaskStopped(
            at=self._now(),
            key=effect.key,
            stage_id=effect.stage_id,
            task_id=effect.task_id,
            problem=problem,
            context=told or {},
        )

    async def _stopped(self, stop: Stop, context: TaskContext) -> JsonObject | None:
        """What came of stopping. Whoever can't be asked is waited for here: an ended execution isn't come back to.

        No try begins after `_STOPS_FOR`; how long one takes is the stop's own affair. Where many wait already a stop asks
        once: an API server that is gone must not hold up what others are to do.
        """
        until = self._now() + _STOPS_FOR
        try:
            return await stop(context)
        except Refused as refused:
            if not self._is_stopped_again(refused, until) or self._stops_waiting.locked():
                raise
        async with self._stops_waiting:
            while True:
                await self._services.clock.sleep_until(self._now() + _STOPS_AGAIN)
                try:
                    return await stop(context)
                except Refused as refused:
                    if not self._is_stopped_again(refused, until):
                        raise

    def _is_stopped_again(self, refused: Refused, until: datetime) -> bool:
        return refused.is_unavailable and self._now() + _STOPS_AGAIN < until

    async def _notify(self, effect: Notify, execution: Execution, run: Run) -> Event:
        if run.is_given_up:
            outcome, problem = Outcome.UNKNOWN, None
        else:
            outcome, problem = await self._send(effect, execution, is_repeat=run.is_repeat)
        return NotificationReported(
            at=self._now(), key=effect.key, outcome=outcome, is_repeat=run.is_repeat, problem=problem
        )

    async def _send(self, effect: Notify, execution: Execution, *, is_repeat: bool) -> tuple[Outcome, Problem | None]:
        kind = str(effect.notification.get("type", ""))
        notifier: Notifier | None = self._services.notifiers.get(kind)
        if notifier is None:
            return Outcome.FAILED, Problem(
                code="notification.unknown_type",
                message=f"There is no notifier of type {kind!r}.",
                remedy=f"Use one of {', '.join(sorted(self._services.notifiers))}.",
            )
        base_url = self._services.settings.server.base_url
        try:
            message = messages.compose(effect, execution, base_url=base_url, is_repeat=is_repeat, at=self._now())
            await notifier.send(message)
        except Undelivered as reason:
            return Outcome.FAILED, Problem(code="notification.undelivered", message=str(reason))
        except Unanswered as reason:
            return Outcome.UNKNOWN, Problem(code="notification.unanswered", message=str(reason))
        except StoreUnusable:
            raise
        except _FAULTS as error:
            _pass_on_own_cancellation(error)
            log.exception("notification.raised", type=kind, key=effect.key)
            return Outcome.FAILED, _unexpected(f"the notification by {kind}", error)
        return Outcome.DONE, None

    def _context(self, execution: Execution, stage: Stage, task: Task, *, key: str, is_repeat: bool) -> TaskContext:
        at = self._now()
        return TaskContext(
            execution=execution,
            stage=stage,
            lookup=lookup.of_stage(execution, stage),
            sight=StageSight(execution, stage, at=at),
            services=self._services,
            at=at,
            task=task,
            key=key,
            attempt_key=keys.attempt(execution.head.id, stage, task),
            is_repeat=is_repeat,
        )

    def _task_type(self, stage: Stage, task: Task) -> TaskType | None:
        stage_type = self._stage_types.get(rules.type_name(stage))
        if stage_type is not None:
            for one in stage_type.tasks:
                if one.name == task.implementing_class:
                    return one
        return None


def _find(execution: Execution, stage_id: str, task_id: str) -> tuple[Stage, Task] | None:
    stage = execution.stages.get(stage_id)
    if stage is not None:
        for task in stage.tasks:
            if task.id == task_id:
                return stage, task
    return None


def _name(effect: Effect, execution: Execution) -> str:
    """A readable name of what is performed, for probes: no ids in it."""
    kind = type(effect).__name__
    match effect:
        case RunTask(stage_id=stage_id, task_id=task_id) | StopTask(stage_id=stage_id, task_id=task_id):
            found = _find(execution, stage_id, task_id)
            return f"{kind}:{found[0].type}.{found[1].name}" if found else kind
        case PrepareStage(stage_id=stage_id) | PrepareAfterStages(stage_id=stage_id) | PrepareTask(stage_id=stage_id):
            stage = execution.stages.get(stage_id)
            return f"{kind}:{stage.type}" if stage else kind
        case Notify(moment=moment):
            return f"{kind}:{moment}"
        case _:
            return kind


def _plain(result: TaskResult) -> TaskResult:
    """The result with what it tells as JSON. Raises TypeError, ValueError."""
    if not result.context and not result.outputs and not isinstance(result, Again):
        return result
    told: JsonObject = {"context": result.context, "outputs": result.outputs}
    if isinstance(result, Again):
        told["memory"] = result.memory
    made = plain(told)
    if made is told:
        return result
    return msgspec.structs.replace(result, **{key: foreign.mapping(value) for key, value in made.items()})


def _vanished(task_id: str) -> Problem:
    return Problem(code="task.vanished", message=f"Task {task_id} no longer exists in its stage.")


def _unknown_outcome(task: str) -> Problem:
    return Problem(
        code="effect.unknown",
        message=f"{task} was begun twice and both times cut off before an answer came: its outcome is unknown.",
        remedy="Look at the target whether it happened; then restart the stage, or ignore the failure.",
    )


def _unknown_task(stage: Stage, task: Task) -> Problem:
    return Problem(
        code="task.unknown",
        message=f"Stages of type {stage.type!r} have no task {task.implementing_class!r} in this installation.",
        remedy="Install the plugin that offers it, then restart the stage.",
    )


def _pass_on_own_cancellation(error: BaseException) -> None:
    """A cancellation that nobody asked this task for came out of the performed code: that is a fault of the code."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error


def _unexpected(what: str, error: BaseException) -> Problem:
    return Problem(
        code="task.unexpected",
        message=f"Unexpected failure of {what}: {type(error).__name__}: {error}",
        remedy="This is a fault in the code of the task; the server's log has the trace.",
    )
