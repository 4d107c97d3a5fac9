"""How many steps a second the journal makes durable, and how long one waits: `python benchmarks/journal.py [FOLDER]`.

A step is what the worker commits for an ended task: head, one stage, two events, one effect added and one removed, one
audit record. Every step is acknowledged after its transaction was synced (`synchronous=FULL`). FOLDER decides which
disk is measured; without one it is the temporary folder's. Beside the figures: what one fsync of 4 KB costs there.
"""

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gennaker.interfaces.journal import Commit, ExecutionChange, Journal, RecordedEvent
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.effect import PendingEffect, RunTask
from gennaker.model.event import Done, Started, TaskReported
from gennaker.model.execution import Authentication, Head, Stage, Task
from gennaker.store.database import Database
from gennaker.store.journal import SqliteJournal

AT = datetime(2026, 11, 24, tzinfo=UTC)
ROUNDS = 3


def step(name: str, number: int, context: JsonObject) -> Commit:
    """The commit of one ended task."""
    version = 2 * number
    head = Head(
        id=name,
        application="shop",
        name="deliver",
        build_time=AT,
        authentication=Authentication(user="ada"),
        initial_config={"stages": [{"type": "wait", "refId": "1"}]},
        stage_order=("s1", "s2"),
        version=version,
    )
    stage = Stage(
        id=f"s{number % 10}",
        ref_id="1",
        type="wait",
        name="Wait",
        context=context,
        tasks=(Task(id="1", name="run"), Task(id="2", name="check")),
    )
    report = TaskReported(at=AT, key=f"{name}/{number}", stage_id="s1", task_id="1", result=Done(outputs={"n": number}))
    change = ExecutionChange(
        head=head,
        expected_version=version - 2,
        stages=(stage,),
        events=(RecordedEvent(number=version - 1, event=report), RecordedEvent(number=version, event=Started(at=AT))),
    )
    return Commit(
        executions=(change,),
        effects=(PendingEffect(effect=RunTask(key=f"{name}/{number}", stage_id="s1", task_id="1"), execution_id=name),),
        dropped_effects=(f"{name}/{number - 1}",),
        audit=(AuditEntry(at=AT, actor="gennaker", action="effect.performed", subject=f"execution:{name}"),),
    )


async def executions(journal: Journal, *, concurrency: int, steps: int, context: JsonObject) -> list[float]:
    """Seconds that each step waited."""
    waits: list[float] = []

    async def run(name: str) -> None:
        for number in range(1, steps // concurrency + 1):
            commit = step(name, number, context)
            began = time.perf_counter()
            await journal.commit(commit)
            waits.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for number in range(concurrency):
            group.create_task(run(f"01EXECUTION{concurrency:03}{number:012}"))
    return waits


def measure(folder: Path, *, concurrency: int, steps: int, context: JsonObject) -> tuple[float, list[float]]:
    """Steps a second and the waits, on a fresh database."""
    shutil.rmtree(folder, ignore_errors=True)
    database = Database.open(folder)
    journal = SqliteJournal(database, engine_version="benchmark")
    began = time.perf_counter()
    waits = asyncio.run(executions(journal, concurrency=concurrency, steps=steps, context=context))
    took = time.perf_counter() - began
    database.close()
    return len(waits) / took, waits


def sync_cost(folder: Path) -> float:
    """Median seconds of writing and syncing 4 KB."""
    costs: list[float] = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            costs.append(time.perf_counter() - began)
    return statistics.median(costs)


def percentile(waits: Sequence[float], share: float) -> float:
    """Milliseconds that this share of the steps stayed below."""
    return 1000 * sorted(waits)[int(share * (len(waits) - 1))]


def main(folder: Path) -> None:
    """Prints one line a case: the median of the rounds."""
    print(f"fsync of 4 KB: {1000 * sync_cost(folder):.2f} ms")
    small: JsonObject = {"waitTime": 1, "note": "x" * 200}
    large: JsonObject = {"waitTime": 1, "report": "x" * 10_000_000}
    cases = (
        ("50 at a time", 50, 20_000, small),
        ("1 at a time", 1, 3_000, small),
        ("50 at a time, 10 MB carried", 50, 5_000, large),
    )
    for name, concurrency, steps, context in cases:
        rounds = [
            measure(folder / "data", concurrency=concurrency, steps=steps, context=context) for _ in range(ROUNDS)
        ]
        rate, waits = sorted(rounds, key=lambda one: one[0])[len(rounds) // 2]
        print(
            f"{name:28} {rate:8,.0f} steps/s   "
            f"p50 {percentile(waits, 0.5):7.2f} ms   p99 {percentile(waits, 0.99):7.2f} ms"
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        main(Path(temporary))
