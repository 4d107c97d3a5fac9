"""What the journal keeps in which row, as a reader of the file sees it."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gennaker.interfaces.journal import Commit, Conflict, ExecutionChange, RecordedEvent
from gennaker.model.codec import JsonObject
from gennaker.model.event import Started
from gennaker.model.execution import Authentication, Head, Stage
from gennaker.model.statuses import Status
from gennaker.store.database import NAME, Database
from gennaker.store.journal import SqliteJournal

AT = datetime(2026, 11, 24, tzinfo=UTC)


def step(version: int, context: JsonObject) -> Commit:
    head = Head(
        id="01A",
        application="shop",
        name="deliver",
        status=Status.RUNNING,
        pipeline_config_id="c1",
        trigger={"correlationId": "corr"},
        build_time=AT,
        authentication=Authentication(user="ada"),
        version=version,
    )
    stage = Stage(id="s1", ref_id="1", type="wait", name="Wait", context=context)
    event = RecordedEvent(number=version, event=Started(at=AT))
    change = ExecutionChange(
        head=head, expected_version=version - 1, stages=(stage,), events=(event,), submission_key="key"
    )
    return Commit(executions=(change,))


def commit(folder: Path, *commits: Commit, engine_version: str = "1") -> None:
    database = Database.open(folder)
    journal = SqliteJournal(database, engine_version=engine_version)

    async def run() -> None:
        for one in commits:
            await journal.commit(one)

    asyncio.run(run())
    database.close()


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / NAME)) as connection:
        return connection.execute(query).fetchall()


def test_what_is_searched_by_has_columns_of_its_own(tmp_path: Path) -> None:
    commit(tmp_path, step(1, {}), step(2, {}))

    query = """
        SELECT version, kind, application, name, config_id, status, correlation_id, submission_key, build_time
        FROM executions
    """

    assert rows(tmp_path, query) == [
        (2, "PIPELINE", "shop", "deliver", "c1", "RUNNING", "corr", "key", 1_795_478_400_000_000)
    ]


def test_events_say_which_engine_made_them(tmp_path: Path) -> None:
    commit(tmp_path, step(1, {}), engine_version="1.0")
    commit(tmp_path, step(2, {}), engine_version="1.1")

    assert rows(tmp_path, "SELECT number, engine_version FROM events ORDER BY number") == [(1, "1.0"), (2, "1.1")]


def test_a_large_value_that_is_carried_along_is_kept_once(tmp_path: Path) -> None:
    large = "x" * 100_000
    commit(tmp_path, *(step(version, {"large": large, "n": version}) for version in range(1, 20)))
    commit(tmp_path, step(20, {"large": "".join(list(large)), "n": 20}))

    assert rows(tmp_path, "SELECT length(content) FROM blobs") == [(100_002,)]
    assert rows(tmp_path, "SELECT length(body) < 500, blobs LIKE '%sha256:%' FROM stages") == [(1, 1)]


def test_a_value_of_megabytes_is_written_whole_and_once(tmp_path: Path) -> None:
    huge = "é" + "x" * 2_500_000  # neither a multiple of the pieces nor of one-byte characters
    context: JsonObject = {"huge": huge, "large": "y" * 100_000}
    commit(tmp_path, step(1, context), step(2, context))
    commit(tmp_path, step(3, {"huge": "".join(list(huge))}))

    database = Database.open(tmp_path)
    found = asyncio.run(SqliteJournal(database, engine_version="1").load("01A"))
    database.close()
    assert found is not None
    assert found.stages["s1"].context == {"huge": huge}
    assert rows(tmp_path, "SELECT length(content) FROM blobs ORDER BY 1") == [(100_002,), (2_500_004,)]


def test_a_commit_that_is_refused_leaves_no_value_of_megabytes(tmp_path: Path) -> None:
    commit(tmp_path, step(1, {}))

    with pytest.raises(Conflict):
        commit(tmp_path, step(5, {"huge": "x" * 2_000_000}))

    assert rows(tmp_path, "SELECT digest FROM blobs") == []
