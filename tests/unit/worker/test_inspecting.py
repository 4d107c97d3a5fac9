"""Inspecting: what is gathered for one execution."""

import asyncio
from datetime import timedelta

from tests import make

from gennaker.interfaces.inspection import Workforce
from gennaker.interfaces.journal import Commit, ExecutionChange, RecordedEvent
from gennaker.model.effect import PendingEffect, StartTimer
from gennaker.model.event import Submitted
from gennaker.testing.journal import MemoryJournal
from gennaker.worker import inspecting


def test_of_the_outbox_only_what_belongs_to_the_execution_is_read() -> None:
    class Sparing(MemoryJournal):
        async def pending(self) -> tuple[PendingEffect, ...]:
            raise AssertionError("the whole outbox was read")

    async def main() -> None:
        journal = Sparing()
        head = make.head(version=1)
        timer = StartTimer(key="timer", rings_at=make.AT + timedelta(hours=1), about="wait")
        own = PendingEffect(effect=timer, execution_id=head.id, due=timer.rings_at)
        begun = ExecutionChange(
            head=head,
            expected_version=0,
            events=(RecordedEvent(number=1, event=Submitted(at=make.AT, head=head)),),
            submission_key="one",
        )
        theirs = PendingEffect(effect=StartTimer(key="2", rings_at=make.AT, about="wait"), execution_id="01OTHER")
        await journal.commit(Commit(executions=(begun,), effects=(theirs, own)))

        facts = await inspecting.facts(journal, head.id, at=make.AT, workforce=Workforce())

        assert facts.known[head.id].outbox == (own,)

    asyncio.run(main())
