"""Announcing: who listens may fail, the effect is done all the same, and it is on record."""

import asyncio

import pytest
from tests import make
from tests.fakes.virtual_time import VirtualTime
from tests.harness import KillingProbe

from gennaker.interfaces.journal import Commit
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.effect import Announce, PendingEffect
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem
from gennaker.testing.journal import MemoryJournal
from gennaker.worker.announcing import Announced, Announcer

ENDED = Announce(key="e/ended/1", moment="execution.ended")


def announced(journal: MemoryJournal, listen: Announced) -> None:
    time = VirtualTime()
    announcer = Announcer(listen, journal=journal, clock=time, probe=KillingProbe())

    async def main() -> None:
        await journal.commit(Commit(effects=(PendingEffect(effect=ENDED, execution_id="e"),)))
        await announcer.announce(ENDED, make.execution())

    time.run(main())


def test_what_was_announced_is_no_longer_in_the_outbox() -> None:
    journal = MemoryJournal()
    heard: list[Announce] = []

    async def listen(_: Execution, announce: Announce) -> None:
        heard.append(announce)

    announced(journal, listen)

    assert heard == [ENDED]
    assert asyncio.run(journal.pending()) == ()
    assert journal.audit == ()


def test_whoever_listens_can_not_stop_the_worker() -> None:
    journal = MemoryJournal()

    async def listen(_: Execution, __: Announce) -> None:
        raise ZeroDivisionError

    announced(journal, listen)

    assert asyncio.run(journal.pending()) == ()
    assert [(entry.action, entry.details["problem"]) for entry in journal.audit] == [
        ("announcement.failed", "ZeroDivisionError: ")
    ]


def test_a_store_that_can_not_be_written_leaves_the_announcement_to_the_next_start() -> None:
    journal = MemoryJournal()

    async def listen(_: Execution, __: Announce) -> None:
        raise StoreUnusable(Problem(code="store.full", message="There is no space left."))

    with pytest.raises(StoreUnusable):
        announced(journal, listen)

    assert [one.effect for one in asyncio.run(journal.pending())] == [ENDED]
