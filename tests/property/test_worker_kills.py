"""Kills: a process that dies several times ends as an undisturbed one would, or says what is unknown.

Stores in memory outlive the process, which dies at named points. One stop at every single moment, over a real store:
tests/simulation/test_crash_points.py.
"""

import asyncio
import random  # noqa: TID251 - seeded dice
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, Killed

from gennaker.engine import replay, rules
from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow

STAGES: list[Any] = [
    make.stage_json("make", type="make", name="make"),
    make.stage_json("call", type="call", name="call"),
    make.stage_json("poll", "make", type="poll", name="poll"),
    make.stage_json("wait", "call", type="wait", name="wait", waitTime=40),
    make.stage_json("child", "poll", "wait", type="pipeline", name="child", pipeline="the-child"),
    make.stage_json("last", "child", type="make", name="last"),
]
PIPELINE: JsonObject = {
    "id": "the-parent",
    "application": "shop",
    "name": "parent",
    "limitConcurrent": True,
    "notifications": [{"type": "test", "address": "team", "when": ["pipeline.starting", "pipeline.complete"]}],
    "stages": STAGES,
}
CHILD: JsonObject = {
    "application": "shop",
    "name": "child",
    "stages": [make.stage_json("inner", type="make", name="inner"), make.stage_json("loud", type="call", name="loud")],
}
DEPENDENT: JsonObject = {
    "application": "shop",
    "name": "dependent",
    "triggers": [{"enabled": True, "type": "pipeline", "pipeline": "the-parent", "status": ["successful", "failed"]}],
    "stages": [make.stage_json("after", type="make", name="after")],
}


class Run:
    """A run of the parent with all that follows from it, killed where it is told."""

    def __init__(self, kill_at: tuple[str, ...] = ()) -> None:
        self.target = Target()
        self.harness = Harness(flow.plugin, scripted.plugin(self.target))
        asyncio.run(self._define())
        self.parent = self.harness.run(PIPELINE, kill_at=kill_at, afterwards=timedelta(minutes=5))
        self.executions = self.harness.executions()
        self.seen = list(self.harness.probe.seen)

    async def _define(self) -> None:
        await self.harness.definitions.save("pipeline", "the-child", CHILD, author="tester")
        await self.harness.definitions.save("pipeline", "dependent", DEPENDENT, author="tester")

    @property
    def outcome(self) -> list[Any]:
        """Everything but ids, times and counts of attempts."""
        return sorted(shape(one) for one in self.executions)

    def check(self) -> None:
        """What holds for every run."""
        target = self.target
        assert len(target.made) == 4  # make, last, inner, after: nothing was made under a second key
        assert set(target.calls) <= {"call", "loud"}
        assert all(count <= 2 for count in target.calls.values())
        assert all(count <= 2 for count in target.inbox.mails.values())
        assert {key for key, count in target.inbox.mails.items() if count == 2} <= target.inbox.marked
        assert asyncio.run(self.harness.journal.pending()) == ()
        performed = Counter(
            str(entry.details["key"]) for entry in self.harness.journal.audit if entry.action == "effect.performed"
        )
        assert set(performed.values()) == {1}
        for one in self.executions:
            self._check_replay(one)

    def _check_replay(self, one: Execution) -> None:
        recorded = asyncio.run(self.harness.journal.events(one.head.id))
        assert [event.number for event in recorded] == list(range(1, len(recorded) + 1))
        known = rules.from_stage_types(self.harness.built().stage_types.values())
        assert replay.fold([event.event for event in recorded], known) == one


def shape(one: Execution) -> tuple[Any, ...]:
    return (
        one.head.name,
        one.head.status.value,
        sorted(
            (found.name, found.status.value, repr(found.outputs), [(t.name, t.status.value) for t in found.tasks])
            for found in one.in_order()
        ),
    )


@pytest.fixture(scope="module")
def undisturbed() -> Run:
    return Run()


def test_the_undisturbed_run_does_everything_once(undisturbed: Run) -> None:
    undisturbed.check()

    assert [one.head.name for one in undisturbed.executions] == ["parent", "child", "dependent"]
    assert {one.head.status for one in undisturbed.executions} == {Status.SUCCEEDED}
    assert undisturbed.target.calls == {"call": 1, "loud": 1}
    assert set(undisturbed.target.made.values()) == {1}
    assert list(undisturbed.target.inbox.mails.values()) == [1, 1]
    assert undisturbed.target.inbox.marked == set()


def points(undisturbed: Run) -> list[str]:
    """Every point as often as it is reached."""
    counts: Counter[str] = Counter()
    found = []
    for point in undisturbed.seen:
        counts[point] += 1
        found.append(f"{point}#{counts[point]}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_several_kills_end_as_without_them_or_say_what_is_unknown(undisturbed: Run, seed: int) -> None:
    dice = random.Random(seed)
    kill_at = tuple(dice.sample(points(undisturbed), dice.randint(2, 6)))

    killed = Run(kill_at)

    if killed.outcome == undisturbed.outcome:
        killed.check()
    else:
        problems = [
            str(error)
            for one in killed.executions
            for stage in one.in_order()
            if isinstance(exception := stage.context.get("exception"), dict)
            and isinstance(details := exception.get("details"), dict)
            and isinstance(errors := details.get("errors"), list)
            for error in errors
        ]
        assert any("its outcome is unknown" in problem for problem in problems), (kill_at, problems)
        assert all(count <= 2 for count in killed.target.calls.values())


def test_an_execution_that_waits_for_its_turn_goes_on_after_a_kill() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    stages: list[Any] = [make.stage_json("wait", type="wait", name="wait", waitTime=60)]
    config: JsonObject = {**PIPELINE, "stages": stages, "keepWaitingPipelines": True}

    async def start_another(services: Services, _: str) -> None:
        await services.executions.submit(Submission(config=config, key="second"), TESTER)

    first = harness.run(
        config,
        meanwhile=start_another,
        kill_at=["effect.before:Announce:execution.ended"],
        afterwards=timedelta(minutes=5),
    )

    both = harness.executions(kind=ExecutionKind.PIPELINE)
    assert [one.head.status for one in both] == [Status.SUCCEEDED, Status.SUCCEEDED]
    assert first.head.end_time is not None
    assert both[1].head.start_time is not None
    assert both[1].head.start_time >= first.head.end_time


def test_the_probe_of_the_harness_kills() -> None:
    harness = Harness(flow.plugin)
    harness.probe.kill_at(["here"])

    with pytest.raises(Killed):
        harness.probe.reached("here")
    harness.probe.reached("here")
