"""Every journal forgets an execution that has ended, and nothing else."""

import pytest
from tests.conformance.test_journal import AT, LARGE, Run, change, effect, new, run, stage

from gennaker.interfaces.journal import Commit, Conflict, Journal
from gennaker.model.audit import AuditEntry
from gennaker.model.statuses import Status

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
