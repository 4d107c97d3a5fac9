"""SQLite and PostgreSQL side by side: `python benchmarks/stores.py [URL]`.

The whole engine (benchmarks/engine.py: 200 executions of 10 chained no-op stages, 50 at a time) on both, and the journal alone
(the steps of benchmarks/journal.py, 50 at a time) on both, in turn. Every commit is synced before it is answered. Beside each
rate the CPU that this process needed for each; PostgreSQL's own is not in it. URL names an empty PostgreSQL database; without one
a server of Debian's is started on this machine, and its processes share the cores.
"""

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import engine
from benchmarks import journal as journal_benchmark
from tests import postgres_server

from gennaker.model.codec import JsonObject
from gennaker.settings import StoreSettings
from gennaker.store import opening

EXECUTIONS, STAGES, AT_ONCE, STEPS, ROUNDS = 200, 10, 50, 20_000, 3
CONTEXT: JsonObject = {"waitTime": 1, "note": "x" * 200}


class Figures(msgspec.Struct, frozen=True):
    """What a run took."""

    rate: float
    """Tasks or steps a second."""
    microseconds: float
    """CPU of this process for each."""


def whole_engine(url: str, folder: Path) -> Figures:
    """Task completions, each durable, by submission, expressions, planning, journal, outbox and audit."""
    worked = time.process_time()
    run = engine.throughput(
        folder, executions=EXECUTIONS, stages=STAGES, at_once=AT_ONCE, context={"note": "x" * 200}, url=url
    )
    rate = asyncio.run(run)
    return Figures(rate, 1e6 * (time.process_time() - worked) / (EXECUTIONS * STAGES))


def journal_alone(url: str, folder: Path) -> Figures:
    """Steps as a task's end makes them."""
    store = opening.open_store(StoreSettings(url=url), folder, engine_version="benchmark", server="benchmark")
    try:
        began, worked = time.perf_counter(), time.process_time()
        steps = journal_benchmark.executions(store.journal, concurrency=AT_ONCE, steps=STEPS, context=CONTEXT)
        done = len(asyncio.run(steps))
        return Figures(done / (time.perf_counter() - began), 1e6 * (time.process_time() - worked) / done)
    finally:
        store.close()


@contextlib.contextmanager
def database(given: str) -> Iterator[str]:
    """The address of an empty database."""
    if given:
        yield given
        return
    with postgres_server.running() as started, started.database() as url:
        yield url


def measured(case: Callable[[str, Path], Figures], url: str) -> Figures:
    """In a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return case(url, Path(folder))


def main(given: str) -> None:
    """Prints one line a case: the median of the rounds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {ROUNDS} rounds, each case in each")
    rounds: dict[str, list[Figures]] = {}
    for _ in range(ROUNDS):
        for name, case in (("engine", whole_engine), ("journal", journal_alone)):
            rounds.setdefault(f"{name} on SQLite", []).append(measured(case, ""))
            with database(given) as url:
                rounds.setdefault(f"{name} on PostgreSQL", []).append(measured(case, url))
    for name, figures in rounds.items():
        rates = sorted(one.rate for one in figures)
        cpu = sorted(one.microseconds for one in figures)[ROUNDS // 2]
        print(
            f"{name:24} {rates[ROUNDS // 2]:8,.0f} a second ({rates[0]:,.0f} to {rates[-1]:,.0f}), "
            f"{cpu:5.0f} µs of this process's CPU each"
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
