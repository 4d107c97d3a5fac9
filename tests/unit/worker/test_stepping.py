"""Stepping: one event, one transaction, with what follows from it; conflicts; queues."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec.structs import replace
from tests import make
from tests.fakes.journal import MemoryJournal

from gennaker.engine import admit
from gennaker.engine.rules import Rules
from gennaker.interfaces.journal import Commit, Conflict, ExecutionChange, RecordedEvent
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import PendingEffect, PrepareSubmission, RunTask
from gennaker.model.event import (
    CancelAsked,
    Event,
    NumberAsked,
    NumberReturned,
    StagePrepared,
    SubmissionPrepared,
    Submitted,
    TaskPrepared,
    TimerRang,
)
from gennaker.model.problems import Refused
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status
from gennaker.model.waiting import said
from gennaker.worker import stepping
from gennaker.worker.probes import SilentProbe
from gennaker.worker.stepping import AlreadyAnswered, Applied, PrepareNow, Stepper

HEAD = make.head(version=1)
KEY = f"{make.EXECUTION}/submission"


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


async def accepted(journal: MemoryJournal, **fields: object) -> None:
    head = replace(HEAD, **fields)
    change = ExecutionChange(
        head=head,
        expected_version=0,
        events=(RecordedEvent(number=1, event=Submitted(at=make.AT, head=head)),),
        submission_key=f"execution:{head.id}",
    )
    effect = PendingEffect(effect=PrepareSubmission(key=f"{head.id}/submission"), execution_id=head.id)
    await journal.commit(Commit(executions=(change,), effects=(effect,)))


def stepper(journal: MemoryJournal, prepare_now: PrepareNow = lambda *_: None, cached: int = 10) -> Stepper:
    return Stepper(journal=journal, rules=Rules(stages={}), prepare_now=prepare_now, probe=SilentProbe(), cached=cached)


def prepared(*stages: Any, **config: Any) -> SubmissionPrepared:
    return SubmissionPrepared(at=make.AT, key=KEY, config=make.config(*stages, **config))


def test_a_step_is_one_commit_of_state_events_effects_and_audit() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)
        record = AuditEntry(at=make.AT, actor="ada", action="test", subject="x")

        applied = await stepper(journal).apply(
            make.EXECUTION, prepared(make.stage_json("a")), done_key=KEY, audit=(record,)
        )

        stored = await journal.load(make.EXECUTION)
        assert stored == applied.execution
        assert [event.number for event in await journal.events(make.EXECUTION)] == list(
            range(1, applied.execution.head.version + 1)
        )
        assert await journal.pending() == applied.effects
        assert [type(one.effect).__name__ for one in applied.effects] == ["PrepareStage"]
        assert journal.audit[0] == record
        assert "execution.running" in [entry.action for entry in journal.audit]

    run(main)


def test_preparing_that_asks_nobody_is_part_of_the_transaction() -> None:
    def prepare_now(effect: Any, execution: Any) -> Any:
        async def answer() -> Any:
            if type(effect).__name__ == "PrepareStage":
                task = make.task()
                return StagePrepared(at=make.AT, key=effect.key, stage_id=effect.stage_id, tasks=(task,))
            stage = execution.stages[effect.stage_id]
            return TaskPrepared(
                at=make.AT, key=effect.key, stage_id=stage.id, task_id=effect.task_id, context=stage.context
            )

        return answer() if type(effect).__name__ in ("PrepareStage", "PrepareTask") else None

    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)

        applied = await stepper(journal, prepare_now).apply(
            make.EXECUTION, prepared(make.stage_json("a")), done_key=KEY
        )

        (pending,) = await journal.pending()
        assert isinstance(pending.effect, RunTask)
        assert applied.effects == (pending,)

    run(main)


def test_preparing_that_has_taken_long_is_followed_by_a_step_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "_FOLDED_SECONDS", -1)

    def prepare_now(effect: Any, _: Any) -> Any:
        raise AssertionError(f"{effect} is prepared within the step")

    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)

        applied = await stepper(journal, prepare_now).apply(
            make.EXECUTION, prepared(make.stage_json("a")), done_key=KEY
        )

        assert [type(one.effect).__name__ for one in applied.effects] == ["PrepareStage"]

    run(main)


def test_a_wide_execution_is_not_folded_without_end() -> None:
    def prepare_now(effect: Any, _: Any) -> Any:
        async def answer() -> Any:
            task = make.task()
            return StagePrepared(at=make.AT, key=effect.key, stage_id=effect.stage_id, tasks=(task,))

        return answer() if type(effect).__name__ == "PrepareStage" else None

    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)
        stages = [make.stage_json(str(number)) for number in range(200)]

        await stepper(journal, prepare_now).apply(make.EXECUTION, prepared(*stages), done_key=KEY)

        left = [one for one in await journal.pending() if type(one.effect).__name__ == "PrepareStage"]
        assert 100 < len(left) < 200

    run(main)


def test_an_ignored_event_is_recorded_with_its_reason_and_removes_its_effect() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)
        before = await journal.load(make.EXECUTION)
        assert before is not None

        applied = await stepper(journal).apply(make.EXECUTION, TimerRang(at=make.AT, key="stale"), done_key=KEY)

        assert applied.ignored
        assert await journal.pending() == ()
        last = (await journal.events(make.EXECUTION))[-1]
        assert last.ignored == applied.ignored
        assert applied.execution.head.version == before.head.version + 1
        assert journal.audit == ()

    run(main)


def test_a_conflict_throws_the_memory_away_and_steps_again() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)
        mine, other = stepper(journal), stepper(journal)
        await mine.load(make.EXECUTION)
        await other.apply(make.EXECUTION, prepared(make.stage_json("a")), done_key=KEY)

        applied = await mine.apply(make.EXECUTION, CancelAsked(at=make.AT, by="ada"))

        assert applied.execution.head.status is Status.CANCELED
        assert applied.execution == await journal.load(make.EXECUTION)
        assert applied.execution.stages != {}

    run(main)


def test_endless_conflicts_are_raised() -> None:
    class Never(MemoryJournal):
        tries = 0

        async def commit(self, commit: Commit) -> None:
            if commit.executions[0].expected_version:
                self.tries += 1
                raise Conflict("somebody was faster")
            await super().commit(commit)

    async def main() -> None:
        journal = Never()
        await accepted(journal)

        with pytest.raises(Conflict):
            await stepper(journal).apply(make.EXECUTION, TimerRang(at=make.AT, key="x"))
        assert journal.tries == 5

    run(main)


def test_an_unknown_execution_is_refused_with_404() -> None:
    async def main() -> None:
        with pytest.raises(Refused) as caught:
            await stepper(MemoryJournal()).apply("nobody", TimerRang(at=make.AT, key="x"))
        assert caught.value.status == 404

    run(main)


def test_events_at_the_same_time_are_applied_one_after_another() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)
        one = stepper(journal)

        await asyncio.gather(
            *(one.apply(make.EXECUTION, TimerRang(at=make.AT, key=str(number))) for number in range(20))
        )

        numbers = [event.number for event in await journal.events(make.EXECUTION)]
        assert numbers == list(range(1, 22))

    run(main)


class Slow(MemoryJournal):
    """Commits one at a time, when they are let; says how many there were."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.has_begun = asyncio.Event()

    async def commit(self, commit: Commit) -> None:
        self.commits += 1
        self.has_begun.set()
        await self.may_go_on.wait()
        await super().commit(commit)


async def in_line(one: Stepper, journal: Slow, *events: Event) -> list["asyncio.Task[Applied]"]:
    """The first is being made durable, the others stand in line."""
    journal.commits = 0
    journal.has_begun.clear()
    journal.may_go_on.clear()
    first, *others = events
    tasks = [asyncio.create_task(one.apply(make.EXECUTION, first))]  # noqa: TID251 - the test awaits them
    await journal.has_begun.wait()
    tasks += [asyncio.create_task(one.apply(make.EXECUTION, event)) for event in others]  # noqa: TID251 - as above
    await asyncio.sleep(0)
    return tasks


def rings(count: int) -> list[Event]:
    return [TimerRang(at=make.AT, key=str(number)) for number in range(count)]


def test_what_waits_for_an_execution_shares_the_next_step() -> None:
    async def main() -> None:
        journal = Slow()
        await accepted(journal)
        events = [*rings(3), prepared(make.stage_json("a")), CancelAsked(at=make.AT, by="ada")]
        tasks = await in_line(stepper(journal), journal, *events)

        journal.may_go_on.set()
        applied = [await one for one in tasks]

        assert journal.commits == 2
        assert [one.event for one in await journal.events(make.EXECUTION)][1:] == events
        assert [bool(one.ignored) for one in applied] == [True, True, True, False, False]
        assert {one.execution.head.status for one in applied[1:]} == {Status.CANCELED}
        # Taking what follows belongs to the commit: it is the first one's.
        assert [type(one.effect).__name__ for one in applied[1].effects] == ["Announce"]
        assert [one.effects for one in applied[2:]] == [(), (), ()]

    run(main)


def test_a_step_of_many_that_fails_is_made_for_each_alone() -> None:
    class Picky(Slow):
        async def commit(self, commit: Commit) -> None:
            if any(getattr(one.event, "key", "") == "1" for one in commit.executions[0].events):
                raise OverflowError("a fault")
            await super().commit(commit)

    async def main() -> None:
        journal = Picky()
        await accepted(journal)
        tasks = await in_line(stepper(journal), journal, *rings(4))

        journal.may_go_on.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)

        assert [type(one) for one in found] == [Applied, OverflowError, Applied, Applied]
        keys = [getattr(one.event, "key", "") for one in await journal.events(make.EXECUTION)][1:]
        assert keys == ["0", "2", "3"]

    run(main)


def test_who_gives_up_in_line_leaves_the_others_their_turns() -> None:
    async def main() -> None:
        journal = Slow()
        await accepted(journal)
        tasks = await in_line(stepper(journal), journal, *rings(4))

        tasks[1].cancel()
        journal.may_go_on.set()
        await tasks[0]
        tasks[2].cancel()  # it may have been called just now
        found = await asyncio.gather(*tasks, return_exceptions=True)

        assert isinstance(found[1], asyncio.CancelledError)
        assert isinstance(found[3], Applied)
        assert (await stepper(journal).apply(make.EXECUTION, rings(1)[0])).ignored

    run(main)


def test_memory_holds_no_more_executions_than_told() -> None:
    class Counting(MemoryJournal):
        loads = 0

        async def load(self, execution_id: str) -> Any:
            self.loads += 1
            return await super().load(execution_id)

    async def main() -> None:
        journal = Counting()
        for name in ("x1", "x2", "x3"):
            await accepted(journal, id=name, root_id=name)
        one = stepper(journal, cached=2)

        for name in ("x1", "x2", "x3", "x3", "x2", "x1"):
            found = await one.load(name)
            assert found is not None
            assert found.head.id == name

        assert journal.loads == 4

    run(main)


def among_servers(journal: MemoryJournal) -> Stepper:
    """Any server may make an execution's next step, and an answer may come to two of them."""

    async def is_pending(key: str) -> bool:
        return any(pending.effect.key == key for pending in await journal.pending())

    async def version_of(execution_id: str) -> int | None:
        found = await journal.load(execution_id)
        return None if found is None else found.head.version

    return Stepper(
        journal=journal,
        rules=Rules(stages={}),
        prepare_now=lambda *_: None,
        probe=SilentProbe(),
        cached=10,
        is_shared=True,
        is_pending=is_pending,
        version_of=version_of,
    )


def test_an_answer_that_two_servers_have_is_applied_by_one_of_them() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)
        event = prepared(make.stage_json("a"))
        servers = among_servers(journal), among_servers(journal)

        found = await asyncio.gather(
            *(server.apply(make.EXECUTION, event, done_key=KEY) for server in servers), return_exceptions=True
        )

        assert sorted(type(one) for one in found if isinstance(one, BaseException)) == [AlreadyAnswered]
        assert [recorded.event for recorded in await journal.events(make.EXECUTION)][1:] == [event]
        with pytest.raises(AlreadyAnswered):
            await servers[0].apply(make.EXECUTION, event, done_key=KEY)
        assert len(await journal.events(make.EXECUTION)) == 2

    run(main)


def test_memory_is_not_believed_where_another_server_may_have_gone_on() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        await accepted(journal)
        mine, other = among_servers(journal), among_servers(journal)
        before = await mine.load(make.EXECUTION)
        assert await mine.load(make.EXECUTION) is before

        await other.apply(make.EXECUTION, prepared(make.stage_json("a")), done_key=KEY)

        assert await mine.load(make.EXECUTION) == await journal.load(make.EXECUTION) != before

    run(main)


def test_entering_and_leaving_a_queue_are_part_of_the_executions_transaction() -> None:
    async def main() -> None:
        journal = MemoryJournal()
        one = stepper(journal)
        for name in ("x1", "x2"):
            await accepted(journal, id=name, root_id=name, pipeline_config_id="p")
            event = replace(prepared(make.stage_json("a"), limitConcurrent=True), key=f"{name}/submission")
            await one.apply(name, event, done_key=event.key)

        queue = await journal.load_queue("pipeline:p")
        assert queue.running == ("x1",)
        assert [waiting.execution_id for waiting in queue.waiting] == ["x2"]
        second = await journal.load("x2")
        assert second is not None
        assert "x1" in said(second.head.waiting_for)

        await one.apply("x1", CancelAsked(at=make.AT, by="ada"))

        queue = await journal.load_queue("pipeline:p")
        assert queue.running == ("x2",)
        delivered = [e.effect for e in await journal.pending() if type(e.effect).__name__ == "Deliver"]
        assert [getattr(effect, "execution_id", "") for effect in delivered] == ["x2"]

    run(main)


def test_changing_a_queue_keeps_the_journals_version_rule() -> None:
    def asking(holder: str) -> Callable[[Queue], Queue]:
        return lambda queue: admit.admit(queue, NumberAsked(at=make.AT, holder=holder, taken=(0,), newest=0)).queue

    async def main() -> None:
        journal = MemoryJournal()
        one = stepper(journal)

        await asyncio.gather(*(one.change_queue("cluster:c", asking(holder)) for holder in ("a", "b", "a", "c")))

        queue = await journal.load_queue("cluster:c")
        assert queue.version == 4
        assert sorted(queue.numbers.values()) == [1, 2, 3]
        returned = NumberReturned(at=make.AT, holder="b")
        after = await one.change_queue("cluster:c", lambda queue: admit.admit(queue, returned).queue)
        assert after.version == 5
        assert set(after.numbers) == {"a", "c"}
        assert await journal.load_queue("cluster:c") == after

    run(main)
