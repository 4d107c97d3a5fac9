"""Whole engine: durable task completions a second, and how long a reported task waits for the next one to start.

Run: `python benchmarks/engine.py [FOLDER]`. The real worker over the real store (SQLite, `synchronous=FULL`) in one
process, without HTTP: 200 executions of 10 chained stages with one no-op task each, 50 at a time; then tasks offered at
500 a second, where the time between a task's end and the next one's start is measured. FOLDER decides which disk.
"""

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, TaskResult
from gennaker.model.principal import Principal
from gennaker.model.statuses import Status
from gennaker.settings import Settings, StoreSettings
from gennaker.store import opening
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.documents import DatabaseDocuments
from gennaker.store.evidence import FileEvidence, FileLogs
from gennaker.store.searches import DatabaseSearches
from gennaker.worker import core
from gennaker.worker.clock import SystemClock, SystemIds
from gennaker.worker.pacing import Pace
from gennaker.worker.probes import SilentProbe

_ROUNDS = 3
BENCH = Principal(name="benchmark", via="benchmark")


class Starts:
    """When each task of an execution was started and ended."""

    def __init__(self) -> None:
        """Nothing has started."""
        self.gaps: list[float] = []
        self.done = 0
        self._reported: dict[str, float] = {}
        self._over: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def run(self, context: TaskContext) -> TaskResult:
        """A task that does nothing but look at the clock."""
        now = time.perf_counter()
        name = context.execution.head.id
        if name in self._reported:
            self.gaps.append(now - self._reported[name])
        self._reported[name] = time.perf_counter()
        self.done += 1
        return Done()

    async def follow(self, built: core.Core) -> None:
        """Learns which executions end, as the page does."""
        async for update in built.services.updates.follow():
            if self._over[update.id].is_set():
                continue
            found = await built.services.executions.get(update.id)
            if found is not None and found.head.status.is_complete:
                assert found.head.status is Status.SUCCEEDED, found.head.status
                self._over[update.id].set()

    async def ended(self, execution_id: str) -> None:
        """Returns when the execution has ended."""
        await self._over[execution_id].wait()


def pipeline(stages: int, context: JsonObject) -> JsonObject:
    """A chain of no-op stages."""
    chain: list[Json] = [
        {
            "refId": str(place),
            "type": "benchNothing",
            "name": f"stage {place}",
            "requisiteStageRefIds": [str(place - 1)] if place else [],
            **context,
        }
        for place in range(stages)
    ]
    return {"application": "bench", "name": "bench", "stages": chain}


@asynccontextmanager
async def running(
    folder: Path, starts: Starts, url: str = "", plugins: tuple[Plugin, ...] = (), *, pace: Pace | None = None
) -> AsyncIterator[core.Core]:
    """A worker over a store, if need be a new one: SQLite in the folder, or the PostgreSQL database of the URL."""
    clock, ids = SystemClock(), SystemIds()
    store = opening.open_store(StoreSettings(url=url), folder, engine_version="benchmark", server="benchmark")
    database = store.database
    nothing = TaskType(name="nothing", run=starts.run)
    stage = StageType(name="benchNothing", label="", about="", spec=StageSpec, tasks=(nothing,))
    built = core.build(
        store=core.StorePorts(
            journal=store.journal,
            searches=DatabaseSearches(database),
            definitions=DatabaseDefinitions(database, clock),
            documents=lambda namespace: DatabaseDocuments(database, namespace),
            evidence=FileEvidence(database),
            logs=FileLogs(database),
            audit=DatabaseAuditTrail(database),
        ),
        clock=clock,
        ids=ids,
        settings=Settings(),
        data=folder,
        plugins=(Plugin(name="bench", stages=(stage,)), *plugins),
        registries={},
        probe=SilentProbe(),
        servers=store.servers,
        pace=pace,
    )
    async with asyncio.TaskGroup() as group:
        working = [group.create_task(built.worker.run()), group.create_task(starts.follow(built))]
        await built.worker.ready()
        yield built
        for task in working:
            task.cancel()
    store.close()


async def throughput(
    folder: Path, *, executions: int, stages: int, at_once: int, context: JsonObject, url: str = ""
) -> float:
    """Task completions a second."""
    starts = Starts()
    async with running(folder, starts, url) as built:
        slots = asyncio.Semaphore(at_once)
        began = time.perf_counter()

        async def one() -> None:
            async with slots:
                execution = await built.services.executions.submit(
                    Submission(config=pipeline(stages, context), trigger={}), BENCH
                )
                await starts.ended(execution)

        async with asyncio.TaskGroup() as group:
            for _ in range(executions):
                group.create_task(one())
        return starts.done / (time.perf_counter() - began)


async def latency(folder: Path, *, rate: float, seconds: float, stages: int) -> list[float]:
    """Seconds from each task's end to the start of the next one, at so many tasks a second."""
    starts = Starts()
    async with running(folder, starts) as built, asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds / stages)):
            due = number * stages / rate
            group.create_task(_later(built, starts, due, stages))
    return starts.gaps


async def _later(built: core.Core, starts: Starts, due: float, stages: int) -> None:
    await asyncio.sleep(due)
    execution = await built.services.executions.submit(Submission(config=pipeline(stages, {}), trigger={}), BENCH)
    await starts.ended(execution)


async def overload(folder: Path, *, executions: int, stages: int, pace: Pace | None) -> tuple[list[float], float]:
    """As `latency`, with everything offered at once; and tasks a second."""
    starts = Starts()
    async with running(folder, starts, pace=pace) as built:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(executions):
                group.create_task(_later(built, starts, 0.0, stages))
        return starts.gaps, starts.done / (time.perf_counter() - began)


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return 1000 * sorted(values)[int(share * (len(values) - 1))]


def main(folder: Path) -> None:
    """Prints one line a case; throughput is the median of the rounds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # as the server does (app.py)
    context: JsonObject = {"note": "x" * 200}
    shapes = ((200, 10, 50), (20, 100, 20), (4, 1000, 4))
    for executions, stages, at_once in shapes:
        rates = [
            asyncio.run(
                throughput(
                    folder / f"t{stages}-{number}",
                    executions=executions,
                    stages=stages,
                    at_once=at_once,
                    context=context,
                )
            )
            for number in range(_ROUNDS)
        ]
        print(f"{executions} x {stages} stages, {at_once} at once: {statistics.median(rates):8,.0f} tasks/s")
    gaps = asyncio.run(latency(folder / "latency", rate=500, seconds=10, stages=10))
    print(
        f"500 tasks/s offered: report to next start p50 {percentile(gaps, 0.5):.2f} ms, p99 {percentile(gaps, 0.99):.2f} ms"
    )
    for name, pace in (("all let in", None), ("let in at the engine's pace", Pace())):
        gaps, rate = asyncio.run(overload(folder / name[:3], executions=2000, stages=10, pace=pace))
        print(
            f"2,000 executions offered at once, {name}: {rate:,.0f} tasks/s, "
            f"report to next start p50 {percentile(gaps, 0.5):.1f} ms, p99 {percentile(gaps, 0.99):.1f} ms"
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        main(Path(temporary))
