"""The journal of this shell: what its workflows can't know of is handed over, the rest is theirs."""

import asyncio

from tests import make

from gennaker.interfaces.journal import Commit, ExecutionChange
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import Deliver, PendingEffect, PrepareSubmission, RunTask
from gennaker.model.event import Started
from gennaker.testing.journal import MemoryJournal
from gennaker.worker.temporal.journal import HandingJournal

ENTRY = AuditEntry(at=make.AT, actor="ada", action="x", subject="y")


class Seeing(MemoryJournal):
    """Notes what is committed."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Commit] = []

    async def commit(self, commit: Commit) -> None:
        self.commits.append(commit)
        await super().commit(commit)


def committed(commit: Commit) -> Commit:
    seeing = Seeing()
    asyncio.run(HandingJournal(seeing).commit(commit))
    return seeing.commits[0]


def change(expected: int) -> ExecutionChange:
    return ExecutionChange(head=make.head(id="e", version=expected + 1), expected_version=expected)


def task(execution_id: str) -> PendingEffect:
    return PendingEffect(effect=RunTask(key=f"{execution_id}/k", stage_id="s", task_id="1"), execution_id=execution_id)


def test_effects_of_a_step_are_its_workflows_and_what_is_told_to_others_is_handed_over() -> None:
    told = PendingEffect(effect=Deliver(key="e/ended/f", execution_id="f", event=Started(at=make.AT)), execution_id="e")

    seeing = Seeing()
    asyncio.run(seeing.commit(Commit(executions=(change(0),))))
    step = Commit(executions=(change(1),), effects=(task("e"), told), dropped_effects=("e/old",), audit=(ENTRY,))
    asyncio.run(HandingJournal(seeing).commit(step))

    assert seeing.commits[-1] == Commit(
        executions=(change(1),),
        effects=(task("e"),),
        handed_over=(PendingEffect(effect=told.effect, execution_id="f"),),
        dropped_effects=("e/old",),
        audit=(ENTRY,),
    )


def test_the_effects_of_a_new_execution_are_handed_over() -> None:
    submission = PendingEffect(effect=PrepareSubmission(key="e/submission"), execution_id="e")

    written = committed(Commit(executions=(change(0),), effects=(submission,)))

    assert written == Commit(executions=(change(0),), handed_over=(submission,))
