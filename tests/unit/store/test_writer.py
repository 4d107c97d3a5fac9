"""The writer: many changes in one transaction, each with its own answer."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from structlog.testing import capture_logs

from gennaker.store import tables
from gennaker.store.batches import driver
from gennaker.store.database import NAME, Database
from gennaker.store.failures import StoreUnusable
from gennaker.store.rows import CommitRows
from gennaker.store.writer import Job, Writer


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def adding(key: str, after: Callable[[], None] = lambda: None) -> Callable[[Connection], str]:
    """A change that adds a queue's row and then does something else."""

    def change(connection: Connection) -> str:
        connection.execute(tables.queues.insert().values(key=key, version=1, body="{}"))
        after()
        return key

    return change


def keys(database: Database) -> set[str]:
    """What is durable, seen from outside."""
    with closing(sqlite3.connect(database.folder / NAME)) as connection:
        return {key for (key,) in connection.execute("SELECT key FROM queues")}


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_change_is_durable_when_write_returns(database: Database) -> None:
    async def check() -> None:
        assert await database.write(adding("a")) == "a"
        assert keys(database) == {"a"}

    asyncio.run(check())


def test_a_change_that_fails_is_undone_alone(database: Database) -> None:
    async def check() -> None:
        answers = await asyncio.gather(
            database.write(adding("a")),
            database.write(adding("b", raising(KeyError("b")))),
            database.write(adding("a")),
            database.write(adding("c")),
            return_exceptions=True,
        )

        assert (answers[0], answers[3]) == ("a", "c")
        assert isinstance(answers[1], KeyError)
        assert "UNIQUE" in str(answers[2])

    asyncio.run(check())
    assert keys(database) == {"a", "c"}


def test_what_waits_shares_one_transaction(database: Database) -> None:
    seen: list[int] = []

    def count(connection: Connection) -> None:
        seen.append(len(connection.execute(select(tables.queues.c.key)).all()))
        with closing(sqlite3.connect(database.folder / NAME)) as outside:
            seen.append(outside.execute("SELECT count(*) FROM queues").fetchone()[0])

    async def check() -> None:
        gate = threading.Event()
        first = asyncio.ensure_future(database.write(lambda _: gate.wait(600)))  # noqa: TID251 - awaited below
        await asyncio.sleep(0)
        others = asyncio.gather(*(database.write(adding(str(number))) for number in range(20)), database.write(count))
        await asyncio.sleep(0)
        gate.set()
        await first
        await others

    asyncio.run(check())
    assert seen == [20, 0], "inside the transaction all twenty are there, outside none"
    assert len(keys(database)) == 20


def test_a_lost_transaction_is_made_again_change_by_change(database: Database) -> None:
    """SQLite rolls the whole transaction back by itself when the disk is full."""
    calls: list[str] = []

    def losing(connection: Connection) -> None:
        calls.append("losing")
        driver(connection).execute("ROLLBACK")
        raise OSError(28, "No space left on device")

    async def check() -> None:
        gate = threading.Event()
        first = asyncio.ensure_future(database.write(lambda _: gate.wait(600)))  # noqa: TID251 - awaited below
        await asyncio.sleep(0)
        others = asyncio.gather(
            database.write(adding("a")), database.write(losing), database.write(adding("b")), return_exceptions=True
        )
        await asyncio.sleep(0)
        gate.set()
        await first
        answers = await others

        assert (answers[0], answers[2]) == ("a", "b")
        assert isinstance(answers[1], StoreUnusable)
        assert answers[1].problem.code == "store.full"

    asyncio.run(check())
    assert keys(database) == {"a", "b"}
    assert calls == ["losing", "losing"]


def refusing(*statements: str) -> Callable[[Connection], None]:
    """A change after which the database refuses each of these once."""
    left = [*statements]

    def judge(action: int, said: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_TRANSACTION and said in left:
            left.remove(said)
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    return lambda connection: driver(connection).set_authorizer(judge)


@pytest.mark.parametrize("is_commit", [True, False])
def test_nothing_is_written_into_a_transaction_that_could_not_be_rolled_back(
    database: Database, *, is_commit: bool
) -> None:
    added = CommitRows(
        blobs=[], executions=[], queues=[("b", 1, "{}")], dropped=[], effects=[], handed_over=[], audit=()
    )

    async def check() -> None:
        with pytest.raises(StoreUnusable):
            await database.write(refusing("COMMIT", "ROLLBACK"))

        await (database.commit(added) if is_commit else database.write(adding("b")))

    with capture_logs() as logs:
        asyncio.run(check())
    assert keys(database) == {"b"}
    assert [line["event"] for line in logs] == ["store.not_rolled_back"]


def test_a_transaction_that_stays_open_has_every_change_refused(database: Database) -> None:
    async def check() -> None:
        await database.write(refusing("COMMIT", *["ROLLBACK"] * 3))

    async def others() -> None:
        with pytest.raises(StoreUnusable):
            await database.write(adding("b"))
        await database.write(adding("c"))

    with capture_logs():
        with pytest.raises(StoreUnusable):
            asyncio.run(check())
        asyncio.run(others())
    assert keys(database) == {"c"}


def test_a_cancelled_caller_gives_up_the_answer_not_the_change(database: Database) -> None:
    async def check() -> None:
        gate = threading.Event()
        first = asyncio.ensure_future(database.write(lambda _: gate.wait(600)))  # noqa: TID251 - awaited below
        second = asyncio.ensure_future(database.write(adding("a")))  # noqa: TID251 - awaited below
        await asyncio.sleep(0)
        second.cancel()
        gate.set()
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
        await database.write(adding("b"))

    asyncio.run(check())
    assert keys(database) == {"a", "b"}


def test_one_database_serves_several_loops(database: Database) -> None:
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda key=key: answers.append(asyncio.run(database.write(adding(key)))))
        for key in "abcdef"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)

    assert sorted(answers) == list("abcdef")
    assert keys(database) == set("abcdef")


def test_closing_finishes_what_was_handed_over(tmp_path: Path) -> None:
    database = Database.open(tmp_path)

    async def check() -> None:
        writes = asyncio.gather(*(database.write(adding(str(number))) for number in range(50)))
        await asyncio.sleep(0)
        database.close()
        assert len(await writes) == 50
        with pytest.raises(RuntimeError, match="closed"):
            await database.write(adding("late"))

    asyncio.run(check())
    assert len(keys(database)) == 50


def test_a_reader_sees_one_moment(database: Database) -> None:
    started, written = threading.Event(), threading.Event()

    def look(connection: Connection) -> list[int]:
        def count() -> int:
            return len(connection.execute(select(tables.queues.c.key)).all())

        before = count()
        started.set()
        assert written.wait(600)
        return [before, count()]

    async def check() -> None:
        reading = asyncio.ensure_future(database.read(look))  # noqa: TID251 - awaited below
        await asyncio.to_thread(started.wait, 5)
        await database.write(adding("a"))
        written.set()
        assert await reading == [0, 0]

    asyncio.run(check())


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreUnusable, match="may not write"):
        asyncio.run(database.read(adding("a")))

    assert keys(database) == set()


class Faulty:
    """Breaks its promise where the change says so: raises instead of giving each job its answer."""

    def commit(self, batch: list[Job[object]]) -> None:
        for job in batch:
            job.result = job.change(None)  # type: ignore[arg-type]  # these changes need no connection


def test_a_fault_in_writing_is_an_answer_and_keeps_nobody_waiting() -> None:
    writer = Writer(Faulty(), lambda: None)

    async def check() -> None:
        async with asyncio.timeout(600):
            with pytest.raises(LookupError, match="a fault"):
                await writer.write(lambda _: raising(LookupError("a fault"))())
            assert await writer.write(lambda _: "the next") == "the next"

    with capture_logs() as logs:
        asyncio.run(check())
        writer.close()
    assert [line["event"] for line in logs] == ["store.fault"]


class FaultyLater:
    """Breaks it when the first of a lot is durable."""

    def commit(self, batch: list[Job[object]]) -> None:
        first, *others = batch
        first.result, first.is_durable = first.change(None), True  # type: ignore[arg-type]  # as above
        if others:
            raise LookupError("a fault")


def test_a_fault_is_no_answer_to_those_whose_change_is_durable() -> None:
    writer = Writer(FaultyLater(), lambda: None)
    began, gate = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        began.set()
        assert gate.wait(600)

    async def check() -> None:
        first = asyncio.ensure_future(writer.write(hold))  # noqa: TID251 - awaited below
        assert await asyncio.to_thread(began.wait, 60)
        both = asyncio.gather(writer.write(lambda _: "durable"), writer.write(lambda _: "lost"), return_exceptions=True)
        await asyncio.sleep(0)
        gate.set()
        await first
        durable, lost = await both
        assert (durable, repr(lost)) == ("durable", "LookupError('a fault')")

    with capture_logs():
        asyncio.run(check())
        writer.close()


def test_a_fault_after_a_commit_costs_no_answer() -> None:
    faults = iter([LookupError("once")])

    def keep() -> None:
        for fault in faults:
            raise fault

    writer = Writer(Faulty(), keep)

    async def check() -> None:
        async with asyncio.timeout(600):
            assert [await writer.write(lambda _: "a"), await writer.write(lambda _: "b")] == ["a", "b"]

    with capture_logs() as logs:
        asyncio.run(check())
        writer.close()
    assert [line["event"] for line in logs] == ["store.fault"]
