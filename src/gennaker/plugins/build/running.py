"""Running steps: one after another, each a process that outlives the server.

Every poll either starts the present step, finds it still running, or takes up its result and goes on to the next. The
task's memory holds the results so far; the run of a step has a name that derives from the attempt and its number, so after a
kill the same run is found again and never started twice.
"""

import asyncio
import hashlib
import re
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TypeVar

import msgspec

from gennaker.interfaces.evidence import EvidenceItem, LogFile
from gennaker.interfaces.stages import TaskContext
from gennaker.model import waiting
from gennaker.model.codec import JsonObject, to_json
from gennaker.model.event import Again, Done, Failed, TaskResult
from gennaker.model.problems import Problem
from gennaker.plugins.build import environment, failures, results, sbom
from gennaker.plugins.build.build_file import Step, StepKind
from gennaker.plugins.build.results import Ended, ReportResult, StepResult, StepStatus
from gennaker.plugins.build.workspace import Build, Place, Workspace
from gennaker.plugins.build.yaml_nodes import shown
from gennaker.transport.processes import Processes, ProcessSpec, ProcessState, ProcessStatus, UnstartableShim
from gennaker.transport.reports import reading
from gennaker.transport.reports.broken import BrokenReport
from gennaker.transport.reports.reading import Report, ReportKind

_LOOK_SECONDS = 2.0
"""How long a poll stays with a running step: most end meanwhile, and each poll is a durable step."""
_LOOK_AGAIN = timedelta(milliseconds=200)
_STOP_SECONDS = 15.0
_DRAIN_SECONDS = 5.0
_TAIL_LINES = 30
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_SUFFIXES = {ReportKind.JUNIT: "junit.xml", ReportKind.SARIF: "sarif", ReportKind.SBOM: "cdx.json"}

Value = TypeVar("Value")


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the task remembers between polls."""

    has_begun: bool = False
    done: tuple[StepResult, ...] = ()


@failures.as_one
async def run(context: TaskContext) -> TaskResult:
    """Done when all steps have passed; fails with the first that doesn't."""
    steps = _Steps(context, await Workspace(context.services, Place.of(context)).build())
    memory = msgspec.convert(context.task.memory, Memory)
    if len(memory.done) == steps.count:
        return Done(outputs=steps.outputs(memory.done))
    if not memory.has_begun:
        return steps.again(Memory(has_begun=True), is_news=True)
    try:
        result = await steps.advance(len(memory.done))
    except UnstartableShim as error:
        return Failed(problem=Problem(code="build.not_started", message=str(error)), retryable=True)
    if result is None:
        return steps.again(memory, is_news=False)
    done = (*memory.done, result)
    if result.status is StepStatus.FAILED:
        return Failed(problem=await steps.problem(result), outputs=steps.outputs(done))
    if len(done) == steps.count:
        return Done(outputs=steps.outputs(done))
    return steps.again(Memory(has_begun=True, done=done), is_news=True)


async def stop(context: TaskContext) -> None:
    """Ends the step that runs, then removes the workspace."""
    place = Place.of(context)
    processes = Processes(context.services.logs.folder(place.execution_id, place.stage_id))
    await processes.stop_all(timedelta(seconds=_STOP_SECONDS))
    await Workspace(context.services, place).remove()


class _Steps:
    """The steps of one build at one poll."""

    def __init__(self, context: TaskContext, build: Build) -> None:
        self._services = context.services
        self._place = Place.of(context)
        self._at = context.at
        self._attempt = f"{context.stage.attempt}.{context.task.attempt}"
        self._workspace = Workspace(context.services, self._place)
        self._build = build
        self._steps = build.file.steps
        self._processes = Processes(context.services.logs.folder(self._place.execution_id, self._place.stage_id))

    @property
    def count(self) -> int:
        return len(self._steps)

    def outputs(self, done: tuple[StepResult, ...]) -> JsonObject:
        """All steps: done, the present one, those to come."""
        is_over = any(result.status is StepStatus.FAILED for result in done)
        left = [
            StepResult(
                name=step.name,
                kind=step.kind,
                command=shown(step.run),
                status=StepStatus.RUNNING if number == len(done) and not is_over else StepStatus.WAITING,
                log=self._log(number) if number == len(done) and not is_over else "",
            )
            for number, step in enumerate(self._steps)
            if number >= len(done)
        ]
        return {"steps": to_json((*done, *left))}

    def again(self, memory: Memory, *, is_news: bool) -> Again:
        number = len(memory.done)
        remembered = to_json(memory)
        assert isinstance(remembered, dict)
        return Again(
            after=timedelta() if is_news else _LOOK_AGAIN,
            waiting_for=waiting.ForObject(
                reason=f"step {number + 1} of {self.count}: {self._steps[number].name}",
                kind="build step",
                name=self._steps[number].name,
            ),
            memory=remembered,
            outputs=self.outputs(memory.done) if is_news else {},
        )

    async def advance(self, number: int) -> StepResult | None:
        """The step's result; None while it runs. Raises Refused, UnstartableShim."""
        step = self._steps[number]
        if not step.run:
            return await self._do(number, step)
        status = await self._run(number, step)
        if status.state is ProcessState.RUNNING:
            return None
        ended = await self._ended(step, status)
        return await self._result(number, step, ended)

    async def problem(self, failed: StepResult) -> Problem:
        """What a failed step becomes for the stage."""
        number = [step.name for step in self._steps].index(failed.name)
        tail = await self._processes.tail(self._name(number), _TAIL_LINES)
        return Problem(
            code="build.step_failed",
            message=f"The step {failed.name!r} {failed.message.rstrip('.')}.",
            remedy="Correct it and push again; its log says more.",
            details={"step": failed.name, "exitStatus": failed.exit_status, "log": failed.log, "tail": tail},
        )

    async def _run(self, number: int, step: Step) -> ProcessStatus:
        name = self._name(number)
        limit = step.timeout_seconds or self._services.settings.builder.step_timeout_seconds
        spec = ProcessSpec(
            argv=step.run,
            working_folder=str(self._workspace.service(self._build) / step.folder),
            environment={**environment.of_steps(self._build, self._workspace), **step.environment},
            timeout_seconds=limit,
            drain_seconds=_DRAIN_SECONDS,
        )
        await self._register(number, step)
        # Adopted first: of a run that is gone nothing may be left running, and it is not begun again.
        status = await self._processes.adopt(name)
        if status is None or status.state is ProcessState.UNSTARTED:
            await _to_its_end(self._processes.start(name, spec))
        status = await self._processes.wait(name, timedelta(seconds=_LOOK_SECONDS))
        assert status is not None, name
        return status

    async def _do(self, number: int, step: Step) -> StepResult:
        """What the builder does itself: `sbom`; a `scan` without a scanner is nothing at all."""
        reports: tuple[Report, ...] = ()
        if step.kind is StepKind.SBOM:
            content = await asyncio.to_thread(self._components, step)
            reports = (reading.read(ReportKind.SBOM, content),)
        return await self._result(number, step, Ended(process=None, reports=reports))

    def _components(self, step: Step) -> bytes:
        listed: tuple[sbom.Listed, ...] = ()
        if step.components:
            file = self._workspace.service(self._build) / step.components
            listed = sbom.read_list(file, shown=str(PurePosixPath(self._build.service_folder) / step.components))
        return sbom.write(self._build, listed)

    async def _ended(self, step: Step, status: ProcessStatus) -> Ended:
        reports, broken = [], []
        for kind, path in step.reports.items():
            inside = str(PurePosixPath(self._build.service_folder) / step.folder / path)
            try:
                reports.append(await asyncio.to_thread(reading.read_file, kind, self._workspace.root, inside))
            except BrokenReport as error:
                broken.append(f"has a {kind} report {path} that can't be used: {error}.")
        return Ended(process=status, reports=tuple(reports), broken=tuple(broken))

    async def _result(self, number: int, step: Step, ended: Ended) -> StepResult:
        verdict = results.judge(step, ended)
        process = ended.process
        if process is None:
            await asyncio.to_thread(self._write_log, number, f"{verdict.message}\n")
            await self._register(number, step)
        seconds = None
        if process is not None and process.started_at is not None and process.ended_at is not None:
            seconds = round((process.ended_at - process.started_at).total_seconds(), 3)
        return StepResult(
            name=step.name,
            kind=step.kind,
            command=shown(step.run),
            status=verdict.status,
            seconds=seconds,
            exit_status=process.exit_status if process else None,
            log=self._log(number),
            message=verdict.message,
            reports=tuple([await self._keep(step, report) for report in ended.reports]),
        )

    async def _keep(self, step: Step, report: Report) -> ReportResult:
        item = EvidenceItem(
            execution_id=self._place.execution_id,
            stage_id=self._place.stage_id,
            name=f"{_slug(step.name)}.{_SUFFIXES[report.kind]}",
            kind=report.kind.value,
            media_type=reading.MEDIA_TYPES[report.kind],
            digest="sha256:" + hashlib.sha256(report.content).hexdigest(),
            size_bytes=len(report.content),
            at=self._at,
            summary={"step": step.name, **report.summary},
        )
        await self._services.evidence.put(item, report.content)
        return ReportResult(kind=item.kind, name=item.name, digest=item.digest, summary=report.summary)

    async def _register(self, number: int, step: Step) -> None:
        place = self._place
        log = LogFile(
            execution_id=place.execution_id,
            stage_id=place.stage_id,
            name=step.name,
            path=self._log(number),
            at=self._at,
        )
        await self._services.logs.register(log)

    def _write_log(self, number: int, text: str) -> None:
        path = self._processes.log(self._name(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _name(self, number: int) -> str:
        """The run's name; the attempt is in it, as a restarted stage runs everything anew."""
        return f"{self._attempt}/{number + 1:02d}-{_slug(self._steps[number].name)}"

    def _log(self, number: int) -> str:
        return str(self._processes.log(self._name(number)).relative_to(self._services.data))


async def _to_its_end(begun: Coroutine[object, object, Value]) -> Value:
    """Awaits something that a cancellation must not leave half done.

    The thread that starts a process goes on anyway, and whoever stops the task has to find the process.
    """
    async with asyncio.TaskGroup() as group:
        task = group.create_task(begun)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise


def _slug(name: str) -> str:
    return _NOT_IN_NAMES.sub("-", name.lower()).strip("-")[:60] or "step"
