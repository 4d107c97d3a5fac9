"""How many tasks a second the whole engine makes durable, on SQLite and on PostgreSQL: `python benchmarks/stores.py [URL]`.

200 executions of 10 chained stages with one task that does nothing, 50 at a time, in one process, without HTTP: submission,
expressions, planning, journal, outbox, audit, all of it. Every commit is synced before it is answered. URL names an empty
PostgreSQL database; without one a server of Debian's is started for it. The last figure is that of the journal alone on
PostgreSQL, the steps of benchmarks/journal.py.
"""

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import journal as journal_benchmark  # noqa: E402 - the other benchmark, found beside this one
from tests import postgres_server  # noqa: E402 - found in the checkout

from gennaker.interfaces.executions import Submission  # noqa: E402 - as above
from gennaker.interfaces.plugins import Plugin  # noqa: E402 - as above
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType  # noqa: E402 - as above
from gennaker.model.codec import Json, JsonObject  # noqa: E402 - as above
from gennaker.model.event import Done, TaskResult  # noqa: E402 - as above
from gennaker.model.principal import Principal  # noqa: E402 - as above
from gennaker.settings import Settings, StoreSettings  # noqa: E402 - as above
from gennaker.store import opening  # noqa: E402 - as above
from gennaker.store.audit import DatabaseAuditTrail  # noqa: E402 - as above
from gennaker.store.definitions import DatabaseDefinitions  # noqa: E402 - as above
from gennaker.store.documents import DatabaseDocuments  # noqa: E402 - as above
from gennaker.store.evidence import FileEvidence, FileLogs  # noqa: E402 - as above
from gennaker.store.opening import OpenStore  # noqa: E402 - as above
from gennaker.store.searches import DatabaseSearches  # noqa: E402 - as above
from gennaker.worker import core  # noqa: E402 - as above
from gennaker.worker.clock import SystemClock, SystemIds  # noqa: E402 - as above
from gennaker.worker.probes import SilentProbe  # noqa: E402 - as above

EXECUTIONS, STAGES, AT_A_TIME, ROUNDS = 200, 10, 50, 3


class Figures(msgspec.Struct, frozen=True):
    """What a run took."""

    rate: float
    """Tasks or steps a second."""
    microseconds: float
    """CPU of this process for each; PostgreSQL's own is not in it."""


class Nothing:
    """A stage type whose task does nothing, and tells when the last stage of an execution has been performed."""

    def __init__(self) -> None:
        self.ended: dict[str, asyncio.Event] = {}

    async def run(self, context: TaskContext) -> TaskResult:
        """The task."""
        if context.stage.ref_id == str(STAGES):
            self.ended.setdefault(context.execution.head.id, asyncio.Event()).set()
        return Done()

    def plugin(self) -> Plugin:
        """With this stage type only."""
        task = TaskType(name="nothing", run=self.run)
        return Plugin(
            name="nothing",
            stages=(StageType(name="nothing", label="Nothing", about="", spec=StageSpec, tasks=(task,)),),
        )


def pipeline() -> JsonObject:
    """A chain."""
    stages: list[Json] = [
        {
            "refId": str(number),
            "type": "nothing",
            "name": f"Stage {number}",
            "requisiteStageRefIds": [str(number - 1)] if number > 1 else [],
        }
        for number in range(1, STAGES + 1)
    ]
    return {"application": "bench", "name": "chain", "stages": stages, "limitConcurrent": False}


def built(store: OpenStore, nothing: Nothing, folder: Path) -> core.Core:
    """Everything between the store and the plugin."""
    database, clock = store.database, SystemClock()
    return core.build(
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
        ids=SystemIds(),
        settings=Settings(),
        data=folder,
        plugins=(nothing.plugin(),),
        registries={},
        probe=SilentProbe(),
        servers=store.servers,
    )


async def run_all(store: OpenStore, folder: Path) -> Figures:
    """All executions, each to its end."""
    nothing = Nothing()
    parts = built(store, nothing, folder)
    slots = asyncio.Semaphore(AT_A_TIME)
    submission, principal = Submission(config=pipeline()), Principal(name="bench")

    async def one() -> None:
        async with slots:
            execution_id = await parts.services.executions.submit(submission, principal)
            await nothing.ended.setdefault(execution_id, asyncio.Event()).wait()

    async with asyncio.TaskGroup() as group:
        working = group.create_task(parts.worker.run())
        await parts.worker.ready()
        began, worked = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one() for _ in range(EXECUTIONS)))
        while await store.journal.pending():  # noqa: ASYNC110 - the worker tells nobody that it has nothing to do
            await asyncio.sleep(0.01)
        took, worked = time.perf_counter() - began, time.process_time() - worked
        working.cancel()
    tasks = EXECUTIONS * STAGES
    return Figures(rate=tasks / took, microseconds=1e6 * worked / tasks)


def engine(settings: StoreSettings) -> Figures:
    """The whole engine over a fresh store."""
    with tempfile.TemporaryDirectory() as folder, opened(settings, Path(folder)) as store:
        return asyncio.run(run_all(store, Path(folder)))


def journal_alone(url: str) -> Figures:
    """Steps as benchmarks/journal.py makes them."""
    with tempfile.TemporaryDirectory() as folder, opened(StoreSettings(url=url), Path(folder)) as store:
        began, worked = time.perf_counter(), time.process_time()
        context: JsonObject = {"waitTime": 1, "note": "x" * 200}
        steps = journal_benchmark.executions(store.journal, concurrency=50, steps=20_000, context=context)
        done = len(asyncio.run(steps))
        took, worked = time.perf_counter() - began, time.process_time() - worked
        return Figures(rate=done / took, microseconds=1e6 * worked / done)


@contextlib.contextmanager
def opened(settings: StoreSettings, folder: Path) -> Iterator[OpenStore]:
    """A store, closed again."""
    store = opening.open_store(settings, folder, engine_version="benchmark", server="benchmark")
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def server(given: str) -> Iterator[str]:
    """The address of an empty database."""
    if given:
        yield given
        return
    with postgres_server.running() as started, started.database() as url:
        yield url


def main(given: str) -> None:
    """Prints one line a case: the median of the rounds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {ROUNDS} rounds, each case in each")
    rounds: dict[str, list[Figures]] = {}
    for _ in range(ROUNDS):
        rounds.setdefault("engine on SQLite", []).append(engine(StoreSettings()))
        with server(given) as url:
            rounds.setdefault("engine on PostgreSQL", []).append(engine(StoreSettings(url=url)))
        with server(given) as url:
            rounds.setdefault("journal on PostgreSQL", []).append(journal_alone(url))
    for name, figures in rounds.items():
        rates = sorted(one.rate for one in figures)
        cpu = sorted(one.microseconds for one in figures)[ROUNDS // 2]
        print(
            f"{name:24} {rates[ROUNDS // 2]:8,.0f} a second ({rates[0]:,.0f} to {rates[-1]:,.0f}), "
            f"{cpu:5.0f} µs of this process's CPU each"
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
