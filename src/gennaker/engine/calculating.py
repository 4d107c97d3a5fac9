"""Calculating: what a plan or a task gives where it follows from the execution and the time alone.

Used by what-ifs (`engine/what_if.py`), which may touch nothing. A plan that asks nobody and a task that is marked as a
calculation are really worked out, with services that are sealed: whoever asks one of them all the same gets an
exception, and it is noted, so that no answer that was made up from it is believed.
"""

from collections.abc import Coroutine, Iterator, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeVar, cast

import msgspec

from gennaker.engine import keys, lookup, parents, preparing, rules, specs, validation
from gennaker.engine.sight import StageSight
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageType, TaskContext, TaskType
from gennaker.model.codec import JsonObject
from gennaker.model.effect import Effect, PrepareAfterStages, PrepareStage, PrepareTask, RunTask
from gennaker.model.event import Event, Failed, TaskReported, TaskResult
from gennaker.model.execution import Execution, Stage, Task
from gennaker.model.problems import Problem, Refused
from gennaker.settings import Settings

Made = TypeVar("Made")
_PREPARING = PrepareStage | PrepareAfterStages | PrepareTask


class Calculator:
    """Works out what nobody has to be asked for."""

    def __init__(self, stage_types: Mapping[str, StageType], settings: Settings | None = None) -> None:
        """`stage_types` by name and alias; `settings` of the installation, None where they aren't known."""
        self._stage_types = stage_types
        self._settings = settings

    def why_not(self, effect: Effect, execution: Execution) -> str:
        """Why the effect can't be calculated; empty: perhaps it can."""
        stage = execution.stages.get(getattr(effect, "stage_id", None) or "")
        if stage is None:
            return "only the server could tell"
        name = rules.type_name(stage)
        stage_type = specs.find(self._stage_types, name)
        if stage_type is None:
            return f"stages of the type {name} are not known here"
        if isinstance(effect, _PREPARING):
            asks = preparing.needs_io(effect, execution, self._stage_types)
            return "systems outside are asked for it" if asks else ""
        if isinstance(effect, RunTask):
            if parents.are_asked_for(execution.head.trigger, stage.context):
                return "its parent execution is looked at"
            task_type = _task_type(stage_type, _task(stage, effect.task_id))
            return "" if task_type is not None and task_type.is_calculation else "only doing it would tell"
        return "only the server could tell"

    def is_calculation(self, stage: Stage, implementing_class: str) -> bool:
        """Whether a task of the stage is one."""
        stage_type = specs.find(self._stage_types, rules.type_name(stage))
        return stage_type is not None and any(
            one.name == implementing_class and one.is_calculation for one in stage_type.tasks
        )

    def problems(self, config: JsonObject) -> tuple[Problem, ...]:
        """Why the definition can't be run."""
        return validation.validate(config, self._stage_types).problems

    def answer(self, effect: Effect, execution: Execution, at: datetime) -> Event | str:
        """The event that answers the effect, or why there is none after all. Nothing outside is touched."""
        asked: list[str] = []
        services = _sealed(asked, self._settings)
        try:
            found = _finished(self._work(effect, execution, services, at))
        except Sealed:
            return f"it asks for the {asked[0]} of the server" if asked else "it takes time"
        except Exception as error:  # noqa: BLE001 - a plugin's fault, or what it makes of sealed services
            return f"calculating it failed: {type(error).__name__}: {error}"
        return f"it asks for the {asked[0]} of the server" if asked else found

    async def _work(self, effect: Effect, execution: Execution, services: Services, at: datetime) -> Event:
        if isinstance(effect, RunTask):
            return TaskReported(
                at=at,
                key=effect.key,
                stage_id=effect.stage_id,
                task_id=effect.task_id,
                result=await self._result(effect, execution, services, at),
            )
        return await preparing.prepare(effect, execution, stage_types=self._stage_types, services=services, at=at)

    async def _result(self, effect: RunTask, execution: Execution, services: Services, at: datetime) -> TaskResult:
        stage = execution.stages[effect.stage_id]
        task = _task(stage, effect.task_id)
        stage_type = specs.find(self._stage_types, rules.type_name(stage))
        task_type = _task_type(stage_type, task) if stage_type else None
        assert task is not None, "`why_not` was asked before"
        assert task_type is not None, "`why_not` was asked before"
        context = TaskContext(
            execution=execution,
            stage=stage,
            lookup=lookup.of_stage(execution, stage),
            sight=StageSight(execution, stage, at=at),
            services=services,
            at=at,
            task=task,
            key=effect.key,
            attempt_key=keys.attempt(execution.head.id, stage, task),
            is_repeat=False,
        )
        try:
            return await task_type.run(context)
        except Refused as refused:
            return Failed(problem=refused.problems[0])


class Sealed(Exception):
    """Something was asked for that isn't there."""


class _Port:
    """Stands where a service would; asking it anything is noted and ends the calculation."""

    def __init__(self, name: str, asked: list[str]) -> None:
        self._name = name
        self._asked = asked

    def _refuse(self) -> NoReturn:
        self._asked.append(self._name)
        raise Sealed(self._name)

    def __getattr__(self, _: str) -> NoReturn:
        self._refuse()

    def __call__(self, *_: object) -> NoReturn:
        self._refuse()

    def __getitem__(self, _: object) -> NoReturn:
        self._refuse()

    def __iter__(self) -> Iterator[object]:
        self._refuse()

    def __len__(self) -> int:  # noqa: PLE0303 - it refuses instead
        self._refuse()


def _sealed(asked: list[str], settings: Settings | None) -> Services:
    ports: dict[str, Any] = {one.name: _Port(one.name, asked) for one in msgspec.structs.fields(Services)}
    if settings is not None:
        ports["settings"] = settings
    return Services(**ports)


def _finished(work: Coroutine[Any, Any, Made]) -> Made:
    """What comes of work that never waits. Raises Sealed if it does."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast("Made", done.value)  # a coroutine returns by this exception, whose value has no type
    work.close()
    raise Sealed("time")


def _task(stage: Stage, task_id: str) -> Task | None:
    return next((one for one in stage.tasks if one.id == task_id), None)


def _task_type(stage_type: StageType, task: Task | None) -> TaskType | None:
    name = task.implementing_class if task else None
    return next((one for one in stage_type.tasks if one.name == name), None)
