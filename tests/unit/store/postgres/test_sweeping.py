"""Sweeping of a shared database: only while no server is there."""

import asyncio
from pathlib import Path

import pytest
from tests import make

from gennaker.interfaces.journal import Commit, ExecutionChange, RecordedEvent
from gennaker.model.event import Started
from gennaker.model.execution import Stage
from gennaker.model.statuses import Status
from gennaker.settings import StoreSettings
from gennaker.store import opening
from gennaker.store.opening import OpenStore
from gennaker.store.postgres import sweeping
from gennaker.store.postgres.database import connect

pytestmark = pytest.mark.debian
OWN, SHARED = "o" * 40_000, "s" * 40_000


def commit(execution_id: str, **context: str) -> Commit:
    head = make.head(id=execution_id, status=Status.SUCCEEDED, version=1)
    stage = Stage(id="s1", ref_id="1", type="wait", name="Wait", context={**context})
    event = RecordedEvent(number=1, event=Started(at=make.AT))
    change = ExecutionChange(
        head=head, expected_version=0, stages=(stage,), events=(event,), submission_key=execution_id
    )
    return Commit(executions=(change,))


def opened(url: str, folder: Path) -> OpenStore:
    return opening.open_store(StoreSettings(url=url), folder, engine_version="1", server="s")


def stored(url: str) -> set[str]:
    with connect(url) as connection:
        return {bytes(content).decode()[1] for (content,) in connection.execute("SELECT content FROM blobs")}


def test_what_only_a_deleted_execution_had_goes_at_a_start_without_other_servers(
    postgres_url: str, tmp_path: Path
) -> None:
    store = opened(postgres_url, tmp_path)

    async def run() -> None:
        await store.journal.commit(commit("01A", own=OWN, shared=SHARED))
        await store.journal.commit(commit("01B", shared=SHARED))
        await store.journal.delete("01A", ())

    asyncio.run(run())
    while_it_runs = sweeping.sweep(postgres_url)
    kept = stored(postgres_url)
    store.close()
    opened(postgres_url, tmp_path).close()

    assert (while_it_runs, kept) == (0, {"o", "s"})
    assert stored(postgres_url) == {"s"}
    assert sweeping.sweep(postgres_url) == 0
