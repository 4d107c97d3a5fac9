"""What a step costs in a large execution: many stages, and 10 MB of context.

Run: `python benchmarks/contexts.py [FOLDER]`. The worker over the real store as in `engine.py`, one execution at a time, a chain of
stages with one no-op task each. A step is from a task's report to the start of the next stage's: two commits, the look at
what follows, the plan and the evaluation of the stage's context. CPU is that of all threads from the first task to the last.
"""

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import engine

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.stages import TaskContext
from gennaker.model.codec import JsonObject
from gennaker.model.event import TaskResult
from gennaker.worker import core

_MEGABYTES = 10
_ROUNDS = 5


class Timed(engine.Starts):
    """Also counts CPU between the first and the last task."""

    def __init__(self) -> None:
        """Nothing has started."""
        super().__init__()
        self.cpu: list[float] = []

    async def run(self, context: TaskContext) -> TaskResult:
        """As it is, with the CPU used so far."""
        self.cpu.append(time.process_time())
        return await super().run(context)


def small(stages: int) -> JsonObject:
    """Stages with a note of 200 characters."""
    return engine.pipeline(stages, {"note": "x" * 200})


def spread(stages: int) -> JsonObject:
    """10 MB over all stages, in small values, and an expression in each."""
    each = _MEGABYTES * 1_000_000 // stages // 100
    values: JsonObject = {f"key{number}": "x" * 90 for number in range(each)}
    return engine.pipeline(stages, {"values": values, "what": "${execution.name}"})


def heavy(stages: int) -> JsonObject:
    """10 MB of small values in the first stage, and a stage after it that reads one of them; the others are small."""
    made = engine.pipeline(stages, {"note": "x" * 200})
    found = made["stages"]
    assert isinstance(found, list)
    first, second = found[0], found[1]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    first["values"] = {f"key{number}": "x" * 90 for number in range(_MEGABYTES * 10_000)}
    second["what"] = "${#stage('stage 0').context.values.key7}"
    return made


async def _one(built: core.Core, starts: Timed, pipeline: JsonObject) -> tuple[float, float]:
    """Milliseconds of a step (median) and of CPU for each."""
    starts.gaps.clear()
    starts.cpu.clear()
    execution = await built.services.executions.submit(Submission(config=pipeline, trigger={}), engine.BENCH)
    await starts.ended(execution)
    steps = len(starts.cpu) - 1
    return statistics.median(starts.gaps) * 1000, (starts.cpu[-1] - starts.cpu[0]) / steps * 1000


async def measure(folder: Path) -> None:
    """Prints one line a case: the median of the rounds."""
    starts = Timed()
    async with engine.running(folder, starts) as built:
        await _one(built, starts, small(100))
        for name, make, stages, rounds in (
            ("10 stages", small, 10, _ROUNDS * 4),
            ("1,000 stages", small, 1000, _ROUNDS),
            ("10 stages, 10 MB over all", spread, 10, _ROUNDS),
            ("1,000 stages, 10 MB over all", spread, 1000, _ROUNDS),
            ("100 stages, 10 MB in the first", heavy, 100, _ROUNDS),
            ("1,000 stages, 10 MB in the first", heavy, 1000, _ROUNDS),
        ):
            found = [await _one(built, starts, make(stages)) for _ in range(rounds)]
            step, cpu = (statistics.median(one) for one in zip(*found, strict=True))
            print(f"{name}: {step:.2f} ms a step (median), {cpu:.2f} ms CPU", flush=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # as the server does (app.py)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as temporary:
        asyncio.run(measure(Path(temporary)))
