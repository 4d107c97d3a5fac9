"""Durable chains beside DBOS and Temporal, on this machine in one run: `python benchmarks/peers.py [--without-postgres]`.

The same work for all: 200 executions of 10 chained steps that do nothing, 50 at a time, every step durable before the next
one begins. Gennaker on SQLite and on PostgreSQL, DBOS on both, Temporal's development server on a SQLite file; in turn, three
rounds, medians. They aren't the same product: DBOS and Temporal run the user's own code and keep what its steps have
returned; Gennaker evaluates expressions, plans stages, keeps an audit record of each task and commits what waits together.

DBOS is installed into a virtual environment of its own in a temporary folder; Temporal's program is that of the tests.
PostgreSQL is Debian's, started as a user other than root.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import engine
from tests import postgres_server, temporal_server

_EXECUTIONS, _STEPS, _AT_ONCE, _ROUNDS = 200, 10, 50, 3
_DBOS = "dbos==3.4.0"
_WITHIN_SECONDS = 600


def gennaker(folder: Path, url: str = "") -> float:
    """Task completions a second."""
    return asyncio.run(
        engine.throughput(folder, executions=_EXECUTIONS, stages=_STEPS, at_once=_AT_ONCE, context={}, url=url)
    )


def peer(python: Path, script: str, target: str) -> float:
    """What the script says."""
    command: list[str | Path] = [
        python,
        Path(__file__).parent / "peers" / script,
        target,
        *map(str, (_EXECUTIONS, _STEPS, _AT_ONCE)),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_WITHIN_SECONDS)
    return float(done.stdout.split()[-1])


def dbos_environment(folder: Path) -> Path:
    """Its Python."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _DBOS], check=True)
    return python


def main(*, with_postgres: bool) -> None:
    """Prints one line for each."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        python = dbos_environment(folder / "dbos")
        temporal = stack.enter_context(temporal_server.running())
        runs: dict[str, Callable[[int], float]] = {
            "Gennaker, SQLite": lambda number: gennaker(folder / f"gennaker-{number}"),
            "DBOS, SQLite": lambda number: peer(python, "dbos_chain.py", f"sqlite:///{folder}/dbos-{number}.sqlite"),
            "Temporal, development server": lambda _: peer(Path(sys.executable), "temporal_chain.py", temporal.address),
        }
        if with_postgres:
            server = stack.enter_context(postgres_server.running())

            def on_postgres(run: Callable[[str], float]) -> float:
                with server.database() as url:
                    return run(url)

            runs["Gennaker, PostgreSQL"] = lambda number: on_postgres(
                lambda url: gennaker(folder / f"postgres-{number}", url)
            )
            runs["DBOS, PostgreSQL"] = lambda _: on_postgres(lambda url: peer(python, "dbos_chain.py", url))
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for number in range(_ROUNDS):
            for name, run in runs.items():
                rates[name].append(run(number))
        for name, found in rates.items():
            print(f"{name:30} {statistics.median(found):8,.0f} steps/s ({min(found):,.0f} to {max(found):,.0f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-postgres", action="store_true")
    main(with_postgres=not parser.parse_args().without_postgres)
