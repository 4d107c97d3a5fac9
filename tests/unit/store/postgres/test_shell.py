"""The store of a shell: what all its servers own together, what is told to it, and how it passes to others."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests import waiting

from gennaker.interfaces.journal import Commit, Conflict, ExecutionChange, OwnedElsewhere, RecordedEvent
from gennaker.interfaces.shells import Look
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.effect import Deliver, PendingEffect, RunTask, StartTimer
from gennaker.model.event import CancelAsked, Done, Started, TaskReported
from gennaker.model.execution import Authentication, Head
from gennaker.model.statuses import Status
from gennaker.store.postgres.database import PostgresDatabase, connect
from gennaker.store.postgres.journal import PostgresJournal
from gennaker.store.postgres.servers import PostgresServers, Terms
from gennaker.store.postgres.shell import PostgresShellStore

pytestmark = pytest.mark.debian
AT = datetime(2026, 11, 24, tzinfo=UTC)
LEASE_SECONDS = 0.6
LONG = 60.0
"""Of a lease that lasts without being extended: on a slow machine a short one may be over for a moment."""


class Server(msgspec.Struct, frozen=True):
    """One server; embedded ones have no store of a shell."""

    servers: PostgresServers
    journal: PostgresJournal
    store: PostgresShellStore


Joining = Callable[..., Server]


@pytest.fixture
def join(postgres_url: str, tmp_path: Path) -> Iterator[Joining]:
    """Makes servers, and ends them after the test."""
    with ExitStack() as stack:

        def made(name: str, shell: str = "temporal:default/q", lease_seconds: float = LEASE_SECONDS) -> Server:
            database = PostgresDatabase.open(postgres_url, folder=tmp_path / name)
            stack.callback(database.close)
            terms = Terms(name=name, lease_seconds=lease_seconds, poll_seconds=5, shell=shell)
            servers = PostgresServers(database, terms)
            stack.callback(servers.close)
            store = PostgresShellStore(database, fence=servers.owner)
            stack.callback(store.close)
            return Server(servers, PostgresJournal(database, engine_version="1", fence=servers.owner), store)

        yield made


def head(name: str, version: int = 1, status: Status = Status.RUNNING) -> Head:
    return Head(
        id=name,
        application="shop",
        build_time=AT,
        authentication=Authentication(user="a"),
        version=version,
        status=status,
    )


def step(name: str, version: int, *, status: Status = Status.RUNNING, **more: Any) -> Commit:
    events = (RecordedEvent(number=version, event=Started(at=AT)),)
    change = ExecutionChange(head=head(name, version, status), expected_version=version - 1, events=events)
    return Commit(executions=(change,), **more)


def effect(key: str, name: str = "e", due: datetime | None = None) -> PendingEffect:
    return PendingEffect(effect=RunTask(key=key, stage_id="s", task_id="1"), execution_id=name, due=due)


def command(key: str, name: str = "e") -> PendingEffect:
    event = CancelAsked(at=AT, by="ada")
    return PendingEffect(effect=Deliver(key=key, execution_id=name, event=event), execution_id=name)


def run(check: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(600):
            await check

    asyncio.run(limited())


def test_what_a_step_asks_for_is_found_by_every_server_of_the_shell(join: Joining) -> None:
    one, other = join("a"), join("b")
    asked = (effect("e/a"), effect("e/b", due=AT))

    async def check() -> None:
        await one.journal.commit(step("e", 1, effects=asked))

        assert await other.store.look("e") == Look(pending=asked)
        assert await other.store.find("e/a") == asked[0]
        assert await other.store.owned() == ("e",)
        assert await other.store.untold() == {}
        await other.journal.commit(step("e", 2, dropped_effects=("e/a",)))
        assert await one.store.find("e/a") is None
        assert await one.store.version("e") == 2
        assert await one.store.version("f") is None

    run(check())


def test_what_is_handed_over_is_told_of_until_somebody_looks(join: Joining) -> None:
    one, other = join("a"), join("b")

    async def check() -> None:
        await one.journal.commit(step("e", 1, handed_over=(effect("e/submission"),)))
        (first,) = (await other.store.untold()).values()
        await one.journal.commit(Commit(handed_over=(effect("e/more"),)))
        (second,) = (await other.store.untold()).values()
        assert second > first

        look = await other.store.look("e")

        assert look == Look(pending=(effect("e/submission"), effect("e/more")))
        assert await other.store.untold() == {}
        assert await other.store.look("e") == look

    run(check())


def test_what_others_tell_an_execution_is_told_of_until_it_is_applied(join: Joining) -> None:
    server = join("a")
    told = command("parent/queue/1")

    async def check() -> None:
        await server.journal.commit(step("e", 1, handed_over=(told,)))

        assert await server.store.look("e") == Look(pending=(told,))
        assert await server.store.look("e") == Look(pending=(told,))
        assert list(await server.store.untold()) == ["e"]
        assert await server.store.find("parent/queue/1") == told
        await server.journal.commit(step("e", 2, dropped_effects=("parent/queue/1",)))
        assert await server.store.untold() == {}

    run(check())


def test_an_execution_whose_id_begins_like_another_s_is_another_one(join: Joining) -> None:
    server = join("a")

    async def check() -> None:
        await server.journal.commit(step("e", 1, effects=(effect("e/a"),)))
        await server.journal.commit(step("e-2", 1, effects=(effect("e-2/a", "e-2"),)))

        assert (await server.store.look("e")).pending == (effect("e/a"),)

    run(check())


def test_an_execution_that_has_ended_is_over_but_for_what_is_left_to_do(join: Joining) -> None:
    server = join("a")

    async def check() -> None:
        await server.journal.commit(step("e", 1))
        await server.journal.commit(step("e", 2, status=Status.SUCCEEDED, effects=(effect("e/ended/2"),)))

        assert await server.store.look("e") == Look(pending=(effect("e/ended/2"),), is_over=True)
        assert await server.store.owned() == ("e",)
        await server.journal.commit(Commit(dropped_effects=("e/ended/2",)))
        assert await server.store.look("e") == Look(is_over=True)
        assert await server.store.owned() == ()

    run(check())


def test_an_unknown_execution_is_over(join: Joining) -> None:
    server = join("a")

    async def check() -> None:
        await server.servers.hand_over(command("nobody/command/1", "nobody"))

        assert list(await server.store.untold()) == ["nobody"]
        assert await server.store.look("nobody") == Look(pending=(command("nobody/command/1", "nobody"),), is_over=True)

    run(check())


def test_what_an_embedded_server_owns_is_neither_found_nor_told_of(join: Joining) -> None:
    shell, embedded = join("a"), join("b", shell="")

    async def check() -> None:
        await embedded.journal.commit(step("e", 1, effects=(effect("e/a"),), handed_over=(effect("e/b"),)))

        assert await shell.store.untold() == {}
        assert await shell.store.look("e") == Look(is_over=True)
        assert await shell.store.find("e/a") is None
        with pytest.raises(OwnedElsewhere):
            await shell.journal.commit(step("e", 2))

    run(check())


def test_what_is_the_shells_is_not_taken_by_an_embedded_server_while_one_of_its_servers_lives(join: Joining) -> None:
    one, other, embedded = join("a"), join("b", lease_seconds=LONG), join("c", shell="")

    async def check() -> None:
        await one.journal.commit(step("e", 1, effects=(effect("e/a"),), handed_over=(effect("e/b"),)))
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(embedded.servers.keep())
            await asyncio.sleep(LEASE_SECONDS * 2)
            assert await embedded.servers.take() == ()
            keeping.cancel()
        assert len((await other.store.look("e")).pending) == 2

    run(check())


def test_embedded_servers_take_over_when_no_server_of_the_shell_lives_any_more(join: Joining) -> None:
    shell, embedded = join("a"), join("b", shell="")

    async def check() -> None:
        await shell.journal.commit(step("e", 1, effects=(effect("e/a"),)))
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(embedded.servers.keep())
            taken = await waiting.until_found(embedded.servers.take, "the shell's lease to end")
            assert taken == (effect("e/a"),)
            keeping.cancel()
        with pytest.raises(StoreUnusable):
            await shell.journal.commit(step("e", 2))
        with pytest.raises(StoreUnusable):
            await shell.store.look("e")

    run(check())


def test_the_shell_takes_over_what_an_embedded_server_has_left(join: Joining) -> None:
    embedded, shell = join("a", shell=""), join("b")
    timer = PendingEffect(effect=StartTimer(key="e/t", rings_at=AT, about="x"), execution_id="e", due=AT)

    async def check() -> None:
        await embedded.journal.commit(step("e", 1, effects=(effect("e/a"), timer)))
        embedded.servers.close()

        assert list(await shell.store.untold()) == ["e"]
        assert await shell.store.look("e") == Look(pending=(effect("e/a"), timer))
        await shell.journal.commit(step("e", 2))

    run(check())


def test_a_server_that_starts_before_anybody_has_ended_the_shells_lease_goes_on_with_it(join: Joining) -> None:
    first = join("a")

    async def check() -> None:
        await first.journal.commit(step("e", 1, effects=(effect("e/a"),)))
        await asyncio.sleep(LEASE_SECONDS * 1.5)

        second = join("b")

        assert second.servers.owner == first.servers.owner
        assert second.servers.fence != first.servers.fence
        assert await second.store.owned() == ("e",)

    run(check())


def test_two_answers_to_one_effect_are_not_both_committed(join: Joining) -> None:
    one, other = join("a"), join("b")

    async def check() -> None:
        await one.journal.commit(step("e", 1, effects=(effect("e/a"),)))
        await one.journal.commit(step("e", 2, dropped_effects=("e/a",)))

        with pytest.raises(Conflict):
            await other.journal.commit(step("e", 2, dropped_effects=("e/a",)))
        assert await other.store.find("e/a") is None

    run(check())


@pytest.mark.parametrize(
    "outputs",
    [
        {"small": 1},
        {"large": "x" * 100_000, "list": [1, {"two": "y" * 40_000}]},
        {f"key{number}": "z" * 30_000 for number in range(20)},
    ],
    ids=["small", "large values", "many values"],
)
def test_an_event_comes_out_of_its_parcel_as_it_went_in(join: Joining, outputs: dict[str, object]) -> None:
    server = join("a")
    event = TaskReported(
        at=AT + timedelta(seconds=1),
        key="e/a",
        stage_id="s",
        task_id="1",
        result=Done(outputs=outputs),  # type: ignore[arg-type] # JSON
    )

    async def check() -> None:
        parcel = await server.store.pack(event)

        assert len(msgspec.json.encode(parcel)) < 300_000
        assert await server.store.unpack(parcel) == event

    run(check())


def test_a_server_without_a_connection_says_so(join: Joining, postgres_url: str) -> None:
    server = join("a")

    async def check() -> None:
        with connect(postgres_url) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

        with pytest.raises(StoreUnusable) as caught:
            await server.store.owned()
        assert caught.value.problem.code == "store.unreachable"

    run(check())
