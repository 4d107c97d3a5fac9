"""Every journal keeps what is still to be done, in order, each once."""

from datetime import timedelta

import msgspec
import pytest
from tests.conformance.test_journal import AT, Run, effect, run

from gennaker.interfaces.journal import Commit, Conflict, Journal
from gennaker.model.effect import PendingEffect, StartTimer

__all__ = ["run"]
"""The fixture: each journal in its turn."""


def test_the_outbox_gives_what_is_due_first(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        later, soon, now = effect("later", AT + timedelta(hours=1)), effect("soon", AT), effect("now")
        timer = PendingEffect(
            effect=StartTimer(key="t", rings_at=AT, about="wait"), execution_id="01A", due=AT + timedelta(days=7)
        )

        await journal.commit(Commit(effects=(later, timer, soon, now)))

        assert await journal.pending() == (now, soon, later, timer)

    run(check)


def test_the_outbox_gives_what_it_holds_of_one_execution(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        theirs = msgspec.structs.replace(effect("theirs"), execution_id="01OTHER")
        later, now = effect("later", AT), effect("now")

        await journal.commit(Commit(effects=(later, theirs, now)))

        assert await journal.pending_of(now.execution_id) == (now, later)
        assert await journal.pending_of("01OTHER") == (theirs,)
        assert await journal.pending_of("nobody") == ()

    run(check)


def test_dropped_effects_go_and_new_ones_replace_those_with_their_key(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(Commit(effects=(effect("a"), effect("b", tries=1))))

        await journal.commit(Commit(effects=(effect("b", AT),), dropped_effects=("a", "never")))

        assert await journal.pending() == (effect("b", AT),)

    run(check)


def test_an_effect_may_be_dropped_and_added_anew_in_one_commit(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(Commit(effects=(effect("a", tries=1),)))

        await journal.commit(Commit(effects=(effect("a", AT),), dropped_effects=("a",)))

        assert await journal.pending() == (effect("a", AT),)

    run(check)


def test_repeats_are_counted(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(Commit(effects=(effect("a"),)))

        assert [await journal.raise_tries("a"), await journal.raise_tries("a")] == [1, 2]
        assert await journal.pending() == (effect("a", tries=2),)

    run(check)


def test_the_repeat_of_an_effect_that_is_gone_is_a_conflict(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        with pytest.raises(Conflict):
            await journal.raise_tries("gone")

    run(check)
