"""Simulating: a pipeline run by the real engine on virtual time, with declared outcomes, and what happened when.

run = simulating.simulate(pipeline, outcomes.read({"stages": {"Canary": {"status": "TERMINAL", "duration": "1h"}}}))
assert run.execution.head.status is Status.TERMINAL
assert run.stage("Deploy").status is Status.SUCCEEDED
"""

import asyncio
import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageType
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.event import (
    CancelAsked,
    Event,
    IgnoreFailureAsked,
    ManualJudgmentGiven,
    PauseAsked,
    RestartAsked,
    ResumeAsked,
    SkipAsked,
)
from gennaker.model.execution import Execution, ExecutionKind, Stage
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.testing import outcomes, simulated
from gennaker.testing.installation import TESTER, Installation, ended
from gennaker.testing.outcomes import Command, Judgment, Outcomes

_ANY = datetime.min.replace(tzinfo=UTC)
_LONGEST = timedelta(days=60)
_MOST_EXECUTIONS = 1000


class Moment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the timeline."""

    at: float
    """Seconds since the submission."""
    stage: str
    ref_id: str
    what: str
    """`starts`, or the status with which it ends."""
    note: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a simulated run."""

    execution: Execution
    timeline: tuple[Moment, ...]
    refused: tuple[str, ...] = ()
    """Commands and judgments that the engine didn't take, and why."""
    installation: Installation

    @property
    def took(self) -> timedelta:
        """From submission to end."""
        head = self.execution.head
        return (head.end_time or head.build_time) - head.build_time

    def stage(self, name: str) -> Stage:
        """A stage by refId or name. Raises KeyError."""
        for stage in self.execution.in_order():
            if name in (stage.ref_id, stage.name):
                return stage
        raise KeyError(name)

    def statuses(self) -> dict[str, str]:
        """The status of each of the pipeline's own stages by its name."""
        return {stage.name: stage.status.value for stage in self.execution.top_level()}


def simulate(
    pipeline: JsonObject,
    declared: Outcomes = Outcomes(),  # noqa: B008 - a frozen record
    *,
    plugins: Iterable[Plugin] = (),
    known: Mapping[str, StageType] | None = None,
) -> Run:
    """Runs a pipeline to its end. Stage types of `plugins` run for real, all others as declared."""
    for command in declared.commands:
        _event(command, "", _ANY)  # refuses what there isn't, before anything runs
        outcomes.length(command.at)
    for lasting in (one for some in declared.stages.values() for one in (some if isinstance(some, tuple) else (some,))):
        outcomes.length(lasting.duration)
    for answer in declared.judgments.values():
        outcomes.length(answer.after)
    real = tuple(plugins)
    offered = {name for plugin in real for one in plugin.stages for name in (one.name, *one.aliases)}
    made = simulated.plugin(declared, (pipeline, *declared.pipelines), known or {})
    rest = msgspec.structs.replace(made, stages=tuple(one for one in made.stages if one.name not in offered))
    installation = Installation(*real, rest, longest=_LONGEST)
    simulation = _Simulation(installation, declared)
    run = installation.time.run(simulation.run(pipeline))
    if simulation.misspelled:
        raise Refused(*simulation.misspelled)
    return run


class _Simulation:
    """One run."""

    def __init__(self, installation: Installation, declared: Outcomes) -> None:
        self._installation = installation
        self._declared = declared
        self._judged: set[tuple[str, str, int]] = set()
        self._judgments: dict[str, tuple[int, tuple[str, ...]]] = {}
        """Of each execution: how many stages it has, and the ids of those that are judgments."""
        self._refused: list[str] = []
        self.misspelled: list[Problem] = []

    async def run(self, pipeline: JsonObject) -> Run:
        kind = ExecutionKind.ORCHESTRATION if "job" in pipeline else ExecutionKind.PIPELINE
        config = {**pipeline, "stages": pipeline["job"]} if "job" in pipeline else pipeline
        async with self._installation.process() as core:
            services = core.services
            for child in self._declared.pipelines:
                await services.definitions.save("pipeline", str(child.get("id")), child, author="tester")
            submission = Submission(kind=kind, config=config, trigger=self._declared.trigger)
            execution_id = await services.executions.submit(submission, TESTER)
            begins = services.clock.now()
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(self._judge(services, group))]
                await asyncio.sleep(0)  # it follows from here on; what has come up before it looks at here
                for begun in await services.executions.find(Found(limit=_MOST_EXECUTIONS)):
                    await self._look(services, group, begun.head.id)
                helpers += [
                    group.create_task(self._command(services, execution_id, begins, one))
                    for one in self._declared.commands
                ]
                async with asyncio.timeout(self._installation.longest.total_seconds()):
                    execution = await ended(services, execution_id)
                    execution = await self._settled(services, execution, helpers[1:])
                for one in helpers:
                    one.cancel()
            unused = await self._unused(services, config)
            return Run(
                execution=execution,
                timeline=timeline(execution),
                refused=(*self._refused, *unused),
                installation=self._installation,
            )

    async def _unused(self, services: Services, config: JsonObject) -> list[str]:
        """What is declared of stages that aren't there, but for names that are nearly those of stages that are."""
        known = {
            name
            for definition in (config, *self._declared.pipelines)
            for one in foreign.mappings(definition.get("stages"))
            for name in (foreign.said_at(one, "refId"), foreign.said_at(one, "name"))
        }
        for execution in await services.executions.find(Found(limit=_MOST_EXECUTIONS)):
            known |= {name for stage in execution.in_order() for name in (stage.ref_id, stage.name)}
        unused = [name for name in (*self._declared.stages, *self._declared.judgments) if name not in known]
        nearly = {name: difflib.get_close_matches(name, known, n=1) for name in unused}
        self.misspelled = [_misspelled(name, near[0]) for name, near in nearly.items() if near]
        return [f"nothing in this run is called {name!r}" for name, near in nearly.items() if not near]

    async def _settled(
        self, services: Services, execution: Execution, commands: "list[asyncio.Task[None]]"
    ) -> Execution:
        """After the last command (a restart goes on after the end)."""
        open_ones = [one for one in commands if not one.done()]
        if not open_ones:
            return execution
        await asyncio.wait(open_ones)
        return await ended(services, execution.head.id)

    async def _judge(self, services: Services, group: asyncio.TaskGroup) -> None:
        """Answers judgments as they come up, in children too."""
        if not self._declared.judgments:
            return
        async for update in services.updates.follow():
            if update.topic == "execution":
                await self._look(services, group, update.id)

    async def _look(self, services: Services, group: asyncio.TaskGroup, execution_id: str) -> None:
        """Takes on the judgments that an execution waits for now."""
        execution = await services.executions.get(execution_id)
        for stage in self._judgments_of(execution) if execution else ():
            answer = self._declared.judgments.get(stage.ref_id) or self._declared.judgments.get(stage.name)
            is_waiting = stage.start_time and not stage.status.is_complete
            occasion = (execution_id, stage.id, stage.attempt)
            if answer is not None and is_waiting and occasion not in self._judged:
                self._judged.add(occasion)
                group.create_task(self._answer(services, execution_id, stage, answer))

    def _judgments_of(self, execution: Execution) -> list[Stage]:
        """Its judgments, looked for only when it has got other stages: there may be thousands."""
        count, found = self._judgments.get(execution.head.id, (0, ()))
        if count != len(execution.stages):
            found = tuple(one.id for one in execution.in_order() if one.type == "manualJudgment")
            self._judgments[execution.head.id] = len(execution.stages), found
        return [execution.stages[stage_id] for stage_id in found if stage_id in execution.stages]

    async def _answer(self, services: Services, execution_id: str, stage: Stage, answer: Judgment) -> None:
        await services.clock.sleep_until((stage.start_time or services.clock.now()) + outcomes.length(answer.after))
        event = ManualJudgmentGiven(
            at=services.clock.now(),
            stage_id=stage.id,
            by=answer.by,
            roles=answer.roles,
            judgment=answer.judgment,
            judgment_input=answer.input,
            comment=answer.comment,
        )
        await self._tell(services, execution_id, event, by=answer.by, what=f"{answer.judgment} of {stage.name}")

    async def _command(self, services: Services, execution_id: str, begins: datetime, command: Command) -> None:
        await services.clock.sleep_until(begins + outcomes.length(command.at))
        execution = await services.executions.get(execution_id)
        assert execution is not None
        stages = [one for one in execution.in_order() if command.stage in (one.ref_id, one.name)]
        stage_id = stages[0].id if stages else ""
        event = _event(command, stage_id, services.clock.now())
        await self._tell(services, execution_id, event, by=command.by, what=f"{command.do} {command.stage}".strip())

    async def _tell(self, services: Services, execution_id: str, event: Event, *, by: str, what: str) -> None:
        try:
            await services.executions.tell(execution_id, event, Principal(name=by, via="test"))
        except Refused as refused:
            self._refused.append(f"{what}: {refused}")


def _misspelled(name: str, near: str) -> Problem:
    return Problem(
        code="outcomes.no_stage",
        message=f"Something is declared of {name!r}, and nothing in this run is called so.",
        remedy=f"Did you mean {near!r}?",
    )


def _event(command: Command, stage_id: str, at: datetime) -> Event:
    match command.do:
        case "cancel":
            return CancelAsked(at=at, by=command.by, reason=command.reason)
        case "pause":
            return PauseAsked(at=at, by=command.by)
        case "resume":
            return ResumeAsked(at=at, by=command.by)
        case "skip":
            return SkipAsked(at=at, by=command.by, stage_id=stage_id)
        case "restart":
            return RestartAsked(at=at, by=command.by, stage_id=stage_id)
        case "ignore-failure":
            return IgnoreFailureAsked(at=at, by=command.by, stage_id=stage_id, reason=command.reason)
        case other:
            raise Refused(
                Problem(
                    code="outcomes.command",
                    message=f"There is no command {other!r}.",
                    remedy="Use cancel, pause, resume, skip, restart or ignore-failure.",
                )
            )


def timeline(execution: Execution) -> tuple[Moment, ...]:
    """When stages started and ended, by time."""
    moments: list[tuple[float, int, Moment]] = []
    begins = execution.head.build_time
    for place, stage in enumerate(execution.in_order()):
        times = ((stage.start_time, "starts", ""), (stage.end_time, stage.status.value, _note(stage)))
        for at, what, note in times:
            if at is None or (what == "starts" and stage.start_time == stage.end_time):
                continue
            seconds = (at - begins).total_seconds()
            moment = Moment(at=seconds, stage=stage.name, ref_id=stage.ref_id, what=what, note=note)
            moments.append((seconds, place, moment))
    moments.sort(key=lambda one: one[:2])
    return tuple(moment for _, _, moment in moments)


def _note(stage: Stage) -> str:
    problems = stage.context.get("problems")
    first = problems[0] if isinstance(problems, list) and problems else None
    if isinstance(first, dict):
        return str(first.get("message", ""))
    if stage.last_modified is not None and stage.context.get("judgmentStatus"):
        return f"{stage.context['judgmentStatus']}, by {stage.last_modified.user}"
    said = foreign.items(foreign.mapping(foreign.mapping(stage.context.get("exception")).get("details")).get("errors"))
    return str(said[0]) if said and stage.status is Status.TERMINAL else ""
