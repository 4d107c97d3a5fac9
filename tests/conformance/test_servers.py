"""One suite for every implementation of servers: what a worker relies on, alone or among others."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests import stores
from tests.fakes.journal import MemoryJournal
from tests.fakes.servers import SharedJournal, SharedServers, SharedStore

from gennaker.interfaces.journal import Commit, Journal
from gennaker.interfaces.servers import Servers
from gennaker.model.effect import PendingEffect, RunTask
from gennaker.store.postgres.database import PostgresDatabase
from gennaker.worker.alone import Alone
from gennaker.worker.clock import SystemClock

Check = Callable[[Servers, Journal], Coroutine[Any, Any, None]]
Run = Callable[[Check], None]


@pytest.fixture(params=[*stores.DATABASES, "memory", "shared memory"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a check on the one server of a fresh store."""
    if request.param == "memory":
        memory = MemoryJournal()
        yield lambda check: asyncio.run(check(Alone(memory), memory))
        return
    if request.param == "shared memory":
        store = SharedStore(MemoryJournal(), SystemClock(), lease=timedelta(minutes=1), poll=timedelta(seconds=1))
        fence = store.join("test")
        reach = partial(asyncio.sleep, 0)
        shared = SharedJournal(store, fence, reach)
        yield lambda check: asyncio.run(check(SharedServers(store, fence, reach), shared))
        return
    with stores.opened(request.param, request, tmp_path) as database:
        journal = stores.journal_of(database)
        servers = stores.servers_of(database) if isinstance(database, PostgresDatabase) else Alone(journal)
        yield lambda check: asyncio.run(check(servers, journal))


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
        async with asyncio.timeout(1):
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
