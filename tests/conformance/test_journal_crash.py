"""A journal on disk whose process is killed: every acknowledged commit is there, none is there in part."""

import asyncio
import os
import random  # noqa: TID251 - dice choose the moments of the kills; their seed is printed
import select
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import psycopg
import pytest
from tests import waiting

from gennaker.interfaces.journal import Journal
from gennaker.model.queue import Queue
from gennaker.settings import StoreSettings
from gennaker.store import opening
from gennaker.store.audit import DatabaseAuditTrail

COMMITTER = """
import asyncio, itertools, sys
from datetime import datetime, timezone
from pathlib import Path
from gennaker.interfaces.journal import Commit, ExecutionChange, RecordedEvent
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import PendingEffect, RunTask
from gennaker.model.event import Started
from gennaker.model.execution import Authentication, Head, Stage
from gennaker.model.queue import Queue
from gennaker.settings import StoreSettings
from gennaker.store import opening

AT = datetime(2026, 11, 24, tzinfo=timezone.utc)
LARGE = "x" * 40_000

def step(name, version):
    head = Head(id=name, application="shop", build_time=AT, authentication=Authentication(user="ada"), version=version)
    stage = Stage(id="s", ref_id="1", type="wait", name="s", context={"version": version, "large": LARGE + str(version % 7)})
    effect = PendingEffect(effect=RunTask(key=f"{name}/{version}", stage_id="s", task_id="1"), execution_id=name)
    return Commit(
        executions=(ExecutionChange(head=head, expected_version=version - 1, stages=(stage,),
                                    events=(RecordedEvent(number=version, event=Started(at=AT)),)),),
        queues=(Queue(key=name, version=version),),
        effects=(effect,),
        dropped_effects=(f"{name}/{version - 1}",),
        audit=(AuditEntry(at=AT, actor="ada", action="step", subject=f"{name}/{version}"),),
    )

async def run(journal, name):
    for version in itertools.count((await journal.load_queue(name)).version + 1):
        await journal.commit(step(name, version))
        print(name, version, flush=True)

async def main():
    settings = StoreSettings(url=sys.argv[2], lease_seconds=60)
    store = opening.open_store(settings, Path(sys.argv[1]), engine_version="1", server="committer")
    await asyncio.gather(*(run(store.journal, f"e{number}-{sys.argv[3]}") for number in range(8)))

asyncio.run(main())
"""
ROUNDS = 6
FEWEST, MOST = 20, 300
"""Commits that were acknowledged when the kill comes."""


def committed_until_killed(folder: Path, url: str, life: str, count: int) -> dict[str, int]:
    """The newest acknowledged version of each execution. Killed after so many commits, at a moment that nothing in the child knows of."""
    command = [sys.executable, "-c", COMMITTER, str(folder), url, life]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    output = b""
    try:
        while output.count(b"\n") < count:
            ready, _, _ = select.select([child.stdout], [], [], waiting.IN_VAIN_SECONDS)
            said = os.read(child.stdout.fileno(), 65_536) if ready else b""
            assert said, "the child commits nothing more"
            output += said
    finally:
        os.kill(child.pid, signal.SIGKILL)
    output += child.communicate(timeout=waiting.IN_VAIN_SECONDS)[0]
    assert child.returncode == -signal.SIGKILL
    if url:
        until_nobody_works_for_it(url)
    acknowledged: dict[str, int] = {}
    # The last line may have been cut off by the kill.
    for line in output.decode().splitlines(keepends=True):
        if line.endswith("\n"):
            name, version = line.split()
            acknowledged[name] = int(version)
    return acknowledged


def until_nobody_works_for_it(url: str) -> None:
    """PostgreSQL brings to its end what it has begun for a client, also for one that is dead by then."""
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        waiting.until_seen(lambda: connection.execute(others).fetchone() == (0,), "the dead client's sessions to end")


@pytest.fixture(params=["", pytest.param("postgres_url", marks=pytest.mark.debian)], ids=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """What the setting store.url says."""
    return str(request.getfixturevalue(request.param)) if request.param else ""


@pytest.mark.slow
def test_acknowledged_commits_survive_a_kill_at_any_moment(tmp_path: Path, url: str) -> None:
    seed = random.randrange(1_000_000)
    print("seed", seed)  # noqa: T201 - shown when the test fails
    dice = random.Random(seed)
    newest: dict[str, int] = {}
    for life in range(ROUNDS):
        # With PostgreSQL the executions of a killed server are its own until its lease ends: each life has others.
        own = str(life) if url else "all"
        newest |= committed_until_killed(tmp_path, url, own, dice.randint(FEWEST, MOST))

        store = opening.open_store(StoreSettings(url=url), tmp_path, engine_version="1", server="test")
        journal = store.journal
        for name, version in newest.items():
            asyncio.run(check(journal, name, version))
        pending = {one.effect.key for one in asyncio.run(journal.pending())}
        lives = [str(one) for one in range(life + 1)] if url else ["all"]
        queues = [asyncio.run(journal.load_queue(f"e{number}-{one}")) for number in range(8) for one in lives]
        verdict = asyncio.run(DatabaseAuditTrail(store.database).verify())
        store.close()

        assert pending == {f"{queue.key}/{queue.version}" for queue in queues if queue.version}
        assert verdict.is_intact
        assert verdict.records == sum(queue.version for queue in queues)
    assert sum(newest.values()) >= ROUNDS * FEWEST


async def check(journal: Journal, name: str, acknowledged: int) -> None:
    """All rows of the execution are of one version, at least the acknowledged one."""
    execution = await journal.load(name)
    assert execution is not None
    version = execution.head.version
    assert version >= acknowledged
    assert execution.stages["s"].context["version"] == version
    assert str(execution.stages["s"].context["large"]).endswith("x" + str(version % 7))
    assert [event.number for event in await journal.events(name)] == list(range(1, version + 1))
    assert msgspec.structs.replace(await journal.load_queue(name), numbers={}) == Queue(key=name, version=version)
