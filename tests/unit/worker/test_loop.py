"""The loop: effects out of the outbox, results back in, timers, recovery, dropping, and what ends it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.journal import MemoryJournal
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, KillingProbe, ended, problem_of, reached

from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.journal import Commit, Conflict
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import TaskContext
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.codec import JsonObject
from gennaker.model.effect import PendingEffect, StartTimer
from gennaker.model.event import CancelAsked, Done, TaskResult, TimerRang
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import EngineSettings, Settings


def pipeline(*stages: JsonObject, **fields: Any) -> JsonObject:
    return {"application": "shop", "name": "deliver", "stages": list(stages), **fields}


CALL = pipeline(make.stage_json("call", type="call", name="call"))
MAKE = pipeline(make.stage_json("make", type="make", name="make"))
MAIL = pipeline(
    make.stage_json("make", type="make", name="make"),
    notifications=[{"type": "test", "address": "team", "when": ["pipeline.complete"]}],
)


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def harness(target: Target) -> Harness:
    return Harness(flow.plugin, scripted.plugin(target))


# -- recovery ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["effect.before", "effect.after", "commit.before:TaskReported"])
def test_a_repeatable_effect_that_was_cut_off_is_repeated_under_the_same_key(
    harness: Harness, target: Target, moment: str
) -> None:
    point = moment if ":" in moment else f"{moment}:RunTask:make.run"

    execution = harness.run(MAKE, kill_at=[point])

    assert execution.head.status is Status.SUCCEEDED
    assert list(target.made) == [f"{execution.head.id}/make/1/0.1"]
    assert set(target.made.values()) == ({1} if moment == "effect.before" else {2})


def test_a_repeat_is_marked_in_the_audit(harness: Harness) -> None:
    harness.run(MAKE, kill_at=["effect.after:RunTask:make.run"])

    (performed,) = [entry for entry in harness.journal.audit if entry.action == "effect.performed"]
    assert performed.details["repeat"] is True


def test_a_recorded_result_is_not_performed_again(harness: Harness, target: Target) -> None:
    harness.run(MAKE, kill_at=["commit.after:TaskReported"])

    assert set(target.made.values()) == {1}


def test_an_effect_that_may_happen_twice_is_repeated_once_and_marked(harness: Harness, target: Target) -> None:
    execution = harness.run(CALL, kill_at=["effect.after:RunTask:call.run"])

    assert execution.head.status is Status.SUCCEEDED
    assert target.calls == {"call": 2}
    assert target.repeats == ["call"]


def test_two_cut_off_attempts_leave_the_outcome_unknown(harness: Harness, target: Target) -> None:
    execution = harness.run(CALL, kill_at=["effect.after:RunTask:call.run#1", "effect.after:RunTask:call.run#2"])

    assert target.calls == {"call": 2}
    assert execution.head.status is Status.TERMINAL
    assert "its outcome is unknown" in problem_of(execution)


def test_a_message_is_sent_at_most_twice_with_one_delivery_id(harness: Harness, target: Target) -> None:
    point = "effect.after:Notify:pipeline.complete"
    harness.run(MAIL, kill_at=[f"{point}#1", f"{point}#2"], afterwards=timedelta(minutes=1))

    assert list(target.inbox.mails.values()) == [2]
    assert target.inbox.marked == set(target.inbox.mails)
    (sent,) = [entry for entry in harness.journal.audit if entry.action == "notification.sent"]
    assert sent.details["outcome"] == "unknown"


def test_a_timer_that_is_due_later_survives_the_process(harness: Harness) -> None:
    waits = pipeline(make.stage_json("wait", type="wait", name="wait", waitTime=1200))

    async def until_it_waits(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "wait")
        await asyncio.sleep(600)
        harness.probe.reached("by hand")

    execution = harness.run(waits, kill_at=["by hand"], meanwhile=until_it_waits)

    assert execution.head.start_time is not None
    assert execution.head.end_time is not None
    lasted = execution.head.end_time - execution.head.start_time
    assert timedelta(minutes=20) <= lasted < timedelta(minutes=20, seconds=5)


def test_a_timer_that_became_due_while_nobody_was_there_rings_at_the_start(harness: Harness) -> None:
    waits = pipeline(make.stage_json("wait", type="wait", name="wait", waitTime=60))

    async def until_it_waits(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "wait")
        harness.time.pass_by(7200)  # type: ignore[union-attr]  # it is the virtual one
        harness.probe.reached("by hand")

    execution = harness.run(waits, kill_at=["by hand"], meanwhile=until_it_waits)

    assert execution.head.status is Status.SUCCEEDED


def test_commands_wait_until_recovery_has_seen_the_whole_outbox(target: Target) -> None:
    class SlowToTell(MemoryJournal):
        """Tells what is pending as it was, a long time later."""

        is_slow = False

        async def pending(self) -> tuple[PendingEffect, ...]:
            found = await super().pending()
            await asyncio.sleep(60 if self.is_slow else 0)
            return found

    harness = Harness(flow.plugin, scripted.plugin(target))
    journal = harness.journal = SlowToTell()
    polls = pipeline(make.stage_json("poll", type="poll", name="poll"))

    async def begin(services: Services) -> None:
        execution_id = await services.executions.submit(Submission(config=polls), TESTER)
        await reached(services, execution_id, "poll")

    async def cancel_early() -> None:
        built = harness.built()
        (execution,) = await journal.find(Found())
        event = CancelAsked(at=harness.time.now(), by="tester")
        async with asyncio.TaskGroup() as group:
            running = group.create_task(built.worker.run())
            telling = group.create_task(built.services.executions.tell(execution.head.id, event, TESTER))
            await asyncio.sleep(30)
            assert not telling.done()
            await telling
            assert built.worker.is_ready
            await asyncio.sleep(300)
            running.cancel()

    harness.do(begin)
    journal.is_slow = True
    harness.time.run(cancel_early())
    journal.is_slow = False

    (execution,) = harness.executions()
    assert execution.head.status is Status.CANCELED
    assert asyncio.run(journal.pending()) == ()
    assert [entry for entry in journal.audit if entry.action == "effect.performed"] == []


# -- dropping and stopping --------------------------------------------------------------------------------------------


def test_a_cancelled_task_has_ended_before_it_is_stopped_and_the_worker_goes_on(
    harness: Harness, target: Target
) -> None:
    async def cancel_then_run_another(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "hang")
        await asyncio.sleep(1)
        event = CancelAsked(at=services.clock.now(), by="tester", reason="enough")
        await services.executions.tell(execution_id, event, TESTER)
        await asyncio.sleep(10)
        await services.executions.submit(Submission(config=MAKE, key="another"), TESTER)

    hangs = pipeline(make.stage_json("hang", type="hang", name="hang"))
    execution = harness.run(hangs, meanwhile=cancel_then_run_another, afterwards=timedelta(minutes=1))

    assert execution.head.status is Status.CANCELED
    assert target.order == ["began", "ended", "stopped"]
    assert target.stopped == [f"{execution.head.id}/hang/1/0.1"]
    assert len(target.made) == 1


def test_a_task_that_follows_others_is_cancelled_alone_and_what_runs_beside_it_ends(
    harness: Harness, target: Target
) -> None:
    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "hang")
        await asyncio.sleep(1)
        await services.executions.submit(Submission(config=MAKE, key="another"), TESTER)
        event = CancelAsked(at=services.clock.now(), by="tester", reason="enough")
        await services.executions.tell(execution_id, event, TESTER)

    follows = pipeline(
        make.stage_json("1", type="make", name="first"),
        make.stage_json("2", "1", type="make", name="second"),
        make.stage_json("3", "2", type="hang", name="hang"),
        make.stage_json("4", "2", type="make", name="beside"),
    )
    execution = harness.run(follows, meanwhile=cancel, afterwards=timedelta(minutes=1))

    assert execution.head.status is Status.CANCELED
    assert target.order == ["began", "ended", "stopped"]
    assert list(target.made.values()) == [1] * 4


def test_what_follows_at_once_is_performed_side_by_side_and_in_turn() -> None:
    under_way, most, order = 0, 0, []

    async def work(context: TaskContext) -> TaskResult:
        nonlocal under_way, most
        order.append(context.stage.name)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(1)
        under_way -= 1
        return Done()

    harness = Harness(Plugin(name="works", stages=(scripted.stage("works", work),)))
    fan = [make.stage_json(str(n), "0", type="works", name=str(n)) for n in range(1, 5)]
    joined = make.stage_json("5", "1", "2", "3", "4", type="works", name="5")

    execution = harness.run(pipeline(make.stage_json("0", type="works", name="0"), *fan, joined))

    assert execution.head.status is Status.SUCCEEDED
    assert (most, sorted(order), order[-1]) == (4, list("012345"), "5")


def test_a_killed_stop_is_repeated(harness: Harness, target: Target) -> None:
    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "hang")
        await asyncio.sleep(1)
        event = CancelAsked(at=services.clock.now(), by="tester", reason="enough")
        await services.executions.tell(execution_id, event, TESTER)

    hangs = pipeline(make.stage_json("hang", type="hang", name="hang"))
    point = "effect.after:StopTask:hang.run"
    harness.run(hangs, meanwhile=cancel, kill_at=[point], afterwards=timedelta(minutes=1))

    assert len(target.stopped) == 2
    assert len(set(target.stopped)) == 1


def test_a_task_that_is_cancelled_while_it_starts_a_child_leaves_no_child_that_nobody_performs(target: Target) -> None:
    async def start_child(context: TaskContext) -> TaskResult:
        child = Submission(config=MAKE, key="child")
        await context.services.executions.submit(child, TESTER)
        return Done()

    class SlowForChildren(MemoryJournal):
        async def commit(self, commit: Commit) -> None:
            await super().commit(commit)
            if any(change.submission_key == "child" for change in commit.executions):
                await asyncio.sleep(5)

    harness = Harness(flow.plugin, scripted.plugin(target, scripted.stage("starts", start_child)))
    harness.journal = SlowForChildren()

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "starts")
        await asyncio.sleep(2)
        event = CancelAsked(at=services.clock.now(), by="tester")
        await services.executions.tell(execution_id, event, TESTER)

    starts = pipeline(make.stage_json("starts", type="starts", name="starts"))
    harness.run(starts, meanwhile=cancel, afterwards=timedelta(minutes=1))

    parent, child = harness.executions()
    assert parent.head.status is Status.CANCELED
    assert child.head.status is Status.SUCCEEDED


# -- what ends the worker, and what doesn't ---------------------------------------------------------------------------


class Full(MemoryJournal):
    """Its disk is full from a certain commit on."""

    def __init__(self, commits: int) -> None:
        super().__init__()
        self.left = commits

    async def commit(self, commit: Commit) -> None:
        self.left -= 1
        if self.left < 0:
            raise StoreUnusable(Problem(code="store.full", message="The disk is full.", remedy="Make room."))
        await super().commit(commit)


@pytest.mark.parametrize("commits", range(1, 4))
def test_a_commit_that_fails_stops_the_worker_with_the_sentence_and_loses_nothing(
    harness: Harness, target: Target, commits: int
) -> None:
    harness.journal = Full(commits)

    with pytest.raises(ExceptionGroup) as caught:
        harness.run(MAKE)

    (cause,) = {str(error) for error in flattened(caught.value)}
    assert cause == "The disk is full. Make room."
    harness.journal.left = 1000
    harness.do(wait_a_minute)
    (execution,) = harness.executions()
    assert execution.head.status is Status.SUCCEEDED
    assert list(target.made) == [f"{execution.head.id}/make/1/0.1"]


def test_a_task_that_meets_a_full_disk_is_no_failed_task(target: Target) -> None:
    is_full = True

    async def keep(_: TaskContext) -> TaskResult:
        if is_full:
            raise StoreUnusable(Problem(code="store.full", message="The disk is full."))
        return Done()

    harness = Harness(flow.plugin, scripted.plugin(target, scripted.stage("keep", keep)))

    with pytest.raises(ExceptionGroup):
        harness.run(pipeline(make.stage_json("keep", type="keep", name="keep")))

    is_full = False
    harness.do(wait_a_minute)
    (execution,) = harness.executions()
    assert execution.head.status is Status.SUCCEEDED


def test_a_conflict_is_met_by_reading_again(target: Target) -> None:
    class Contended(MemoryJournal):
        """Every second commit meets somebody who was faster."""

        conflicts = 0

        async def commit(self, commit: Commit) -> None:
            is_new = any(change.expected_version == 0 for change in commit.executions)
            self.conflicts += not is_new
            if commit.executions and not is_new and self.conflicts % 2:
                raise Conflict("somebody was faster")
            await super().commit(commit)

    harness = Harness(flow.plugin, scripted.plugin(target))
    journal = harness.journal = Contended()

    execution = harness.run(MAKE)

    assert journal.conflicts > 2
    assert execution.head.status is Status.SUCCEEDED
    assert set(target.made.values()) == {1}


def test_a_cancellation_out_of_nowhere_fails_the_task_instead_of_losing_it(target: Target) -> None:
    async def ask_a_pool(_: TaskContext) -> TaskResult:
        raise asyncio.CancelledError  # as a client does whose connection pool was closed

    harness = Harness(flow.plugin, scripted.plugin(target, scripted.stage("asks", ask_a_pool)))

    execution = harness.run(pipeline(make.stage_json("asks", type="asks", name="asks")))

    assert execution.head.status is Status.TERMINAL
    assert "Unexpected failure of run: CancelledError" in problem_of(execution)


def test_an_effect_of_an_execution_that_is_gone_is_thrown_away(harness: Harness) -> None:
    timer = StartTimer(key="gone/timer", rings_at=make.AT, about="nothing")
    asyncio.run(harness.journal.commit(Commit(effects=(PendingEffect(effect=timer, execution_id="gone"),))))

    harness.do(wait_a_minute)

    assert asyncio.run(harness.journal.pending()) == ()


def test_a_command_for_an_unknown_execution_is_refused(harness: Harness) -> None:
    async def tell(services: Services) -> None:
        event = TimerRang(at=services.clock.now(), key="x")
        await services.executions.tell("nobody", event, TESTER)

    with pytest.raises(ExceptionGroup) as caught:
        harness.do(tell)

    (refused,) = flattened(caught.value)
    assert isinstance(refused, Refused)
    assert refused.status == 404


def test_no_more_effects_are_performed_at_once_than_allowed() -> None:
    under_way, most = 0, 0

    async def work(_: TaskContext) -> TaskResult:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(1)
        under_way -= 1
        return Done()

    plugin = Plugin(name="works", stages=(scripted.stage("works", work),))
    harness = Harness(plugin, settings=Settings(engine=EngineSettings(concurrent_tasks=3)))

    execution = harness.run(pipeline(*(make.stage_json(str(n), type="works", name=str(n)) for n in range(10))))

    assert execution.head.status is Status.SUCCEEDED
    assert most == 3


async def wait_a_minute(_: Services) -> None:
    await asyncio.sleep(60)


def flattened(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in flattened(one)]
    return [error]


# -- faults of our own ------------------------------------------------------------------------------------------------


class FaultyProbe(KillingProbe):
    """The engine raises once at each of these points, as it would for a fault of its own."""

    def __init__(self, *points: str) -> None:
        super().__init__()
        self.left = list(points)

    def reached(self, point: str) -> None:
        super().reached(point)
        if point in self.left:
            self.left.remove(point)
            raise OverflowError("date value out of range")


def test_a_fault_of_the_engine_costs_the_execution_that_has_met_it_and_no_other(harness: Harness) -> None:
    harness.probe = FaultyProbe("commit.before:TaskReported")

    met = harness.run(MAKE)
    other = harness.run(MAKE)

    assert met.head.status is Status.CANCELED
    assert met.head.cancellation_reason is not None
    assert "A fault in the engine: OverflowError: date value out of range" in met.head.cancellation_reason
    assert other.head.status is Status.SUCCEEDED


def test_an_execution_whose_end_meets_a_fault_too_stands_still_until_a_mended_server_starts(harness: Harness) -> None:
    probe = harness.probe = FaultyProbe("commit.before:TaskReported", "commit.before:CancelAsked")
    ids: list[str] = []

    async def two(services: Services) -> None:
        ids.append(await services.executions.submit(Submission(config=MAKE, trigger={}, key="met"), TESTER))
        await asyncio.sleep(60)
        assert probe.left == []
        ids.append(await services.executions.submit(Submission(config=MAKE, trigger={}, key="other"), TESTER))
        await ended(services, ids[1])

    async def mended(services: Services) -> None:
        await ended(services, ids[0])

    harness.do(two)
    harness.do(mended)

    assert [one.head.status for one in harness.executions()] == [Status.SUCCEEDED, Status.SUCCEEDED]
