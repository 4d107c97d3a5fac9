"""Batches: merged commits keep their own answers, and changes of several servers don't run into one another."""

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.abc import Query
from sqlalchemy import Connection
from tests.waiting import until

from gennaker.interfaces.documents import VersionMismatch
from gennaker.interfaces.journal import Commit, Conflict, ExecutionChange, OwnedElsewhere, RecordedEvent
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import PendingEffect, RunTask
from gennaker.model.event import Started
from gennaker.model.execution import Authentication, Head, Stage
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status
from gennaker.store import audit, rows
from gennaker.store.commits import CommitJob
from gennaker.store.documents import DatabaseDocuments
from gennaker.store.packing import Packer
from gennaker.store.postgres import lot, statements
from gennaker.store.postgres.batches import CommitBatches
from gennaker.store.postgres.database import PostgresDatabase, connect
from gennaker.store.postgres.journal import PostgresJournal
from gennaker.store.postgres.servers import PostgresServers, Terms
from gennaker.store.rows import CommitRows, Row
from gennaker.store.statements import POSTGRES, compiled

pytestmark = pytest.mark.debian
AT = datetime(2026, 11, 24, tzinfo=UTC)


class Server:
    """One of two servers over a database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.database = PostgresDatabase.open(url, folder=folder)
        self.servers = PostgresServers(self.database, Terms(name=folder.name, lease_seconds=60, poll_seconds=0.1))
        self.journal = PostgresJournal(self.database, engine_version="1", fence=self.servers.fence)

    def close(self) -> None:
        self.servers.close()
        self.database.close()


@pytest.fixture
def two(postgres_url: str, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        made = [Server(postgres_url, tmp_path / name) for name in "ab"]
        for server in made:
            stack.callback(server.close)
        yield made[0], made[1]


def step(name: str, version: int, **more: object) -> Commit:
    status = more.pop("status", Status.RUNNING)
    head = Head(
        id=name,
        application="shop",
        build_time=AT,
        authentication=Authentication(user="ada"),
        version=version,
        status=status,  # type: ignore[arg-type]  # a builder's keyword
    )
    stage = Stage(id="s", ref_id="1", type="wait", name="s", context={"version": version})
    events = (RecordedEvent(number=version, event=Started(at=AT)),)
    change = ExecutionChange(head=head, expected_version=version - 1, stages=(stage,), events=events)
    return Commit(executions=(change,), audit=(entry(f"{name}/{version}"),), **more)  # type: ignore[arg-type]  # as above


def entry(subject: str) -> AuditEntry:
    return AuditEntry(at=AT, actor="ada", action="step", subject=subject)


def effect(key: str) -> PendingEffect:
    return PendingEffect(effect=RunTask(key=key, stage_id="s", task_id="1"), execution_id="e")


def run(check: Coroutine[Any, Any, None]) -> None:
    asyncio.run(check)


def test_a_step_on_an_execution_of_another_server_is_refused(two: tuple[Server, Server]) -> None:
    mine, other = two

    async def check() -> None:
        await mine.journal.commit(step("e", 1))

        with pytest.raises(OwnedElsewhere):
            await other.journal.commit(step("e", 2))

        await mine.journal.commit(step("e", 2))

    run(check())


def test_whoever_moves_an_execution_of_nobody_owns_it_until_it_ends(two: tuple[Server, Server]) -> None:
    mine, other = two

    async def check() -> None:
        await mine.journal.commit(step("e", 1, status=Status.SUCCEEDED))
        await other.journal.commit(step("e", 2))

        with pytest.raises(OwnedElsewhere):
            await mine.journal.commit(step("e", 3))

    run(check())


def test_a_server_whose_lease_has_ended_commits_nothing(two: tuple[Server, Server], postgres_url: str) -> None:
    mine, other = two

    async def check() -> None:
        await mine.journal.commit(step("e", 1, status=Status.SUCCEEDED))
        with connect(postgres_url) as connection:
            connection.execute("UPDATE servers SET expires = 0 WHERE fence = %s", (mine.servers.fence,))
            keeping = asyncio.ensure_future(other.servers.keep())  # noqa: TID251 - cancelled below
            await until(lambda: not _stands(connection, mine.servers.fence), "the lease that is over to be ended")
            keeping.cancel()

        with pytest.raises(StoreUnusable) as caught:
            await mine.journal.commit(step("e", 2))

        assert caught.value.problem.code == "store.lease_lost"
        assert (await other.journal.load("e")).head.version == 1  # type: ignore[union-attr]  # it is there

    run(check())


def _stands(connection: psycopg.Connection[tuple[Any, ...]], fence: int) -> bool:
    return connection.execute("SELECT 1 FROM servers WHERE fence = %s", (fence,)).fetchone() is not None


class Cut(psycopg.Connection[tuple[Any, ...]]):
    """Is lost when it asks whose an execution is."""

    def execute(self, query: Query, *values: Any, **named: Any) -> psycopg.Cursor[tuple[Any, ...]]:
        if query == statements.OWNER:
            return super().execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return super().execute(query, *values, **named)


def committed(connection: psycopg.Connection[tuple[Any, ...]], *commits: CommitRows, fence: int) -> list[CommitJob]:
    """One batch of them, with their answers."""
    jobs = [CommitJob(one, fence) for one in commits]
    CommitBatches(connection, "here", compiled(POSTGRES)).commit([*jobs])
    return jobs


def test_a_connection_that_is_lost_before_it_says_why_a_step_is_refused_keeps_nobody_waiting(
    two: tuple[Server, Server], postgres_url: str
) -> None:
    mine, other = two

    async def check() -> None:
        await mine.journal.commit(step("e", 1))
        refused = rows.of(step("e", 2), await Packer().packed(step("e", 2)), "1")

        with Cut.connect(postgres_url, autocommit=True) as cut:
            answers = committed(cut, refused, refused, fence=other.servers.fence)

        errors = [one.error for one in answers]
        assert [isinstance(one, StoreUnusable) and one.problem.code for one in errors] == ["store.unreachable"] * 2

    run(check())


def outbox(key: str, body: object = "{}") -> CommitRows:
    """A commit of one effect."""
    effects: list[Row] = [(key, "e", None, 0, body, None)]
    return CommitRows(blobs=[], executions=[], queues=[], dropped=[], effects=effects, handed_over=[], audit=())


def test_a_fault_in_a_commit_costs_no_neighbour_and_nobody_whose_lot_was_written(
    two: tuple[Server, Server], postgres_url: str
) -> None:
    async def check() -> None:
        unwritable = outbox("b", object())

        with connect(postgres_url) as connection:
            answers = committed(
                connection,
                *(outbox("first"), outbox("a"), unwritable, outbox("c")),
                *(outbox("a", "later"), outbox("b")),
                fence=two[0].servers.fence,
            )
            written = connection.execute("SELECT key, effect FROM outbox ORDER BY key").fetchall()

        assert [type(one.error) for one in answers] == [*[type(None)] * 2, TypeError, *[type(None)] * 3]
        assert [one.is_durable for one in answers] == [True, True, False, True, True, True]
        assert written == [("a", "later"), ("b", "{}"), ("c", "{}"), ("first", "{}")]

    run(check())


@pytest.mark.parametrize(("failures", "is_written"), [(2, True), (50, False)])
def test_a_commit_that_is_rolled_back_for_somebody_elses_sake_is_made_again(
    two: tuple[Server, Server],
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    failures: int,
    is_written: bool,
) -> None:
    write, attempts = lot.write, itertools.count(1)

    def rolled_back(*given: Any) -> int:
        if next(attempts) <= failures:
            given[0].execute("DO $$ BEGIN RAISE deadlock_detected; END $$")
        return write(*given)

    monkeypatch.setattr(lot, "write", rolled_back)

    async def check() -> None:
        with connect(postgres_url) as connection:
            (answer,) = committed(connection, outbox("a"), fence=two[0].servers.fence)

        assert answer.is_durable == is_written
        assert (answer.error is None) == is_written

    run(check())


def test_a_change_that_is_rolled_back_for_somebody_elses_sake_is_made_again(two: tuple[Server, Server]) -> None:
    attempts = itertools.count(1)

    def change(connection: Connection) -> int:
        attempt = next(attempts)
        if attempt == 1:
            connection.exec_driver_sql("DO $$ BEGIN RAISE deadlock_detected; END $$")
        return attempt

    async def check() -> None:
        assert await two[0].database.write(change) == 2

    run(check())


def test_a_change_whose_connection_is_lost_before_it_is_rolled_back_is_told_so(
    two: tuple[Server, Server], postgres_url: str
) -> None:
    def change(connection: Connection) -> None:
        own = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with connect(postgres_url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 60000)", (own,))
        raise errors.SerializationFailure

    async def check() -> None:
        with pytest.raises(StoreUnusable) as caught:
            await two[0].database.write(change)

        assert caught.value.problem.code == "store.unreachable"

    run(check())


def test_two_servers_make_one_audit_chain(two: tuple[Server, Server]) -> None:
    async def check() -> None:
        commits = [server.journal.commit(step(f"{n}-{server.servers.fence}", 1)) for n in range(50) for server in two]
        trails = [audit.DatabaseAuditTrail(server.database).record(entry(f"r{n}")) for n in range(20) for server in two]

        await asyncio.gather(*commits, *trails)

        verdict = await audit.DatabaseAuditTrail(two[0].database).verify()
        assert (verdict.finding in {"", "cut-off"}, verdict.records) == (True, 140)
        records = await audit.DatabaseAuditTrail(two[1].database).records()
        assert all(after.previous == before.hash for before, after in itertools.pairwise(records))

    run(check())


def test_two_servers_move_one_queue_one_version_at_a_time(two: tuple[Server, Server]) -> None:
    async def raise_it(server: Server) -> None:
        for _ in range(20):
            while True:
                queue = await server.journal.load_queue("q")
                try:
                    await server.journal.commit(Commit(queues=(Queue(key="q", version=queue.version + 1),)))
                except Conflict:
                    continue
                break

    async def check() -> None:
        await asyncio.gather(*map(raise_it, two))

        assert (await two[0].journal.load_queue("q")).version == 40

    run(check())


def test_of_two_servers_one_changes_a_document_at_a_version(two: tuple[Server, Server]) -> None:
    documents = [DatabaseDocuments(server.database, "n") for server in two]

    async def check() -> None:
        for version in range(20):
            answers = await asyncio.gather(
                *(one.put("k", {"n": version}, if_version=version) for one in documents), return_exceptions=True
            )

            assert sum(isinstance(answer, VersionMismatch) for answer in answers) == 1

    run(check())
