"""Runs of Orca's: pipelines of scripted stages, and what the real engine (8.56.0, its queue's handlers) made of them.

A case has a `pipeline`, `scripts` (for each `stubKey`: what the tasks of a stub return at each run, its stages before, after
and on failure, what can't be planned) and `actions` (seconds after the submission; `run` is the place of the execution
that is meant, the first where it says none). `children` are saved pipelines, `kind` is ORCHESTRATION for jobs. `result`
is what Orca says in the end, with `others` where there are more executions; `compared` makes the same of ours. Left out
are texts of errors, which are our own, and what only Spinnaker or only Gennaker writes beside them.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType, TaskContext, TaskType, Unplannable
from gennaker.model import waiting
from gennaker.model.codec import Json
from gennaker.model.event import (
    Again,
    CancelAsked,
    Done,
    Event,
    Failed,
    PauseAsked,
    PlannedStage,
    PlannedTask,
    RestartAsked,
    ResumeAsked,
    StagePatched,
    TaskResult,
)
from gennaker.model.execution import Execution, ExecutionKind, Stage
from gennaker.model.problems import Problem
from gennaker.model.statuses import Status
from gennaker.plugins.flow.plugin import plugin as flow
from gennaker.settings import EngineSettings, Settings
from gennaker.testing.installation import TESTER, Installation, ended

_PROBLEM = Problem(code="stub.scripted", message="The script says so.")
_OWN = ("type", "name", "requisites")
_NOT_COMPARED = frozenset(
    {"canManuallySkip", "exception", "expressionFailures", "lastModifiedBy", "problems", "restartDetails", "stubKey"}
)
_SUMMARY = "expressionEvaluationSummary"
_SETTLES = timedelta(seconds=1)
"""A child's restart reaches its parent after the command has been answered; the child may have ended again by then."""


def run(case: dict[str, Any]) -> list[Execution]:
    """The case's executions when they are over, oldest first, and all actions are done."""
    settings = Settings(engine=EngineSettings(time_zone="UTC"))
    installation = Installation(flow, _stubs(case["scripts"]), settings=settings, longest=timedelta(days=4))
    return installation.time.run(_run(installation, case))


async def _run(installation: Installation, case: dict[str, Any]) -> list[Execution]:
    for child in case.get("children", ()):
        await installation.definitions.save("pipeline", child["id"], child, author="u")
    submission = Submission(
        kind=ExecutionKind(case.get("kind", "PIPELINE")), config=case["pipeline"], trigger=case["trigger"]
    )
    async with installation.process() as core, asyncio.timeout(installation.longest.total_seconds()):
        services = core.services
        begins = services.clock.now()
        await services.executions.submit(submission, TESTER)
        for action in case["actions"]:
            await services.clock.sleep_until(begins + timedelta(seconds=action["at"]))
            if action["do"] == "submit":
                again = replace(submission, config=action.get("pipeline", case["pipeline"]))
                await services.executions.submit(again, TESTER)
                continue
            execution_id = (await _all(services))[action.get("run", 0)].head.id
            event = await _event(services, execution_id, action)
            await services.executions.tell(execution_id, event, TESTER)
        await services.clock.sleep_until(services.clock.now() + _SETTLES)
        while not all(one.head.status.is_complete for one in await _all(services)):
            for one in await _all(services):
                await ended(services, one.head.id)
        return await _all(services)


async def _all(services: Services) -> list[Execution]:
    """All executions, oldest first."""
    found = await services.executions.find(Found(limit=100))
    return sorted(found, key=lambda one: (one.head.build_time, one.head.id))


async def _event(services: Services, execution_id: str, action: dict[str, Any]) -> Event:
    execution = await services.executions.get(execution_id)
    assert execution is not None
    stage_id = next((one.id for one in execution.in_order() if action.get("stage") in (one.ref_id, one.name)), "")
    at: datetime = services.clock.now()
    match action["do"]:
        case "cancel":
            return CancelAsked(at=at, by="u", reason=action.get("reason", ""))
        case "pause":
            return PauseAsked(at=at, by="u")
        case "resume":
            return ResumeAsked(at=at, by="u")
        case "restart":
            return RestartAsked(at=at, by="u", stage_id=stage_id, stages=tuple(action.get("stages", ())))
        case "patch":
            return StagePatched(at=at, by="u", stage_id=stage_id, patch=action["context"])
        case other:
            raise AssertionError(other)


def _stubs(scripts: dict[str, Any]) -> Plugin:
    """Stages that do as their scripts say."""
    runs: Counter[tuple[str, str]] = Counter()

    def script(context: StageContext) -> dict[str, Any]:
        found: dict[str, Any] = scripts.get(str(context.stage.context.get("stubKey")), {})
        return found

    async def work(context: TaskContext) -> TaskResult:
        results = next(
            one["results"] for one in _flat(script(context).get("tasks", [])) if one["name"] == context.task.name
        )
        count = (str(context.stage.context.get("stubKey")), context.task.name)
        said = results[min(runs[count], len(results) - 1)]
        runs[count] += 1
        return _result(said)

    task = TaskType(name="stub", run=work, timeout=timedelta(hours=1))

    async def plan(_: StageSpec, context: StageContext) -> Plan:
        told = script(context)
        if "planThrows" in told:
            raise Unplannable(_PROBLEM)
        return Plan(before=_stages(told, "before"), tasks=tuple(_tasks(told.get("tasks", []), task)))

    async def after(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
        if "afterThrows" in script(context):
            raise Unplannable(_PROBLEM)
        return _stages(script(context), "after")

    async def on_failure(_: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
        if "failureThrows" in script(context):
            raise Unplannable(_PROBLEM)
        return _stages(script(context), "onFailure")

    types = (
        StageType(
            name=name,
            label=name,
            about="Does as its script says.",
            spec=StageSpec,
            tasks=(task,),
            plan=plan,
            plan_after=after,
            plan_on_failure=on_failure,
            is_skippable=name == "skippable",
        )
        for name in ("stub", "skippable")
    )
    return Plugin(name="stubs", stages=tuple(types))


def _result(said: dict[str, Any]) -> TaskResult:
    if "throw" in said:
        return Failed(problem=_PROBLEM)
    status = Status(said["status"])
    context, outputs = said.get("context", {}), said.get("outputs", {})
    if status is Status.RUNNING:
        pause = timedelta(seconds=said["wait"])
        return Again(after=pause, waiting_for=waiting.ForOther(reason="the script"), context=context, outputs=outputs)
    if status in (Status.TERMINAL, Status.CANCELED):
        return Failed(problem=_PROBLEM, status=status, context=context, outputs=outputs)
    return Done(status=status, context=context, outputs=outputs)


def _flat(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in listed:
        yield from one.get("loop", (one,))


def _tasks(listed: list[dict[str, Any]], task: TaskType) -> Iterator[PlannedTask]:
    for one in listed:
        loop = one.get("loop", [])
        for place, inner in enumerate(loop or (one,)):
            is_last = place == len(loop) - 1
            yield task.planned(
                name=inner["name"], is_loop_start=bool(loop) and place == 0, is_loop_end=bool(loop) and is_last
            )


def _stages(told: dict[str, Any], side: str) -> tuple[PlannedStage, ...]:
    return tuple(
        PlannedStage(
            type=one["type"],
            name=one["name"],
            requisites=tuple(one.get("requisites", ())),
            context={key: value for key, value in one.items() if key not in _OWN},
        )
        for one in told.get(side, ())
    )


def compared(executions: Sequence[Execution]) -> dict[str, Any]:
    """What of a case's executions is compared with Orca's."""
    first, *others = [_compared(one) for one in executions]
    return {**first, "others": others} if others else first


def _compared(execution: Execution) -> dict[str, Any]:
    return {
        "status": execution.head.status.value,
        "canceled": execution.head.is_canceled,
        "stages": {stage.ref_id: _stage(stage) for stage in execution.in_order()},
    }


def _stage(stage: Stage) -> dict[str, Any]:
    context = {key: _plain(value) for key, value in stage.context.items() if key not in _NOT_COMPARED}
    if stage.type in ("checkPreconditions", "restrictExecutionDuringTimeWindow"):
        context = {}
    if "executionId" in context:
        context["executionId"] = "ID"
    if isinstance(summary := context.get(_SUMMARY), dict):
        context[_SUMMARY] = sorted(summary)
    return {
        "status": stage.status.value,
        "tasks": [f"{task.name} {task.status.value}" for task in stage.tasks],
        "context": context,
        "outputs": _plain(stage.outputs),
    }


def _plain(value: Json) -> Json:
    """Without nulls, which Orca doesn't keep."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
