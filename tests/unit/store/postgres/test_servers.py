"""Servers over one database: leases, and how what one owns passes to another."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests import waiting

from gennaker.interfaces.journal import Commit, ExecutionChange, RecordedEvent
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.effect import Deliver, PendingEffect, RunTask
from gennaker.model.event import Started
from gennaker.model.execution import Authentication, Head
from gennaker.model.statuses import Status
from gennaker.store.postgres.database import PostgresDatabase, connect
from gennaker.store.postgres.journal import PostgresJournal
from gennaker.store.postgres.servers import PostgresServers, Terms

pytestmark = pytest.mark.debian
AT = datetime(2026, 11, 24, tzinfo=UTC)
LEASE_SECONDS = 0.6
LONG = 60.0
"""Of a lease that doesn't end while a test looks at something else."""
Joining = Callable[..., tuple[PostgresServers, PostgresJournal]]


@pytest.fixture
def join(postgres_url: str, tmp_path: Path) -> Iterator[Joining]:
    """Makes servers, and ends them after the test."""
    with ExitStack() as stack:

        def made(name: str, lease_seconds: float = LEASE_SECONDS) -> tuple[PostgresServers, PostgresJournal]:
            database = PostgresDatabase.open(postgres_url, folder=tmp_path / name)
            stack.callback(database.close)
            servers = PostgresServers(database, Terms(name=name, lease_seconds=lease_seconds, poll_seconds=60))
            stack.callback(servers.close)
            return servers, PostgresJournal(database, engine_version="1", fence=servers.fence)

        yield made


def begun(name: str, *, status: Status = Status.RUNNING) -> Commit:
    head = Head(
        id=name, application="shop", build_time=AT, authentication=Authentication(user="a"), version=1, status=status
    )
    events = (RecordedEvent(number=1, event=Started(at=AT)),)
    return Commit(executions=(ExecutionChange(head=head, expected_version=0, events=events),), effects=(effect(name),))


def effect(name: str) -> PendingEffect:
    return PendingEffect(effect=RunTask(key=f"{name}/k", stage_id="s", task_id="1"), execution_id=name)


def run(check: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(600):
            await check

    asyncio.run(limited())


def test_a_server_that_was_kept_waiting_does_not_end_its_own_lease(
    join: Joining, monkeypatch: pytest.MonkeyPatch
) -> None:
    extend, times = PostgresServers._extend, []  # noqa: SLF001 - there a stall is put

    def slow(servers: PostgresServers, connection: Any) -> bool:
        found = extend(servers, connection)
        times.append(found)
        time.sleep(LEASE_SECONDS * 1.5)  # noqa: TID251 - a machine that is kept from running
        return found

    (lonely, _) = join("a")
    monkeypatch.setattr(PostgresServers, "_extend", slow)

    async def check() -> None:
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(lonely.keep())
            await waiting.until(lambda: len(times) == 3, "the third extension")
            keeping.cancel()
        assert times == [True, True, True]

    run(check())


def test_what_a_living_server_owns_is_not_taken(join: Joining) -> None:
    (_, journal), (other, _) = join("a", LONG), join("b", LONG)

    async def check() -> None:
        await journal.commit(begun("e"))

        assert await other.take() == ()

    run(check())


def test_an_orderly_end_gives_everything_back_and_wakes_others(join: Joining) -> None:
    (servers, journal), (other, _) = join("a"), join("b")

    async def check() -> None:
        await journal.commit(begun("e"))
        async with asyncio.TaskGroup() as group:
            woken = group.create_task(other.woken())
            await asyncio.sleep(0.1)
            await asyncio.to_thread(servers.close)
            async with asyncio.timeout(600):
                await woken

        assert await other.take() == (effect("e"),)
        assert await other.take() == ()

    run(check())


@pytest.mark.slow
def test_an_expired_server_s_work_passes_on_and_its_lease_is_lost(join: Joining) -> None:
    (servers, journal), (other, _) = join("a"), join("b")

    async def check() -> None:
        await journal.commit(begun("e"))
        await journal.commit(begun("ended", status=Status.SUCCEEDED))
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(other.keep())
            taken = await waiting.until_found(other.take, "the lease to end by the database's clock")
            keeping.cancel()

        assert set(taken) == {effect("e"), effect("ended")}
        with pytest.raises(StoreUnusable) as caught:
            await servers.keep()
        assert caught.value.problem.code == "store.lease_lost"
        assert await servers.take() == ()
        with pytest.raises(StoreUnusable):
            await servers.hand_over(effect("e"))

    run(check())


@pytest.mark.slow
def test_a_server_that_takes_longer_to_start_than_its_lease_lasts_still_has_it(
    join: Joining, postgres_url: str
) -> None:
    # Nobody ends leases meanwhile: on a slow machine one so short may be over for a moment, which is not what is asked here.
    servers, _ = join("a")
    first = expires(postgres_url, servers.fence)
    servers.start()

    async def check() -> None:
        def has_extended_it_since() -> bool:
            return expires(postgres_url, servers.fence) > first + LEASE_SECONDS * 1_000_000

        await waiting.until(has_extended_it_since, "the lease to be extended when it would have ended")
        await servers.may_begin()

        extended = expires(postgres_url, servers.fence)
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(servers.keep())
            await waiting.until(lambda: expires(postgres_url, servers.fence) > extended, "`keep` to extend it further")
            keeping.cancel()

    run(check())


def expires(postgres_url: str, fence: int) -> int:
    """When a server's lease ends, in microseconds by the database's clock."""
    with connect(postgres_url) as connection:
        (found,) = connection.execute("SELECT expires FROM servers WHERE fence = %s", (fence,)).fetchone() or (0,)
    return int(found)


@pytest.mark.slow
def test_a_server_that_could_not_extend_its_lease_begins_nothing_until_it_has(join: Joining) -> None:
    servers, _ = join("a")

    async def check() -> None:
        await asyncio.sleep(LEASE_SECONDS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await servers.may_begin()

        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(servers.keep())
            await servers.may_begin()
            keeping.cancel()

    run(check())


def test_what_is_handed_over_reaches_the_owner_and_nobody_else(join: Joining) -> None:
    (servers, journal), (other, _) = join("a"), join("b")
    command = PendingEffect(effect=Deliver(key="c", execution_id="e", event=Started(at=AT)), execution_id="e")

    async def check() -> None:
        await journal.commit(begun("e"))

        await other.hand_over(command)

        assert await other.take() == ()
        assert await other.is_pending("c")
        assert await servers.take() == (command,)
        await journal.commit(Commit(dropped_effects=("c",)))
        assert not await other.is_pending("c")

    run(check())


def test_a_result_takes_the_place_of_the_effect_that_it_answers(join: Joining) -> None:
    (servers, journal), (other, _) = join("a"), join("b")
    result = PendingEffect(effect=Deliver(key="e/k", execution_id="e", event=Started(at=AT)), execution_id="e")

    async def check() -> None:
        await journal.commit(begun("e"))

        await other.hand_over(result)

        assert await servers.take() == (result,)
        assert await journal.pending() == (result,)

    run(check())


def test_an_effect_of_no_execution_is_taken_by_somebody(join: Joining) -> None:
    servers, journal = join("a")

    async def check() -> None:
        await servers.hand_over(effect("unknown"))

        assert await servers.take() == (effect("unknown"),)
        assert await journal.load("unknown") is None

    run(check())


def test_two_servers_share_what_nobody_has(join: Joining, postgres_url: str) -> None:
    (_, journal), (one, _), (two, _) = join("a"), join("b"), join("c")
    count = 300

    async def check() -> None:
        await asyncio.gather(*(journal.commit(begun(f"e{n:03}")) for n in range(count)))
        with connect(postgres_url) as connection:
            connection.execute("UPDATE executions SET fence = NULL")
            connection.execute("UPDATE outbox SET fence = NULL")

        taken = [await asyncio.gather(one.take(), two.take()) for _ in range(3)]

        keys = [pending.effect.key for pair in taken for part in pair for pending in part]
        assert len(keys) == len(set(keys)) == count
        assert all(len({pending.execution_id for pending in part}) <= 100 for pair in taken for part in pair)

    run(check())


def test_a_lease_has_one_holder_as_long_as_it_lives(join: Joining) -> None:
    (servers, _), (other, _) = join("a", LONG), join("b", LONG)

    async def check() -> None:
        assert await servers.hold("poller")
        assert await servers.hold("poller")
        assert not await other.hold("poller")
        assert await other.hold("sweep")

        await asyncio.to_thread(servers.close)

        assert await other.hold("poller")

    run(check())


def test_what_another_server_has_is_known_by_its_name(join: Joining) -> None:
    (servers, journal), (other, _) = join("a", LONG), join("b", LONG)

    async def check() -> None:
        await journal.commit(begun("e"))

        assert await other.elsewhere() == {"e/k": "a"}
        assert await servers.elsewhere() == {}

    run(check())


@pytest.mark.slow
def test_a_server_that_stopped_in_the_midst_of_a_commit_keeps_nobody_s_lease_from_being_extended(
    join: Joining, postgres_url: str
) -> None:
    (servers, journal), (other, _) = join("a"), join("b")

    async def check() -> None:
        await journal.commit(begun("e"))
        with connect(postgres_url) as stopped:
            stopped.execute("BEGIN")
            stopped.execute("SELECT 1 FROM servers WHERE fence = %s FOR KEY SHARE", (servers.fence,))
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(other.keep())
                await asyncio.sleep(3 * LEASE_SECONDS)
                await other.may_begin()
                assert await other.take() == ()

                stopped.execute("ROLLBACK")
                taken = await waiting.until_found(other.take, "the lease to end by the database's clock")
                keeping.cancel()
        assert taken == (effect("e"),)

    run(check())


def test_a_writer_that_stands_still_in_a_transaction_is_cut_off(postgres_url: str) -> None:
    with connect(postgres_url, is_writer=True) as connection:
        (limit,) = connection.execute("SHOW idle_in_transaction_session_timeout").fetchone() or ("",)

    assert limit == "5s"
