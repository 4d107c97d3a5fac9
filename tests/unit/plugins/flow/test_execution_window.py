"""Execution window: stages begin within their window only, after a delay perhaps."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests import make
from tests.harness import TESTER, Harness, problem_of, reached

from gennaker.interfaces.services import Services
from gennaker.model.event import CancelAsked, PauseAsked, ResumeAsked, SkipAsked, StagePatched
from gennaker.model.execution import Execution, Stage
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForWindow
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import EngineSettings, Settings

TYPE = "restrictExecutionDuringTimeWindow"


def restricted(window: Any, **fields: Any) -> Any:
    kind = fields.pop("type", "wait")
    context = {"restrictExecutionDuringTimeWindow": True, "restrictedExecutionWindow": window, **fields}
    return make.stage_json("w", type=kind, **context)


def run(window: Any, *, meanwhile: Any = None, trigger: Any = None, zone: str = "UTC", **fields: Any) -> Execution:
    harness = Harness(flow.plugin, settings=Settings(engine=EngineSettings(time_zone=zone)))
    stages: list[Any] = [restricted(window, **{"type": "noop", **fields})]
    return harness.run({"application": "shop", "name": "d", "stages": stages}, trigger, meanwhile=meanwhile)


def in_minutes(minutes: int, *, length: int = 30) -> Any:
    """A window that opens so many minutes after the harness's clock has begun."""
    now = Harness().time.now()
    start, end = now + timedelta(minutes=minutes), now + timedelta(minutes=minutes + length)
    return {
        "whitelist": [
            {"startHour": start.hour, "startMin": start.minute, "endHour": end.hour, "endMin": end.minute},
        ]
    }


def held(execution: Execution) -> Stage:
    return next(one for one in execution.in_order() if one.type == TYPE)


def lasted(execution: Execution) -> timedelta:
    assert isinstance(execution.head.end_time, datetime)
    return execution.head.end_time - execution.head.build_time


def test_a_stage_begins_when_its_window_opens() -> None:
    execution = run(in_minutes(60))

    window = held(execution)
    assert execution.head.status is Status.SUCCEEDED
    assert window.ref_id == "w<1"
    assert [one.name for one in window.tasks] == ["suspendExecutionDuringTimeWindow"]
    assert timedelta(minutes=58) < lasted(execution) <= timedelta(minutes=60, seconds=1)
    assert window.scheduled_time is not None
    assert window.end_time is not None
    assert window.scheduled_time <= window.end_time < window.scheduled_time + timedelta(seconds=1)


def test_within_the_window_it_begins_at_once() -> None:
    execution = run({"days": [1, 2, 3, 4, 5, 6, 7]})

    assert execution.head.status is Status.SUCCEEDED
    assert lasted(execution) < timedelta(seconds=1)


def test_what_it_waits_for_is_said() -> None:
    seen: list[Any] = []

    async def look(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, TYPE)
        await asyncio.sleep(1)
        execution = await services.executions.get(execution_id)
        assert execution is not None
        seen.append(held(execution).tasks[0].waiting_for)

    run(in_minutes(60), meanwhile=look)

    assert isinstance(seen[0], ForWindow)
    assert seen[0].reason.startswith("the execution window to open at 2026-01-05 10:00")
    assert seen[0].reason.endswith("(UTC)")
    assert seen[0].opens_at is not None


def command(make_event: Any) -> Any:
    async def give(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, TYPE)
        await asyncio.sleep(5)
        execution = await services.executions.get(execution_id)
        assert execution is not None
        for event in make_event(services.clock.now(), held(execution).id):
            await services.executions.tell(execution_id, event, TESTER)

    return give


@pytest.mark.parametrize("how", ["skip", "patch", "patched as text"])
def test_the_wait_can_be_skipped(how: str) -> None:
    def event(at: datetime, stage_id: str) -> Any:
        if how == "skip":
            return [SkipAsked(at=at, stage_id=stage_id, by="ann")]
        value = True if how == "patch" else "true"
        return [StagePatched(at=at, stage_id=stage_id, by="ann", patch={"skipRemainingWait": value})]

    execution = run(in_minutes(60), meanwhile=command(event))

    assert execution.head.status is Status.SUCCEEDED
    assert lasted(execution) < timedelta(seconds=10)


def test_it_can_be_cancelled() -> None:
    execution = run(in_minutes(60), meanwhile=command(lambda at, _: [CancelAsked(at=at, by="ann")]))

    assert execution.head.status is Status.CANCELED
    assert lasted(execution) < timedelta(seconds=10)


def test_a_pause_over_the_opening_is_kept() -> None:
    async def pause(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, TYPE)
        await asyncio.sleep(5)
        await services.executions.tell(execution_id, PauseAsked(at=services.clock.now(), by="ann"), TESTER)
        await asyncio.sleep(70 * 60)
        await services.executions.tell(execution_id, ResumeAsked(at=services.clock.now(), by="ann"), TESTER)

    execution = run(in_minutes(60), meanwhile=pause)

    assert execution.head.status is Status.SUCCEEDED
    assert timedelta(minutes=70) < lasted(execution) < timedelta(minutes=71)


def test_a_changed_window_counts_at_once() -> None:
    def event(at: datetime, stage_id: str) -> Any:
        every_day: Any = {"restrictedExecutionWindow": {"days": [1, 2, 3, 4, 5, 6, 7]}}
        return [StagePatched(at=at, stage_id=stage_id, by="ann", patch=every_day)]

    assert lasted(run(in_minutes(60), meanwhile=command(event))) < timedelta(seconds=10)


def test_no_time_limit_counts_while_the_window_is_shut() -> None:
    execution = run(in_minutes(60), stageTimeoutMs=60_000)

    assert execution.head.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (None, "no `restrictedExecutionWindow`"),
        ({"days": [9]}, "9 is no day"),
        ({"whitelist": [{"startHour": 10, "startMin": 30, "endHour": 10, "endMin": 15}]}, "never opens"),
    ],
)
def test_a_window_that_cant_be_used_fails_its_stage_and_says_why(window: Any, said: str) -> None:
    execution = run(window)

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)
    assert said in str(held(execution).context["failureReason"])


def test_a_time_zone_that_doesnt_exist_is_said() -> None:
    assert "`engine.time-zone` is no time zone" in problem_of(run({"days": [1]}, zone="Mars/Olympus"))


JITTER = {"enabled": True, "skipManual": True, "minDelay": 100, "maxDelay": 200}
ALWAYS = {"days": [1, 2, 3, 4, 5, 6, 7]}


def test_a_delay_left_to_chance_follows_the_opening() -> None:
    execution = run({**ALWAYS, "jitter": JITTER}, trigger={"type": "cron"})

    window = held(execution)
    assert [one.name for one in window.tasks] == ["suspendExecutionDuringTimeWindow", "waitForJitter"]
    seconds = window.context["waitTime"]
    assert isinstance(seconds, int)
    assert 100 <= seconds <= 200
    assert timedelta(seconds=seconds) <= lasted(execution) < timedelta(seconds=seconds + 1)


def test_a_given_delay_is_kept() -> None:
    execution = run({**ALWAYS, "jitter": JITTER}, trigger={"type": "cron"}, waitTime=7)

    assert held(execution).context["waitTime"] == 7
    assert lasted(execution) < timedelta(seconds=8)


@pytest.mark.parametrize(
    ("changes", "trigger"),
    [({}, "manual"), ({"enabled": False}, "cron"), ({"maxDelay": 0, "minDelay": 0}, "cron")],
)
def test_there_may_be_no_delay(changes: Any, trigger: str) -> None:
    execution = run({**ALWAYS, "jitter": {**JITTER, **changes}}, trigger={"type": trigger})

    assert len(held(execution).tasks) == 1
    assert lasted(execution) < timedelta(seconds=1)


def test_the_delay_can_be_skipped_too() -> None:
    execution = run(
        {**ALWAYS, "jitter": JITTER},
        trigger={"type": "cron"},
        meanwhile=command(lambda at, stage_id: [SkipAsked(at=at, stage_id=stage_id, by="ann")]),
    )

    assert execution.head.status is Status.SUCCEEDED
    assert lasted(execution) < timedelta(seconds=10)
