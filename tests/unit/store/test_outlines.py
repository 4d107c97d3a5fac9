"""Outlines: what of a head is written with every step, and what only when it has changed."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from tests.unit.store.test_migrations import take_back_searching

from gennaker.interfaces.journal import Commit, ExecutionChange
from gennaker.model import codec
from gennaker.model.execution import Authentication, Head
from gennaker.model.statuses import Status
from gennaker.store import outlines
from gennaker.store.database import NAME, Database
from gennaker.store.journal import SqliteJournal

HEAD = Head(
    id="e1",
    application="shop",
    name="deliver",
    build_time=datetime(2026, 11, 28, tzinfo=UTC),
    authentication=Authentication(user="ada"),
    trigger={"type": "manual"},
    initial_config={"stages": []},
    version=1,
)


def test_both_parts_make_the_head_again() -> None:
    head = msgspec.structs.replace(HEAD, status=Status.RUNNING, is_canceled=True, stage_order=("a", "b"))

    parts = [codec.decode_json(codec.encode(part)) for part in (outlines.outline(head), outlines.moving(head))]

    assert msgspec.convert(outlines.together(*parts), Head) == head


def test_every_field_of_a_head_is_in_one_of_the_parts() -> None:
    fields = [*outlines.Outline.__struct_fields__, *outlines.Moving.__struct_fields__]

    assert sorted(fields) == sorted(Head.__struct_fields__)


def test_an_outline_is_the_same_as_long_as_nothing_of_it_was_exchanged() -> None:
    moved = msgspec.structs.replace(HEAD, status=Status.RUNNING, version=2)
    reordered = msgspec.structs.replace(HEAD, stage_order=("a",))

    assert outlines.is_same(HEAD, moved)
    assert not outlines.is_same(HEAD, reordered)


def test_a_step_that_changes_no_written_none(tmp_path: Path) -> None:
    moved = msgspec.structs.replace(HEAD, status=Status.RUNNING, version=2)
    ordered = msgspec.structs.replace(moved, stage_order=("a",), name="renamed", version=3)

    async def steps() -> list[Head]:
        database = Database.open(tmp_path)
        journal = SqliteJournal(database, engine_version="test")
        loaded = []
        before: Head | None = None
        for head in (HEAD, moved, ordered):
            expected = before.version if before else 0
            change = ExecutionChange(head=head, head_before=before, expected_version=expected)
            await journal.commit(Commit(executions=(change,)))
            written.append(outline(tmp_path))
            found = await journal.load("e1")
            assert found is not None
            loaded.append(found.head)
            before = head
        database.close()
        return loaded

    written: list[str] = []

    assert asyncio.run(steps()) == [HEAD, moved, ordered]
    assert written[0] == written[1] != written[2]
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        assert connection.execute("SELECT name, status FROM executions").fetchall() == [("renamed", "RUNNING")]


def outline(folder: Path) -> str:
    with closing(sqlite3.connect(folder / NAME)) as connection:
        (body,) = connection.execute("SELECT body FROM outlines").fetchone()
    return str(body)


def test_a_database_of_before_the_heads_were_split_is_read_and_written_on(tmp_path: Path) -> None:
    Database.open(tmp_path).close()
    old = msgspec.structs.replace(HEAD, is_canceled=True, canceled_by="bob", cancellation_reason="enough")
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        take_back_searching(connection)
        connection.execute("DROP TABLE outlines")
        connection.execute("DROP INDEX definitions_of_application")
        connection.execute("DELETE FROM migrations WHERE number >= 3")
        connection.execute(
            "INSERT INTO executions (id, version, kind, application, name, status, build_time, head)"
            " VALUES ('e1', 1, 'PIPELINE', 'shop', 'deliver', 'NOT_STARTED', 0, ?)",
            (codec.encode(old).decode(),),
        )
        connection.commit()

    async def go_on() -> tuple[Head, Head]:
        database = Database.open(tmp_path)
        journal = SqliteJournal(database, engine_version="test")
        found = await journal.load("e1")
        assert found is not None
        restarted = msgspec.structs.replace(
            found.head, is_canceled=False, canceled_by=None, cancellation_reason=None, version=2
        )
        change = ExecutionChange(head=restarted, head_before=found.head, expected_version=1)
        await journal.commit(Commit(executions=(change,)))
        again = await journal.load("e1")
        assert again is not None
        database.close()
        return found.head, again.head

    before, after = asyncio.run(go_on())

    assert before == old
    assert after == msgspec.structs.replace(HEAD, version=2)
