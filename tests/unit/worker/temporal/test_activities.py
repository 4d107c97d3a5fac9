"""Activities: what Temporal may ask twice is done once, and what may have been begun is a repeat."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from tests import make, shells, waiting
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import KillingProbe

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.inspection import Workforce
from gennaker.interfaces.journal import OwnedElsewhere
from gennaker.interfaces.probes import Probe
from gennaker.interfaces.shells import ShellStore
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import Deliver, PendingEffect
from gennaker.model.event import CancelAsked, Event, Failed, PauseAsked, ResumeAsked, TaskReported, TimerRang
from gennaker.model.execution import Execution
from gennaker.model.principal import Principal
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.store.postgres.database import connect
from gennaker.store.postgres.statements import JOIN
from gennaker.worker.core import ShellChoice, ShellType
from gennaker.worker.shells import Result, ShellParts
from gennaker.worker.stepping import Applied
from gennaker.worker.temporal.activities import Activities
from gennaker.worker.temporal.journal import HandingJournal
from gennaker.worker.temporal.messages import Answer, Asked, Found, Performed, Wanted

pytestmark = pytest.mark.debian
ADA = Principal(name="ada", via="test")


class Stands:
    """A shell that does nothing by itself: the test is Temporal."""

    is_ready = True

    def __init__(self, parts: ShellParts, store: ShellStore) -> None:
        self.parts = parts
        self.store = store
        self.nudges: list[None] = []
        self.activities = Activities(parts, store, name="me", nudge=lambda: self.nudges.append(None))

    async def ready(self) -> None:
        pass

    async def run(self) -> None:
        await self.parts.servers.keep()

    async def apply(
        self, execution_id: str, event: Event, *, done_key: str = "", audit: tuple[AuditEntry, ...] = ()
    ) -> Applied:
        raise OwnedElsewhere(execution_id)

    async def to_the_end(self, work: Callable[[], Awaitable[Result]]) -> Result:
        return await work()

    def take(self, effects: Iterable[PendingEffect], dropped: Iterable[str] = ()) -> None:
        pass

    def workforce(self) -> Workforce:
        return Workforce()


class Lab:
    """A server whose activities the test calls."""

    def __init__(self, running: shells.Running, target: Target) -> None:
        shell = running.core.worker
        assert isinstance(shell, Stands)
        self.shell = shell
        self.running = running
        self.target = target

    async def submit(self, kind: str, **keys: Json) -> str:
        config: JsonObject = {"application": "shop", "name": "p", "stages": [make.stage_json("a", type=kind, **keys)]}
        return await self.running.core.services.executions.submit(Submission(config=config), ADA)

    async def look(self, execution_id: str) -> Found:
        return await environment().run(self.shell.activities.look, execution_id)

    async def step(self, answer: Answer) -> Found:
        return await environment().run(self.shell.activities.step, answer)

    async def perform(self, wanted: Wanted, attempt: int = 1) -> Performed:
        return await environment(attempt).run(self.shell.activities.perform, wanted)

    async def begun(self, kind: str, **keys: Json) -> tuple[str, str]:
        """An execution whose task is asked for, and that effect's key."""
        execution_id = await self.submit(kind, **keys)
        (submission,) = (await self.look(execution_id)).asked
        performed = await self.perform(Wanted(execution_id=execution_id, key=submission.key))
        found = await self.step(Answer(execution_id=execution_id, key=submission.key, event=performed.event))
        (key,) = [one.key for one in found.asked if one.is_performed]
        return execution_id, key

    async def told(self, execution_id: str, event: Event, number: int = 1) -> str:
        """Puts a command into the outbox; returns its key."""
        deliver = Deliver(key=f"{execution_id}/command/{number}", execution_id=execution_id, event=event)
        await self.shell.parts.servers.hand_over(PendingEffect(effect=deliver, execution_id=execution_id))
        return deliver.key

    async def execution(self, execution_id: str) -> Execution:
        found = await self.running.store.journal.load(execution_id)
        assert found is not None
        return found

    async def count(self, execution_id: str, kind: type[Event]) -> int:
        events = await self.running.store.journal.events(execution_id)
        return sum(isinstance(recorded.event, kind) for recorded in events)


def environment(attempt: int = 1) -> ActivityEnvironment:
    found = ActivityEnvironment()
    found.info = replace(found.info, attempt=attempt, heartbeat_timeout=timedelta(seconds=2))
    return found


Check = Callable[[Lab], Awaitable[None]]
Run = Callable[[Check], None]


@pytest.fixture
def run(postgres_url: str, tmp_path: Path) -> Run:
    """Runs a check in a fresh installation."""

    def type_of(store: ShellStore | None) -> ShellType:
        assert store is not None

        async def is_pending(key: str) -> bool:
            return await store.find(key) is not None

        return ShellType(
            make=lambda parts: Stands(parts, store),
            journal=HandingJournal,
            is_pending=is_pending,
            version_of=store.version,
        )

    async def main(check: Check, probe: Probe | None) -> None:
        target = Target()
        settings = shells.settings_of(url=postgres_url)
        plugins = (flow.plugin, scripted.plugin(target))
        choice = ShellChoice(lease="temporal:test", type=type_of)
        async with (
            asyncio.timeout(600),
            shells.running(settings, tmp_path, plugins, probe=probe, choice=choice) as running,
        ):
            await check(Lab(running, target))

    return lambda check, probe=None: asyncio.run(main(check, probe))  # type: ignore[misc] # the second is for one test


def test_an_answer_that_comes_twice_is_recorded_once_and_the_second_time_all_is_told_that_is_asked(run: Run) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("make")
        performed = await lab.perform(Wanted(execution_id=execution_id, key=key))
        answer = Answer(execution_id=execution_id, key=key, event=performed.event)

        first = await lab.step(answer)
        second = await lab.step(answer)

        assert [one.key for one in first.asked] == [one.key for one in second.asked]
        assert not first.is_whole
        assert second.is_whole
        assert await lab.count(execution_id, TaskReported) == 1

    run(check)


def test_a_command_that_two_workers_have_at_the_same_time_is_applied_once(run: Run) -> None:
    async def check(lab: Lab) -> None:
        execution_id, _ = await lab.begun("hang")
        asked = CancelAsked(at=lab.running.core.services.clock.now(), by="ada")
        key = await lab.told(execution_id, asked)
        assert Asked(key, is_performed=False) in (await lab.look(execution_id)).asked

        both = await asyncio.gather(*(lab.step(Answer(execution_id=execution_id, key=key)) for _ in range(2)))

        assert sorted(found.is_whole for found in both) == [False, True]
        assert all(found.is_over for found in both)
        assert await lab.count(execution_id, CancelAsked) == 1

    run(check)


def test_a_limit_that_a_run_carries_rings_once_while_the_execution_is_paused(run: Run) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("hang", stageTimeoutMs=1)
        limit = f"{key.rpartition('/')[0]}/deadline"
        now = lab.running.core.services.clock.now
        paused = await lab.told(execution_id, PauseAsked(at=now(), by="ada"), 1)
        assert limit in asked(await lab.look(execution_id))
        await lab.step(Answer(execution_id=execution_id, key=paused))

        await lab.step(Answer(execution_id=execution_id, key=limit))
        looks = [asked(await lab.look(execution_id)) for _ in range(2)]

        assert looks == [[key], [key]]
        assert await lab.count(execution_id, TimerRang) == 1
        resumed = await lab.told(execution_id, ResumeAsked(at=now(), by="ada"), 2)
        assert limit in asked(await lab.step(Answer(execution_id=execution_id, key=resumed)))
        assert asked(await lab.look(execution_id)).count(limit) == 1

    run(check)


def asked(found: Found) -> list[str]:
    return [one.key for one in found.asked]


def test_a_cancelled_task_is_stopped_after_its_runs(run: Run) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("hang")
        await lab.told(execution_id, CancelAsked(at=lab.running.core.services.clock.now(), by="ada"))

        found = await lab.step(Answer(execution_id=execution_id, key=f"{execution_id}/command/1"))

        assert key in found.dropped
        (after,) = [one.after for one in found.asked if one.after]
        assert key.startswith(after)

    run(check)


def test_an_effect_that_may_happen_twice_is_repeated_once_and_marked(run: Run) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("call")
        wanted = Wanted(execution_id=execution_id, key=key)

        await lab.perform(wanted, attempt=1)
        await lab.perform(wanted, attempt=2)
        third = await lab.perform(wanted, attempt=3)

        assert lab.target.calls["a"] == 2
        assert lab.target.repeats == ["a"]
        assert third.event is not None
        event = await lab.shell.store.unpack(third.event)
        assert isinstance(event, TaskReported)
        assert isinstance(event.result, Failed)
        assert event.result.problem.code == "effect.unknown"

    run(check)


def test_what_a_lost_workflow_may_have_begun_is_a_repeat(run: Run) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("call")

        await lab.perform(Wanted(execution_id=execution_id, key=key, is_repeat=True))

        assert lab.target.repeats == ["a"]

    run(check)


def test_an_effect_that_is_no_longer_asked_for_is_not_performed(run: Run) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("make")
        answer = await lab.perform(Wanted(execution_id=execution_id, key=key))
        await lab.step(Answer(execution_id=execution_id, key=key, event=answer.event))

        assert await lab.perform(Wanted(execution_id=execution_id, key=key)) == Performed()
        assert list(lab.target.made.values()) == [1]

    run(check)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (ActivityCancellationDetails(cancel_requested=True), asyncio.CancelledError),
        (ActivityCancellationDetails(worker_shutdown=True), ApplicationError),
    ],
    ids=["no longer wanted", "the server ends"],
)
def test_a_task_is_cut_off_when_it_is_no_longer_wanted_and_given_back_when_the_server_ends(
    run: Run, details: ActivityCancellationDetails, expected: type[BaseException]
) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("hang")
        inside = environment()
        # A server may be silent for long before it counts as dead: its tasks still hear soon that they are cancelled.
        inside.info = replace(inside.info, heartbeat_timeout=timedelta(hours=8))
        beats: list[object] = []
        inside.on_heartbeat = lambda *_: beats.append(None)
        async with asyncio.TaskGroup() as group:
            performing = group.create_task(
                _caught(inside.run(lab.shell.activities.perform, Wanted(execution_id=execution_id, key=key)))
            )
            await waiting.until(lambda: "began" in lab.target.order, "the task to begin")
            assert list(lab.shell.activities.at_work) == [key]
            await waiting.until(lambda: len(beats) > 1, "the second heartbeat")
            inside.cancel(details)

        found = performing.result()
        assert isinstance(found, expected) or (isinstance(found, ExceptionGroup) and found.subgroup(expected))
        assert lab.target.order == ["began", "ended"]
        assert lab.shell.activities.at_work == {}

    run(check)


async def _caught(work: Awaitable[object]) -> BaseException | None:
    try:
        await work
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is what is looked at
        return error
    return None


def test_an_execution_that_is_somebody_elses_by_now_is_told_by_way_of_the_outbox(run: Run, postgres_url: str) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("make")
        performed = await lab.perform(Wanted(execution_id=execution_id, key=key))
        taken_over(postgres_url, execution_id)

        found = await lab.step(Answer(execution_id=execution_id, key=key, event=performed.event))

        assert found == Found(is_whole=True, is_over=True)
        (handed,) = [one.effect for one in await lab.running.store.journal.pending() if one.effect.key == key]
        assert isinstance(handed, Deliver)
        assert isinstance(handed.event, TaskReported)

    run(check)


def taken_over(url: str, execution_id: str) -> None:
    """As if an embedded server had it."""
    with connect(url) as other:
        (fence,) = other.execute(JOIN.encode(), ("embedded", 10**9)).fetchone() or (0,)
        other.execute("UPDATE executions SET fence = %s WHERE id = %s", (fence, execution_id))


def test_a_command_for_nobody_is_thrown_away(run: Run) -> None:
    async def check(lab: Lab) -> None:
        key = await lab.told("nobody", CancelAsked(at=lab.running.core.services.clock.now(), by="ada"))

        found = await lab.step(Answer(execution_id="nobody", key=key))

        assert found == Found(is_whole=True, is_over=True)
        assert await lab.running.store.journal.pending() == ()

    run(check)


class FaultyProbe(KillingProbe):
    """The engine raises once, as it would for a fault of its own."""

    def reached(self, point: str) -> None:
        super().reached(point)
        if point == "commit.before:TaskReported" and self.seen.count(point) == 1:
            raise OverflowError("date value out of range")


def test_a_fault_of_the_engine_costs_the_execution_that_has_met_it(run: Callable[[Check, Probe], None]) -> None:
    async def check(lab: Lab) -> None:
        execution_id, key = await lab.begun("make")
        performed = await lab.perform(Wanted(execution_id=execution_id, key=key))

        await lab.step(Answer(execution_id=execution_id, key=key, event=performed.event))

        head = (await lab.execution(execution_id)).head
        assert head.status is Status.CANCELED
        assert head.cancellation_reason is not None
        assert "A fault in the engine: OverflowError" in head.cancellation_reason

    run(check, FaultyProbe())
