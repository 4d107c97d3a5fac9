"""An installation in one process: the real engine and worker over stores in memory, in virtual time, without a server.

    installation = Installation(flow.plugin, deploy.plugin, Plugin(name="fakes", clouds=(lambda services: cloud,)))
    execution = installation.run({"application": "shop", "stages": [...]}, {"tag": "1.2.3"})
    assert execution.head.status is Status.SUCCEEDED

The plugins' services run too. What is done while a pipeline runs is given as `meanwhile`. With `kill_at` the "process"
dies at named points (interfaces/probes.py) and starts again over the same stores: what it had not recorded is done again
as a repeat.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeVar

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.servers import Servers
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.principal import Principal
from gennaker.settings import Settings
from gennaker.testing.audit import MemoryAuditTrail
from gennaker.testing.crashes import Killed, KillingProbe
from gennaker.testing.definitions import MemoryDefinitions
from gennaker.testing.documents import MemoryStore
from gennaker.testing.evidence import MemoryEvidence, MemoryLogs
from gennaker.testing.ids import CountingIds
from gennaker.testing.journal import MemoryJournal
from gennaker.testing.virtual_time import VirtualTime
from gennaker.worker import core
from gennaker.worker import services as worker_services
from gennaker.worker.core import Core

TESTER = Principal(name="tester", via="test")
_LONGEST = timedelta(days=7)
_NOWHERE = Path("/nonexistent/gennaker")
"""The data folder of tests whose plugins write no files; the others give a folder of their own."""
Returned = TypeVar("Returned")
Meanwhile = Callable[[Services, str], Awaitable[None]]
"""What is done while the execution with this id runs."""


class Time(Clock, Protocol):
    """A clock that runs what lives by it."""

    def run(self, main: Coroutine[object, object, Returned]) -> Returned:
        """`asyncio.run` in this time."""
        ...


class Installation:
    """One installation: stores and a clock that outlive its processes."""

    def __init__(
        self,
        *plugins: Plugin,
        settings: Settings | None = None,
        runs_services: bool = True,
        data: Path | None = None,
        time: Time | None = None,
        registries: Mapping[str, ImageRegistry] | None = None,
        longest: timedelta = _LONGEST,
    ) -> None:
        """`longest`: how long a pipeline may run; `data` where plugins write files."""
        self.data = data or _NOWHERE
        self.plugins = plugins
        self.settings = settings or Settings()
        self.registries = registries or {}
        self.runs_services = runs_services
        self.longest = longest
        self.time: Time = time or VirtualTime()
        self.journal = MemoryJournal()
        self.definitions = MemoryDefinitions(self.time)
        self.evidence = MemoryEvidence()
        self.audit = MemoryAuditTrail()
        self.documents = MemoryStore(self.audit)
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

    def built(self, servers: Servers | None = None) -> Core:
        """The parts of a process that does not run, to look into the stores with the code's own eyes.

        `servers`: those that share the stores; None: nobody does.
        """
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
            servers=servers,
        )

    async def _run(self, submission: Submission, meanwhile: Meanwhile | None, afterwards: timedelta) -> Execution:
        async with self.process() as running:
            executions = running.services.executions
            execution_id = await executions.submit(submission, TESTER)
            if meanwhile is not None:
                await meanwhile(running.services, execution_id)
            async with asyncio.timeout(self.longest.total_seconds()):
                await ended(running.services, execution_id)
            await asyncio.sleep(afterwards.total_seconds())
            found = await executions.get(execution_id)
            assert found is not None
            return found


async def ended(services: Services, execution_id: str) -> Execution:
    """The execution, once it is complete; returns at that moment, and costs nothing while nothing happens."""
    news = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        hearing = group.create_task(_hear(services, news))
        await asyncio.sleep(0)  # it follows from now on
        while True:
            news.clear()
            found = await services.executions.get(execution_id)
            if found is not None and found.head.status.is_complete:
                hearing.cancel()
                return found
            await news.wait()


async def _hear(services: Services, news: asyncio.Event) -> None:
    async for _ in services.updates.follow():
        news.set()
