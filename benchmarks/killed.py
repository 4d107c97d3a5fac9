"""One of two servers killed under full load: `python benchmarks/killed.py [URL]`.

Two processes with the whole engine over one PostgreSQL database, each with 200 executions of 10 chained tasks, 50 at a time. When
a quarter has ended one gets SIGKILL. The other has to end all that was accepted. Afterwards the database is read: every
execution ended well, each task's end is in its journal once, the outbox is empty, the audit chain whole; and the notes that
tasks made outside when they ran: only what the killed server was just doing has run twice. URL names an empty database; without one
a server of Debian's is started on this machine.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import engine
from benchmarks.stores import database

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.stages import TaskContext
from gennaker.model.event import Done, TaskResult
from gennaker.settings import StoreSettings
from gennaker.store import opening

EXECUTIONS, STAGES, AT_ONCE = 200, 10, 50
WAIT_SECONDS = 120


class Noting(engine.Starts):
    """Tasks that leave a note outside."""

    def __init__(self, notes: Path) -> None:
        """Notes are lines of this file."""
        super().__init__()
        self._file = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def run(self, context: TaskContext) -> TaskResult:
        """Which task of which execution it is."""
        os.write(self._file, f"{context.execution.head.id}/{context.stage.id}\n".encode())
        return Done()


async def serve(folder: Path, url: str) -> None:
    """Submits, and lives on until it is killed."""
    starts = Noting(folder / "notes")
    async with engine.running(folder, starts, url) as built:
        slots = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with slots:
                wanted = Submission(config=engine.pipeline(STAGES, {}), trigger={})
                await starts.ended(await built.services.executions.submit(wanted, engine.BENCH))

        async with asyncio.TaskGroup() as group:
            for _ in range(EXECUTIONS):
                group.create_task(one())
        await asyncio.Event().wait()


def wait_until(url: str, query: str, least: int, what: str) -> None:
    """Asks the database until it says as many."""
    until = time.monotonic() + WAIT_SECONDS
    with psycopg.connect(url, autocommit=True) as connection:
        while _number(connection, query) < least:
            assert time.monotonic() < until, what
            time.sleep(0.05)


def _number(connection: psycopg.Connection[tuple[Any, ...]], query: str) -> int:
    found = connection.execute(query.encode()).fetchone()
    assert found is not None
    return int(found[0])


def main(folder: Path, url: str) -> None:
    """Prints what was found."""
    opening.open_store(StoreSettings(url=url), folder, engine_version="benchmark", server="benchmark").close()
    folders = [folder / name for name in "ab"]
    for one in folders:
        one.mkdir()
    children = [subprocess.Popen([sys.executable, __file__, "serve", str(one), url]) for one in folders]
    try:
        ended = "SELECT count(*) FROM executions WHERE status = 'SUCCEEDED'"
        wait_until(url, ended, EXECUTIONS // 2, "a quarter has ended")
        children[0].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        children[0].wait()
        wait_until(url, f"SELECT ({ended}) - {EXECUTIONS}", 0, "the survivor's own have ended")
        unfinished = "SELECT -count(*) FROM executions WHERE status <> 'SUCCEEDED'"
        wait_until(url, unfinished, 0, "all that was accepted has ended well")
        seconds = time.monotonic() - killed
    finally:
        for child in children:
            child.kill()
    report(url, folders, seconds)


def report(url: str, folders: list[Path], seconds: float) -> None:
    """Checks what is there."""
    with psycopg.connect(url) as connection:
        reported = connection.execute(
            "SELECT execution_id, event::json ->> 'stage_id', count(*) FROM events"
            " WHERE event::json ->> 'type' = 'TaskReported' AND ignored = '' GROUP BY 1, 2"
        ).fetchall()
        executions = _number(connection, "SELECT count(*) FROM executions")
        left = _number(connection, "SELECT count(*) FROM outbox")
    assert len(reported) == executions * STAGES, (len(reported), executions)
    assert all(times == 1 for _, _, times in reported), [row for row in reported if row[2] > 1]
    assert left == 0, left
    verdict = opening.verify_audit(StoreSettings(url=url), folders[1])
    assert verdict.is_intact, verdict
    runs = Counter(line for one in folders for line in (one / "notes").read_text().split())
    assert len(runs) == executions * STAGES, len(runs)
    twice = [key for key, times in runs.items() if times > 1]
    assert max(runs.values()) <= 2, runs.most_common(3)
    assert len(twice) <= AT_ONCE, len(twice)
    print(
        f"{executions} executions were accepted and ended well, {seconds:.1f} s after the kill; {len(reported)} ends of tasks, "
        f"each once in the journal; {len(twice)} of them had run twice; {verdict.records} audit records, intact"
    )


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(Path(sys.argv[2]), sys.argv[3]))
    else:
        with tempfile.TemporaryDirectory() as temporary, database(sys.argv[1] if len(sys.argv) > 1 else "") as empty:
            main(Path(temporary), empty)
