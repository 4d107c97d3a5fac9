"""Every journal forgets an execution that has ended, and nothing else."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests import stores
from tests.conformance.test_journal import AT, LARGE, Run, change, effect, new, run, stage
from tests.fakes.journal import MemoryJournal

from gennaker.interfaces.journal import Commit, Conflict, Journal, SubmissionExists
from gennaker.model.audit import AuditEntry
from gennaker.model.statuses import Status
from gennaker.store.audit import DatabaseAuditTrail

__all__ = ["run"]
"""The fixture: each journal in its turn."""


def test_a_complete_execution_is_forgotten_with_its_stages_events_and_key(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new(submission_key="k", stages=(stage("s1", note=LARGE),)))
        await journal.commit(Commit(executions=(change(1, status=Status.SUCCEEDED),)))

        await journal.delete("01A", (AuditEntry(at=AT, actor="ada", action="execution.deleted", subject="01A"),))

        assert await journal.load("01A") is None
        assert await journal.events("01A") == ()
        again = new(submission_key="k", stages=(stage("s2"),))
        await journal.commit(again)
        loaded = await journal.load("01A")
        assert loaded is not None
        assert dict(loaded.stages) == {"s2": stage("s2")}

    run(check)


def test_others_keep_their_key_values_events_and_effects(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        shared = (stage("s1", note=LARGE),)
        theirs = replace(effect("01B/tell"), execution_id="01B")
        await journal.commit(new(submission_key="k", stages=shared))
        await journal.commit(replace(new(submission_key="other", stages=shared, id="01B"), effects=(theirs,)))
        before = await journal.load("01B"), await journal.events("01B")
        await journal.commit(Commit(executions=(change(1, status=Status.SUCCEEDED),)))

        await journal.delete("01A", ())

        assert (await journal.load("01B"), await journal.events("01B")) == before
        assert await journal.pending() == (theirs,)
        with pytest.raises(SubmissionExists) as caught:
            await journal.commit(new(submission_key="other", id="01C"))
        assert caught.value.execution_id == "01B"

    run(check)


def test_what_is_not_over_or_has_something_to_do_is_not_forgotten(run: Run[None]) -> None:
    async def check(journal: Journal) -> None:
        await journal.commit(new())
        with pytest.raises(Conflict):
            await journal.delete("01A", ())
        with pytest.raises(Conflict):
            await journal.delete("nobody", ())

        await journal.commit(Commit(executions=(change(1, status=Status.SUCCEEDED),), effects=(effect("01A/tell"),)))
        with pytest.raises(Conflict):
            await journal.delete("01A", ())

        assert await journal.load("01A") is not None
        assert len(await journal.pending()) == 1

    run(check)


@pytest.mark.parametrize("kind", stores.DATABASES)
def test_the_audit_tells_of_what_was_deleted_and_of_nothing_else(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    entry = AuditEntry(at=AT, actor="ada", action="execution.deleted", subject="01A")

    async def check(journal: Journal) -> None:
        await journal.commit(new())
        with pytest.raises(Conflict):
            await journal.delete("01A", (entry, entry))
        await journal.commit(Commit(executions=(change(1, status=Status.SUCCEEDED),)))
        await journal.delete("01A", (entry,))

    memory = MemoryJournal()
    asyncio.run(check(memory))
    with stores.opened(kind, request, tmp_path) as database:
        asyncio.run(check(stores.journal_of(database)))
        records = asyncio.run(DatabaseAuditTrail(database).records())

    assert memory.audit == (entry,)
    assert [record.entry for record in records] == [entry]
