"""Lots of commits in SQLite: what JSON can't carry, and rows that don't go together."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests import make

from gennaker.interfaces.journal import Commit, Conflict, ExecutionChange, RecordedEvent
from gennaker.model.effect import PendingEffect, PrepareSubmission
from gennaker.model.event import Submitted
from gennaker.model.queue import Queue
from gennaker.store.database import Database
from gennaker.store.journal import SqliteJournal

HEAD = make.head(version=1)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    database = Database.open(tmp_path)
    yield SqliteJournal(database, engine_version="1")
    database.close()


def accepted(name: str = "n", **fields: object) -> Commit:
    head = replace(HEAD, name=name, **fields)
    event = RecordedEvent(number=1, event=Submitted(at=make.AT, head=head))
    return Commit(executions=(ExecutionChange(head=head, expected_version=0, events=(event,)),))


def effect(key: str) -> PendingEffect:
    return PendingEffect(effect=PrepareSubmission(key=key), execution_id=make.EXECUTION)


def test_texts_with_nul_are_kept_whole(journal: SqliteJournal) -> None:
    async def check() -> None:
        await asyncio.gather(
            journal.commit(accepted("a\0b")),
            journal.commit(Commit(queues=(Queue(key="k\0l", version=1),), effects=(effect("m\0n"),))),
        )

        found = await journal.load(make.EXECUTION)
        assert found is not None
        assert found.head.name == "a\0b"
        assert (await journal.load_queue("k\0l")).version == 1
        assert await journal.pending() == (effect("m\0n"),)
        with pytest.raises(Conflict):
            await journal.commit(Commit(queues=(Queue(key="k\0l", version=3),), effects=(effect("later"),)))
        assert await journal.pending() == (effect("m\0n"),)

    asyncio.run(check())


def test_large_values_are_kept_with_the_rows_that_need_them(journal: SqliteJournal) -> None:
    async def check() -> None:
        config = {"note": "é" * 100_000}
        stale = Commit(queues=(Queue(key="k", version=7),))

        answers = await asyncio.gather(
            journal.commit(accepted(initial_config=config)), journal.commit(stale), return_exceptions=True
        )

        assert [type(one) for one in answers] == [type(None), Conflict]
        found = await journal.load(make.EXECUTION)
        assert found is not None
        assert found.head.initial_config == config

    asyncio.run(check())


def test_what_one_commit_asks_for_the_next_one_may_drop(journal: SqliteJournal) -> None:
    async def check() -> None:
        await asyncio.gather(
            journal.commit(Commit(effects=(effect("a"), effect("b")))), journal.commit(Commit(dropped_effects=("a",)))
        )

        assert await journal.pending() == (effect("b"),)

    asyncio.run(check())
