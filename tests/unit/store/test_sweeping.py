"""Sweeping: large values of deleted executions go at the next start, those that others share stay."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from gennaker.interfaces.journal import Commit, ExecutionChange, RecordedEvent
from gennaker.model.codec import JsonObject
from gennaker.model.event import Started
from gennaker.model.execution import Authentication, Head, Stage
from gennaker.model.statuses import Status
from gennaker.settings import StoreSettings
from gennaker.store import opening, sweeping
from gennaker.store.database import NAME
from gennaker.store.opening import OpenStore

AT = datetime(2026, 11, 24, tzinfo=UTC)
OWN, SHARED = "o" * 40_000, "s" * 40_000


def commit(execution_id: str, **context: str) -> Commit:
    head = Head(
        id=execution_id,
        application="shop",
        name="deliver",
        status=Status.SUCCEEDED,
        build_time=AT,
        authentication=Authentication(user="ada"),
        version=1,
    )
    held: JsonObject = {**context}
    stage = Stage(id="s1", ref_id="1", type="wait", name="Wait", context=held)
    event = RecordedEvent(number=1, event=Started(at=AT))
    change = ExecutionChange(
        head=head, expected_version=0, stages=(stage,), events=(event,), submission_key=execution_id
    )
    return Commit(executions=(change,))


def opened(folder: Path, *, server: str = "s") -> OpenStore:
    return opening.open_store(StoreSettings(), folder, engine_version="1", server=server)


def stored(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / NAME)) as connection:
        return {content.decode()[1] for (content,) in connection.execute("SELECT content FROM blobs")}


def filled(folder: Path) -> None:
    """Two executions share a value; the first is deleted."""
    store = opened(folder)

    async def run() -> None:
        await store.journal.commit(commit("01A", own=OWN, shared=SHARED))
        await store.journal.commit(commit("01B", shared=SHARED))
        await store.journal.delete("01A", ())

    asyncio.run(run())
    store.close()


def test_what_only_a_deleted_execution_had_goes_at_the_next_start(tmp_path: Path) -> None:
    filled(tmp_path)
    assert stored(tmp_path) == {"o", "s"}

    opened(tmp_path).close()

    assert stored(tmp_path) == {"s"}
    store = opened(tmp_path)
    loaded = asyncio.run(store.journal.load("01B"))
    store.close()
    assert loaded is not None
    assert loaded.stages["s1"].context == {"shared": SHARED}


def test_whoever_only_looks_removes_nothing(tmp_path: Path) -> None:
    filled(tmp_path)

    opened(tmp_path, server="").close()

    assert stored(tmp_path) == {"o", "s"}


def test_nothing_is_looked_for_unless_something_was_deleted(tmp_path: Path) -> None:
    filled(tmp_path)

    assert sweeping.sweep(tmp_path / NAME) == 1
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute("INSERT INTO blobs VALUES ('sha256:x', '1')")
    assert sweeping.sweep(tmp_path / NAME) == 0


def test_many_go_at_several_starts(tmp_path: Path) -> None:
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.executemany("INSERT INTO blobs VALUES (?, '1')", [(f"sha256:{number}",) for number in range(3)])

    assert [sweeping.sweep(tmp_path / NAME, at_most=3) for _ in range(3)] == [3, 1, 0]
