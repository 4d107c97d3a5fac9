"""Scale: many executions stored, and many that wait.

Run: `python benchmarks/scale.py [STORED [WAITING]]`, by default 100,000 and 10,000. In a fresh SQLite store:

* STORED executions of 10 stages that have ended, of 20 applications and 200 pipelines; then how long it takes to list the
  newest of an application (20 of them), those of five pipelines, those of a status, a page far back, and to open one.
* WAITING executions of 10 stages that stand at a wait of a week; a process of its own holds them, is killed with SIGKILL and
  started again: how long until it is recovered, and its memory (PSS) then.
"""

import asyncio
import contextlib
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.engine import BENCH, Starts, percentile, running
from tests import make

from gennaker.interfaces.executions import Executions, Found, Submission
from gennaker.interfaces.journal import Commit, ExecutionChange, RecordedEvent
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Started
from gennaker.model.execution import Authentication, Head, Stage
from gennaker.model.statuses import Status
from gennaker.plugins.flow.plugin import plugin as flow
from gennaker.settings import StoreSettings
from gennaker.store import opening

_AT = datetime(2026, 11, 1, tzinfo=UTC)
_STAGES, _APPLICATIONS, _PIPELINES, _LOOKS = 10, 20, 200, 300
_TOGETHER = 200
_WEEK = 7 * 24 * 3600


def ended(number: int) -> Commit:
    """An execution of ten stages that has ended."""
    execution_id = f"{number:026d}"
    names = tuple(f"{execution_id}-{place}" for place in range(_STAGES))
    context: JsonObject = {"note": "x" * 200}
    head = Head(
        id=execution_id,
        application=f"application{number % _APPLICATIONS}",
        name=f"pipeline{number % _PIPELINES}",
        pipeline_config_id=f"pipeline{number % _PIPELINES}",
        status=Status.TERMINAL if number % 10 == 0 else Status.SUCCEEDED,
        build_time=_AT + timedelta(seconds=number),
        authentication=Authentication(user="ada"),
        initial_config={"stages": [{"refId": str(place), **context} for place in range(_STAGES)]},
        stage_order=names,
        version=1,
    )
    stages = tuple(
        Stage(id=name, ref_id=str(place), type="wait", name=name, status=Status.SUCCEEDED, context=context)
        for place, name in enumerate(names)
    )
    events = (RecordedEvent(number=1, event=Started(at=_AT)),)
    return Commit(executions=(ExecutionChange(head=head, expected_version=0, stages=stages, events=events),))


async def stored(folder: Path, count: int) -> None:
    """Fills a store and prints how long looks into it take."""
    store = opening.open_store(StoreSettings(), folder, engine_version="benchmark", server="benchmark")
    for start in range(0, count, _TOGETHER):
        await asyncio.gather(*(store.journal.commit(ended(n)) for n in range(start, min(start + _TOGETHER, count))))
    store.close()
    async with running(folder, Starts()) as core:
        executions = core.services.executions
        far_back = f"{count // 2:026d}"
        looks: dict[str, Callable[[int], Found]] = {
            "the newest 20 of an application": lambda n: Found(application=f"application{n % _APPLICATIONS}"),
            "of five pipelines, 20": lambda n: Found(
                config_ids=tuple(f"pipeline{(n + k) % _PIPELINES}" for k in range(5))
            ),
            "the newest 20 that failed": lambda _: Found(statuses=(Status.TERMINAL,)),
            "those that run (none)": lambda _: Found(statuses=(Status.RUNNING, Status.PAUSED)),
            "20 from the middle": lambda n: Found(application=f"application{n % _APPLICATIONS}", before_id=far_back),
        }
        for name, wanted in looks.items():
            await timed(f"list {name}", _finding(executions, wanted))
        await timed("open one", lambda n: core.services.executions.get(f"{n * 7919 % count:026d}"))


def _finding(executions: Executions, wanted: Callable[[int], Found]) -> Callable[[int], Awaitable[object]]:
    return lambda number: executions.find(wanted(number))


async def timed(name: str, look: Callable[[int], Awaitable[object]]) -> None:
    """Prints the percentiles of many looks, one after the other."""
    taken: list[float] = []
    for number in range(_LOOKS):
        began = time.perf_counter()
        await look(number)
        taken.append(time.perf_counter() - began)
    print(f"{name:36} p50 {percentile(taken, 0.5):6.2f} ms, p99 {percentile(taken, 0.99):6.2f} ms", flush=True)


async def fill(folder: Path, count: int) -> None:
    """Starts executions that wait, and waits to be killed."""
    async with running(folder, Starts(), plugins=(flow,)) as core:
        slots = asyncio.Semaphore(50)
        waits: list[Json] = [
            make.stage_json(
                str(place), *([str(place - 1)] if place else []), type="wait", waitTime=_WEEK, note="x" * 200
            )
            for place in range(_STAGES)
        ]

        async def one() -> None:
            async with slots:
                config: JsonObject = {"application": "bench", "name": "waits", "stages": waits}
                await core.services.executions.submit(Submission(config=config, trigger={}), BENCH)

        await asyncio.gather(*(one() for _ in range(count)))
        while waiting_in(folder) < count:  # noqa: ASYNC110 - what another thread writes to a file tells nobody
            await asyncio.sleep(0.5)
        print("filled", flush=True)
        await asyncio.sleep(3600)


def waiting_in(folder: Path) -> int:
    """How many executions stand at their wait: each has a task that looks again later."""
    with contextlib.closing(sqlite3.connect(folder / "gennaker.db")) as connection:
        (count,) = connection.execute(
            "SELECT count(DISTINCT execution_id) FROM outbox WHERE due IS NOT NULL AND effect LIKE '%RunTask%'"
        ).fetchone()
    return int(count)


async def recover(folder: Path) -> None:
    """Starts over a store whose process was killed."""
    began = time.perf_counter()
    async with running(folder, Starts(), plugins=(flow,)):
        print(f"{time.perf_counter() - began:.2f}", flush=True)
        await asyncio.sleep(3600)


def waiting(folder: Path, count: int) -> None:
    """Prints recovery times and memory of three processes, one after the other killed."""
    kill(started("fill", folder, count)[0])
    times: list[float] = []
    memory: list[float] = []
    for _ in range(3):
        process, said = started("recover", folder, count)
        times.append(float(said))
        memory.append(pss_megabytes(process.pid))
        kill(process)
    print(
        f"{count:,} waiting: recovered in {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f}),",
        end=" ",
    )
    print(f"{max(memory):.0f} MB PSS", flush=True)


def started(what: str, folder: Path, count: int) -> tuple["subprocess.Popen[str]", str]:
    """A process of this file, and the first line that it has printed."""
    command = [sys.executable, __file__, what, str(folder), str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    said = process.stdout.readline().strip()
    assert said, f"{what} has ended with {process.wait()}"
    return process, said


def kill(process: "subprocess.Popen[str]") -> None:
    """As a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()


def pss_megabytes(process_id: int) -> float:
    """Memory of a process, its share of what others map as well."""
    rollup = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def main(arguments: list[str]) -> None:
    """All of it, or one process of it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    if arguments and arguments[0] in {"fill", "recover"}:
        what, folder, count = arguments
        asyncio.run(fill(Path(folder), int(count)) if what == "fill" else recover(Path(folder)))
        return
    numbers = [int(one) for one in arguments] + [100_000, 10_000][len(arguments) :]
    with tempfile.TemporaryDirectory(prefix=f"gennaker-scale-{os.getpid()}-") as temporary:
        asyncio.run(stored(Path(temporary) / "stored", numbers[0]))
        waiting(Path(temporary) / "waiting", numbers[1])


if __name__ == "__main__":
    main(sys.argv[1:])
