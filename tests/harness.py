"""Harness: pipelines run by the real engine and worker over stores in memory, in virtual time, without a server.

    harness = Harness(flow.plugin, deploy.plugin, Plugin(name="fakes", clouds=(lambda services: cloud,)))
    execution = harness.run({"application": "shop", "stages": [...]}, {"tag": "1.2.3"})
    assert execution.head.status is Status.SUCCEEDED

The plugins' services run too. What a test does while a pipeline runs it gives as `meanwhile`. With `kill_at` the
"process" dies at named points (interfaces/probes.py) and starts again over the same stores: what it had not recorded is
done again as a repeat.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from tests.fakes.audit import MemoryAuditTrail
from tests.fakes.definitions import MemoryDefinitions
from tests.fakes.documents import MemoryStore
from tests.fakes.evidence import MemoryEvidence, MemoryLogs
from tests.fakes.journal import MemoryJournal
from tests.fakes.virtual_time import RealTime, VirtualTime

from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.statuses import Status
from gennaker.settings import Settings
from gennaker.worker import core
from gennaker.worker import services as worker_services
from gennaker.worker.core import Core

TESTER = Principal(name="tester", via="test")
_LONGEST = timedelta(hours=3)
_NOWHERE = Path("/nonexistent/gennaker")
"""The data folder of tests whose plugins write no files; the others give a folder of their own."""
Meanwhile = Callable[[Services, str], Awaitable[None]]
"""What a test does while the execution with this id runs."""


class Killed(BaseException):
    """The process is dead: not an Exception, so that nothing in it can catch this and live on."""


class Harness:
    """One installation: stores and a clock that outlive its processes."""

    def __init__(
        self,
        *plugins: Plugin,
        settings: Settings | None = None,
        runs_services: bool = True,
        data: Path | None = None,
        time: VirtualTime | RealTime | None = None,
        registries: Mapping[str, ImageRegistry] | None = None,
    ) -> None:
        self.data = data or _NOWHERE
        self.plugins = plugins
        self.settings = settings or Settings()
        self.registries = registries or {}
        self.runs_services = runs_services
        self.time = time or VirtualTime()
        self.journal = MemoryJournal()
        self.documents = MemoryStore()
        self.definitions = MemoryDefinitions(self.time)
        self.evidence = MemoryEvidence()
        self.audit = MemoryAuditTrail()
        self.logs = MemoryLogs(self.data / "logs")
        self.ids = CountingIds()
        self.probe = KillingProbe()

    def run(
        self,
        pipeline: JsonObject,
        trigger: JsonObject | None = None,
        *,
        kill_at: Iterable[str] = (),
        meanwhile: Meanwhile | None = None,
        after_kill: Meanwhile | None = None,
        afterwards: timedelta = timedelta(),
    ) -> Execution:
        """Runs a pipeline to its end, and the services for so long afterwards; returns it as it is then.

        `meanwhile` is done once by the first process, `after_kill` by each later one.
        """
        kind = ExecutionKind.ORCHESTRATION if "job" in pipeline else ExecutionKind.PIPELINE
        config = {**pipeline, "stages": pipeline["job"]} if "job" in pipeline else pipeline
        submission = Submission(kind=kind, config=config, trigger=trigger or {}, key=self.ids.ulid())
        self.probe.kill_at(kill_at)
        while True:
            try:
                return self.time.run(self._run(submission, meanwhile, afterwards))
            except* Killed:
                meanwhile = after_kill

    def do(self, work: Callable[[Services], Awaitable[None]]) -> None:
        """Does something with the services of a process that runs meanwhile."""

        async def main() -> None:
            async with self.process() as running:
                await work(running.services)

        self.time.run(main())

    def executions(self, **wanted: object) -> tuple[Execution, ...]:
        """All executions that match, oldest first."""
        found = self.time.run(self._find(Found(limit=1000, **wanted)))  # type: ignore[arg-type]  # Found's own fields
        return tuple(reversed(found))

    async def _find(self, wanted: Found) -> tuple[Execution, ...]:
        return tuple(await self.journal.find(wanted))

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Core]:
        """A running process: worker and services."""
        built = self.built()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(built.worker.run())]
            if self.runs_services:
                tasks.append(
                    group.create_task(worker_services.run_all(built.background, built.services, built.servers))
                )
            yield built
            for task in tasks:
                task.cancel()

    def built(self) -> Core:
        """The parts of a process that does not run, to look into the stores with the code's own eyes."""
        return core.build(
            store=core.StorePorts(
                journal=self.journal,
                searches=self.journal,
                definitions=self.definitions,
                documents=self.documents,
                evidence=self.evidence,
                logs=self.logs,
                audit=self.audit,
            ),
            clock=self.time,
            ids=self.ids,
            settings=self.settings,
            data=self.data,
            plugins=self.plugins,
            registries=self.registries,
            probe=self.probe,
        )

    async def _run(self, submission: Submission, meanwhile: Meanwhile | None, afterwards: timedelta) -> Execution:
        async with self.process() as running:
            executions = running.services.executions
            execution_id = await executions.submit(submission, TESTER)
            if meanwhile is not None:
                await meanwhile(running.services, execution_id)
            async with asyncio.timeout(_LONGEST.total_seconds()):
                await ended(running.services, execution_id)
            await asyncio.sleep(afterwards.total_seconds())
            found = await executions.get(execution_id)
            assert found is not None
            return found


async def ended(services: Services, execution_id: str) -> Execution:
    """The execution, once it is complete."""
    while True:
        found = await services.executions.get(execution_id)
        if found is not None and found.head.status.is_complete:
            return found
        await asyncio.sleep(0.05)


async def reached(services: Services, execution_id: str, stage_type: str, *, task: str = "") -> None:
    """Returns once a stage of this type (and that task of it) runs; fails the test if the execution ends before."""
    while True:
        found = await services.executions.get(execution_id)
        assert found is not None
        for stage in found.in_order():
            if stage.type == stage_type and stage.status is Status.RUNNING:
                running = {one.name for one in stage.tasks if one.status is Status.RUNNING}
                if not task or task in running:
                    return
        assert not found.head.status.is_complete, f"ended {found.head.status} before {stage_type} {task} ran"
        await asyncio.sleep(0.01)


def problem_of(execution: Execution) -> str:
    """What the execution's failed stages say, for assertions and their messages."""
    said: list[str] = []
    for stage in execution.in_order():
        exception = stage.context.get("exception")
        details = exception.get("details") if isinstance(exception, dict) else None
        errors = details.get("errors") if isinstance(details, dict) else None
        if isinstance(errors, list):
            said += [f"{stage.name}: {error}" for error in errors]
    reason = execution.head.cancellation_reason
    return "\n".join([*said, *([reason] if reason else [])])


class CountingIds:
    """Ids in order, the same in every run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def ulid(self) -> str:
        return f"01{next(self._numbers):024d}"

    def uuid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._numbers):012d}"

    def token(self) -> str:
        return f"token-{next(self._numbers)}"


class KillingProbe:
    """Kills at the named points, `point` or `point#3` for the third time; each point once."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._counts: Counter[str] = Counter()
        self._points: set[str] = set()

    def kill_at(self, points: Iterable[str]) -> None:
        self._points = set(points)
        self._counts.clear()

    def reached(self, point: str) -> None:
        self.seen.append(point)
        self._counts[point] += 1
        for name in (point, f"{point}#{self._counts[point]}"):
            if name in self._points:
                self._points.discard(name)
                raise Killed(name)
