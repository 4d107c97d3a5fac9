"""Small reads on the loop: they see what is committed, change nothing, and what isn't small is read by a thread after all."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from tests import stores

from gennaker.interfaces.journal import Commit, ExecutionChange
from gennaker.model import codec
from gennaker.model.execution import Authentication, Head, Stage
from gennaker.model.problems import Problem, Refused
from gennaker.store import here, journal_reads
from gennaker.store.database import Database
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.documents import DatabaseDocuments
from gennaker.store.failures import StoreUnusable
from gennaker.store.here import ROW_BYTES
from gennaker.store.journal_reads import SMALL_STAGES
from gennaker.store.searches import DatabaseSearches
from gennaker.store.transactions import direct
from gennaker.worker.clock import SystemClock

AT = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


async def looked(database: Database, statement: str) -> tuple[Any, bool]:
    """The first value, and whether the loop's thread has read it at last."""

    def look(connection: Connection) -> tuple[Any, int]:
        row = direct(connection).execute(statement).fetchone()
        return row and row[0], threading.get_ident()

    value, thread = await database.read(look, is_small=True)
    return value, thread == threading.get_ident()


def test_what_is_small_is_read_on_the_loop_as_it_was_written_last(database: Database) -> None:
    async def check() -> None:
        documents = DatabaseDocuments(database, "things")
        for version in (1, 2):
            await documents.put("a", {"version": version})
            assert await looked(database, "SELECT version FROM documents") == (version, True)

    asyncio.run(check())


def test_a_large_row_is_left_to_a_thread(database: Database) -> None:
    async def check() -> None:
        documents = DatabaseDocuments(database, "things")
        await documents.put("large", {"text": "x" * ROW_BYTES})
        _, is_here = await looked(database, "SELECT body FROM documents")
        assert not is_here
        found = await documents.get("large")
        assert found is not None
        assert found.body == {"text": "x" * ROW_BYTES}

    asyncio.run(check())


def test_what_takes_long_is_left_to_a_thread(database: Database) -> None:
    counting = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) FROM n"
    )

    async def check() -> None:
        assert await looked(database, counting) == (1_000_000, False)
        assert await looked(database, "SELECT 1") == (1, True)

    asyncio.run(check())


def test_a_look_changes_nothing(database: Database) -> None:
    async def check() -> None:
        with pytest.raises(StoreUnusable):
            await looked(database, "DELETE FROM documents")

    asyncio.run(check())


def test_a_look_that_raises_leaves_no_moment_behind(database: Database) -> None:
    def look(connection: Connection) -> None:
        unread = direct(connection).execute("SELECT 1 FROM migrations")
        assert unread.fetchone() == (1,)
        raise Refused(Problem(code="test.refused", message="No."))

    async def check() -> None:
        with pytest.raises(Refused) as kept:
            await database.read(look, is_one_statement=True, is_small=True)
        await DatabaseDocuments(database, "things").put("a", {})
        assert await looked(database, "SELECT count(*) FROM documents") == (1, True)
        assert kept.value.problems[0].code == "test.refused"

    asyncio.run(check())


@pytest.mark.parametrize("stages", [SMALL_STAGES - 10, SMALL_STAGES + 10])
def test_an_execution_is_loaded_whether_it_is_small_or_not(
    database: Database, stages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(here, "SECONDS", 60.0)  # the size decides, not how busy the machine is
    threads: list[int] = []
    load = journal_reads.load

    def watched(*given: Any, **options: Any) -> Any:
        found = load(*given, **options)
        threads.append(threading.get_ident())
        return found

    monkeypatch.setattr(journal_reads, "load", watched)

    async def check() -> None:
        head = Head(id="e1", application="shop", build_time=AT, authentication=Authentication(user="ada"), version=1)
        made = tuple(Stage(id=f"s{n}", ref_id=str(n), type="wait", name="Wait") for n in range(stages))
        change = ExecutionChange(head=head, expected_version=0, stages=made)
        journal = stores.journal_of(database)
        await journal.commit(Commit(executions=(change,)))

        (found,) = await DatabaseSearches(database).several(["e1"])

        assert found == await journal.load("e1")
        assert len(found.stages) == stages
        assert (threads[0] == threading.get_ident()) is (stages <= SMALL_STAGES)

    asyncio.run(check())


@pytest.mark.parametrize(("count", "is_here"), [(3, True), (30, False)])
def test_many_small_rows_are_decoded_in_a_thread(
    database: Database, count: int, is_here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(here, "SECONDS", 60.0)
    threads: set[int] = set()
    decode = codec.decode

    def watched(*given: Any) -> Any:
        threads.add(threading.get_ident())
        return decode(*given)

    async def check() -> None:
        documents, definitions = DatabaseDocuments(database, "things"), DatabaseDefinitions(database, SystemClock())
        body: codec.JsonObject = {"text": "x" * (ROW_BYTES // 2)}
        for number in range(count):
            await documents.put(f"{number:02}", body)
            await definitions.save("pipeline", "p", body, author="ada")
        monkeypatch.setattr(codec, "decode", watched)

        listed = await documents.list()
        assert [(one.key, one.body) for one in listed] == [(f"{number:02}", body) for number in range(count)]
        assert (threading.get_ident() in threads) is is_here

        threads.clear()
        revisions = await definitions.history("pipeline", "p", count)
        assert [(one.revision, one.body) for one in revisions] == [(number, body) for number in range(count, 0, -1)]
        assert (threading.get_ident() in threads) is is_here

    asyncio.run(check())
