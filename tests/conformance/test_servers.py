"""One suite for every implementation of servers: what a worker relies on, alone or among others."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests import stores, waiting
from tests.conformance import subjects
from tests.fakes.journal import MemoryJournal
from tests.fakes.servers import SharedServers, the_only_server

from gennaker.interfaces.journal import Commit, Journal
from gennaker.interfaces.servers import Servers
from gennaker.model.effect import Notify, PendingEffect, RunTask
from gennaker.store.postgres.database import PostgresDatabase
from gennaker.store.postgres.servers import PostgresServers
from gennaker.worker.alone import Alone
from gennaker.worker.clock import SystemClock

Check = Callable[[Servers, Journal], Coroutine[Any, Any, None]]
Run = Callable[[Check], None]


SUBJECTS: dict[str, type[Servers]] = {
    "sqlite": Alone,
    "postgres": PostgresServers,
    "memory": Alone,
    "shared memory": SharedServers,
}


@pytest.fixture(params=subjects.params(SUBJECTS, debian=("postgres",)))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a check on the one server of a fresh store."""
    with opened(request.param, request, tmp_path) as (servers, journal):
        assert type(servers) is SUBJECTS[request.param]
        yield lambda check: asyncio.run(check(servers, journal))


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[Servers, Journal]]:
    if kind == "memory":
        memory = MemoryJournal()
        yield Alone(memory), memory
    elif kind == "shared memory":
        yield the_only_server(SystemClock())
    else:
        with stores.opened(kind, request, folder) as database:
            journal = stores.journal_of(database)
            alone = Alone(journal)
            yield stores.servers_of(database) if isinstance(database, PostgresDatabase) else alone, journal


def effect(key: str) -> PendingEffect:
    return PendingEffect(effect=RunTask(key=key, stage_id="s1", task_id="1"), execution_id="01A")


def test_what_is_handed_over_is_pending_until_it_is_dropped(run: Run) -> None:
    async def check(servers: Servers, journal: Journal) -> None:
        assert not await servers.is_pending("a")

        await servers.hand_over(effect("a"))

        assert await servers.is_pending("a")
        assert await journal.pending() == (effect("a"),)
        assert await servers.take() == (effect("a"),)
        await journal.commit(Commit(dropped_effects=("a",)))
        assert not await servers.is_pending("a")

    run(check)


def test_what_a_commit_hands_over_is_for_whoever_takes_it_with_its_large_values(run: Run) -> None:
    message = Notify(key="n", notification={"address": "x" * 40_000}, moment="pipeline.complete")
    handed_over = (effect("a"), PendingEffect(effect=message, execution_id="01A"))

    async def check(servers: Servers, journal: Journal) -> None:
        await journal.commit(Commit(handed_over=handed_over))

        assert await servers.take() == handed_over
        await journal.commit(Commit(dropped_effects=("a", "n")))
        assert await journal.pending() == ()

    run(check)


def test_nothing_is_taken_where_there_is_nothing(run: Run) -> None:
    async def check(servers: Servers, _: Journal) -> None:
        assert await servers.take() == ()

    run(check)


def test_a_lease_can_be_held_again_by_its_holder(run: Run) -> None:
    async def check(servers: Servers, _: Journal) -> None:
        assert await servers.hold("service:poller")
        assert await servers.hold("service:poller")

    run(check)


def test_a_server_that_has_just_begun_may_begin_effects(run: Run) -> None:
    async def check(servers: Servers, _: Journal) -> None:
        async with asyncio.timeout(waiting.IN_VAIN_SECONDS):
            await servers.may_begin()

    run(check)


def test_keeping_goes_on_until_it_is_cancelled(run: Run) -> None:
    async def check(servers: Servers, _: Journal) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await servers.keep()

    run(check)


def test_nothing_is_elsewhere_where_nobody_else_is(run: Run) -> None:
    async def check(servers: Servers, _: Journal) -> None:
        await servers.hand_over(effect("a"))

        assert await servers.elsewhere() == {}

    run(check)
