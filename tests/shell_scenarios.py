"""Scenarios for the shells' conformance suite: rich pipelines, and what somebody does while they run.

Each runs in real time (Temporal knows no other) and must leave the same in the store whichever shell drives it. So what is done
meanwhile is done at points that the executions have reached, never after a while.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tests.fakes.scripted import Target
from tests.make import stage_json
from tests.shell_stages import LARGE

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import (
    CancelAsked,
    Event,
    IgnoreFailureAsked,
    ManualJudgmentGiven,
    PauseAsked,
    RestartAsked,
    ResumeAsked,
    SkipAsked,
    StagePatched,
)
from gennaker.model.execution import Execution, Stage
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status

ADA = Principal(name="ada", via="test")
_SOON_SECONDS = 1800


class News:
    """Tells of changed executions."""

    def __init__(self) -> None:
        self._next: dict[str, asyncio.Future[None]] = {}

    def next(self, execution_id: str) -> "asyncio.Future[None]":
        """Done at the next change of the execution."""
        return self._next.setdefault(execution_id, asyncio.get_running_loop().create_future())

    async def hear(self, services: Services) -> None:
        """Until cancelled."""
        async for update in services.updates.follow():
            waited = self._next.pop(update.id, None)
            if waited is not None:
                waited.set_result(None)


class Lab:
    """One scenario in a running installation."""

    def __init__(self, name: str, services: Services, news: News, target: Target) -> None:
        self.name = name
        self.services = services
        self.news = news
        self.target = target
        self.ids: list[str] = []

    async def start(self, *stages: JsonObject, trigger: JsonObject | None = None, **fields: Json) -> str:
        """Submits a pipeline; its executions' ids are the same in every shell."""
        execution_id = f"{self.name}-{len(self.ids) + 1}"
        config: JsonObject = {
            "id": self.name,
            "application": self.name,
            "name": self.name,
            "stages": [*stages],
            **fields,
        }
        given: JsonObject = {"type": "manual", "executionId": execution_id, **(trigger or {})}
        await self.services.executions.submit(Submission(config=config, trigger=given), ADA)
        self.ids.append(execution_id)
        return execution_id

    async def define(self, name: str, *stages: JsonObject, **fields: Json) -> None:
        """Saves a pipeline that others start."""
        config: JsonObject = {"application": self.name, "name": name, "stages": [*stages], **fields}
        await self.services.definitions.save("pipeline", name, config, author="ada")

    async def tell(self, execution_id: str, event: Event) -> Execution:
        return await self.services.executions.tell(execution_id, event, ADA)

    async def cancel(self, execution_id: str) -> None:
        await self.tell(execution_id, CancelAsked(at=self.services.clock.now(), by="ada", reason="no longer wanted"))

    async def stage(self, execution_id: str, name: str) -> Stage:
        found = await self.services.executions.get(execution_id)
        assert found is not None
        return next(one for one in found.in_order() if one.name == name)

    async def until(self, execution_id: str, is_so: Callable[[Execution], bool]) -> Execution:
        """Returns the execution once it is so; looks at each news of it, and now and then."""
        async with asyncio.timeout(_SOON_SECONDS):
            while True:
                told = self.news.next(execution_id)
                found = await self.services.executions.get(execution_id)
                if found is not None and is_so(found):
                    return found
                await asyncio.wait((told,), timeout=1)

    async def waits(self, execution_id: str, name: str) -> str:
        """Returns the stage's id once its task has said that it waits."""

        def is_waiting(execution: Execution) -> bool:
            return any(
                task.status is Status.RUNNING and task.poll > 0
                for one in execution.in_order()
                if one.name == name
                for task in one.tasks
            )

        await self.until(execution_id, is_waiting)
        return (await self.stage(execution_id, name)).id

    async def ended(self, execution_id: str) -> Execution:
        return await self.until(execution_id, lambda execution: execution.head.status.is_complete)

    async def is_at(self, what: str) -> None:
        """Returns once the target has noted this."""
        async with asyncio.timeout(_SOON_SECONDS):
            while what not in self.target.order:  # noqa: ASYNC110 - a list of the tests' own tells nobody
                await asyncio.sleep(0.03)


Scenario = Callable[[Lab], Awaitable[None]]


# -- what runs --------------------------------------------------------------------------------------------------------


async def branches_and_joins(lab: Lab) -> None:
    told: JsonObject = {"type": "test", "address": "team", "when": ["pipeline.starting", "pipeline.complete"]}
    execution = await lab.start(
        stage_json("begin", type="make"),
        *(stage_json(f"branch{number}", "begin", type="looks") for number in range(5)),
        stage_json("call", "begin", type="call"),
        stage_json(
            "join", *(f"branch{number}" for number in range(5)), type="make", seen="${ #stage('branch1').outputs }"
        ),
        stage_json("end", "join", "call", type="make", sum="${ looks + 1 }"),
        notifications=[told],
    )
    done = await lab.ended(execution)
    assert done.head.status is Status.SUCCEEDED


async def synthetic_stages(lab: Lab) -> None:
    good = await lab.start(stage_json("whole", type="surrounded"), stage_json("next", "whole", type="make"))
    bad = await lab.start(stage_json("whole", type="surrounded", breaks=True), stage_json("next", "whole", type="make"))
    assert (await lab.ended(good)).head.status is Status.SUCCEEDED
    assert (await lab.ended(bad)).head.status is Status.TERMINAL


async def waits_in_parallel(lab: Lab) -> None:
    execution = await lab.start(
        stage_json("short", type="wait", waitTime=0.3),
        stage_json("long", type="wait", waitTime=1),
        stage_json("forever", type="wait", waitTime=10_000),
        stage_json("end", "short", "long", "forever", type="make"),
    )
    waiting = await lab.waits(execution, "forever")
    await lab.until(execution, lambda found: sum(one.status.is_complete for one in found.in_order()) == 2)
    await lab.tell(
        execution,
        StagePatched(at=lab.services.clock.now(), stage_id=waiting, by="ada", patch={"skipRemainingWait": True}),
    )
    assert (await lab.ended(execution)).head.status is Status.SUCCEEDED


async def judgments(lab: Lab) -> None:
    choices: Json = [{"value": "blue"}, {"value": "green"}]
    asked = stage_json("judge", type="manualJudgment", judgmentInputs=choices)
    told: Json = [{"type": "test", "address": "team", "when": ["manualJudgment", "manualJudgmentContinue"]}]
    go_on = await lab.start(
        {**asked, "notifications": told, "sendNotifications": True},
        stage_json("ship", "judge", type="make", colour="${ judgmentInput }"),
    )
    stop = await lab.start(asked, stage_json("ship", "judge", type="make"))
    for execution, judgment in ((go_on, "continue"), (stop, "stop")):
        waiting = await lab.waits(execution, "judge")
        answer = ManualJudgmentGiven(
            at=lab.services.clock.now(), stage_id=waiting, by="bob", judgment=judgment, judgment_input="green"
        )
        await lab.tell(execution, answer)
    assert (await lab.ended(go_on)).head.status is Status.SUCCEEDED
    assert (await lab.ended(stop)).head.status is Status.TERMINAL


async def cancelling(lab: Lab) -> None:
    performed = await lab.start(stage_json("holds", type="holds"), stage_json("next", "holds", type="make"))
    waiting = await lab.start(
        stage_json("wait", type="wait", waitTime=10_000), stage_json("judge", type="manualJudgment")
    )
    await lab.is_at(f"{performed} began")
    await lab.waits(waiting, "wait")
    await lab.waits(waiting, "judge")
    for execution in (performed, waiting):
        await lab.cancel(execution)
        assert (await lab.ended(execution)).head.status is Status.CANCELED
    await lab.is_at(f"{performed} stopped")
    own = [what for what in lab.target.order if what.startswith(performed)]
    assert own == [f"{performed} began", f"{performed} ended", f"{performed} stopped"]


async def pausing(lab: Lab) -> None:
    execution = await lab.start(
        stage_json("judge", type="manualJudgment"),
        stage_json("wait", type="wait", waitTime=10_000, stageTimeoutMs=20_000_000, skippable=True),
        stage_json("end", "judge", "wait", type="make"),
    )
    judged = await lab.waits(execution, "judge")
    waiting = await lab.waits(execution, "wait")
    now = lab.services.clock.now
    await lab.tell(execution, PauseAsked(at=now(), by="ada"))
    await lab.tell(execution, ManualJudgmentGiven(at=now(), stage_id=judged, by="bob", judgment="continue"))
    await lab.ended(await lab.start(stage_json("meanwhile", type="make")))
    found = await lab.services.executions.get(execution)
    assert found is not None
    assert found.head.status is Status.PAUSED
    assert {one.name: one.status for one in found.in_order()} == {
        "judge": Status.PAUSED,
        "wait": Status.PAUSED,
        "end": Status.NOT_STARTED,
    }
    await lab.tell(execution, ResumeAsked(at=now(), by="ada"))
    await lab.until(execution, lambda one: one.stages[judged].status is Status.SUCCEEDED)
    assert (await lab.stage(execution, "wait")).status is Status.RUNNING
    await lab.tell(execution, SkipAsked(at=now(), stage_id=waiting, by="ada"))
    assert (await lab.ended(execution)).head.status is Status.SUCCEEDED


async def restarting(lab: Lab) -> None:
    execution = await lab.start(
        stage_json("before", type="make"),
        stage_json("mended", "before", type="mended"),
        stage_json("after", "mended", type="make"),
        notifications=[{"type": "test", "address": "team", "when": ["pipeline.failed", "pipeline.complete"]}],
    )
    assert (await lab.ended(execution)).head.status is Status.TERMINAL
    broken = await lab.stage(execution, "mended")
    await lab.tell(execution, RestartAsked(at=lab.services.clock.now(), stage_id=broken.id, by="ada"))
    assert (await lab.ended(execution)).head.status is Status.SUCCEEDED


async def ignoring_and_skipping(lab: Lab) -> None:
    execution = await lab.start(
        stage_json("fails", type="fail", failPipeline=False, continuePipeline=False),
        stage_json("wait", type="wait", waitTime=10_000, skippable=True),
        stage_json("end", "fails", type="make"),
    )
    await lab.until(execution, lambda found: any(one.status is Status.STOPPED for one in found.in_order()))
    now = lab.services.clock.now
    failed, waiting = (await lab.stage(execution, "fails")).id, await lab.waits(execution, "wait")
    await lab.tell(execution, IgnoreFailureAsked(at=now(), stage_id=failed, by="ada", reason="known"))
    await lab.until(
        execution, lambda found: any(one.name == "end" and one.status.is_complete for one in found.in_order())
    )
    await lab.tell(execution, SkipAsked(at=now(), stage_id=waiting, by="ada"))
    await lab.ended(execution)


async def child_pipelines(lab: Lab) -> None:
    await lab.define("child-good", stage_json("work", type="looks"))
    await lab.define("child-bad", stage_json("breaks", type="fail"))
    execution = await lab.start(
        stage_json("good", type="pipeline", pipeline="child-good", application=lab.name),
        stage_json("bad", "good", type="pipeline", pipeline="child-bad", application=lab.name),
        stage_json("never", "bad", type="make"),
    )
    assert (await lab.ended(execution)).head.status is Status.TERMINAL


async def cancelling_a_parent(lab: Lab) -> None:
    await lab.define("child-waits", stage_json("wait", type="wait", waitTime=10_000))
    execution = await lab.start(stage_json("child", type="pipeline", pipeline="child-waits", application=lab.name))
    monitor = await lab.waits(execution, "child")
    child = str((await lab.stage(execution, "child")).context["executionId"])
    await lab.waits(child, "wait")
    # What it has seen of the child stays in its context: whoever patches a stage makes it look again.
    await lab.tell(
        execution, StagePatched(at=lab.services.clock.now(), stage_id=monitor, by="ada", patch={"look": "again"})
    )
    await lab.until(execution, lambda found: all(one.context.get("status") == "RUNNING" for one in found.in_order()))
    await lab.cancel(execution)
    assert (await lab.ended(execution)).head.status is Status.CANCELED
    assert (await lab.ended(child)).head.status is Status.CANCELED


async def timing_out(lab: Lab) -> None:
    waiting = await lab.start(stage_json("limited", type="limited"), stage_json("never", "limited", type="make"))
    goes_on = {"failPipeline": False, "continuePipeline": True}
    held = await lab.start(
        stage_json("limited", type="limited", holds=True, **goes_on), stage_json("end", "limited", type="make")
    )
    assert (await lab.ended(waiting)).head.status is Status.TERMINAL
    assert (await lab.ended(held)).head.status is Status.SUCCEEDED
    await lab.is_at(f"{held} stopped")


async def retrying(lab: Lab) -> None:
    execution = await lab.start(
        stage_json("flaky", type="flaky"), stage_json("end", "flaky", type="make", n="${ tries }")
    )
    assert (await lab.ended(execution)).head.status is Status.SUCCEEDED


async def large_values(lab: Lab) -> None:
    execution = await lab.start(
        stage_json("large", type="large"),
        stage_json("asks", "large", type="asking"),
        stage_json("copy", "asks", type="make", copy="${ #stage('large').outputs.large }", n="${ length }"),
        stage_json("end", "copy", type="make", last="${ many['key1999'].n }"),
        trigger={"payload": {"body": LARGE}},
    )
    done = await lab.ended(execution)
    assert done.head.status is Status.SUCCEEDED
    copied = await lab.stage(execution, "copy")
    assert copied.context["copy"] == LARGE
    assert (await lab.stage(execution, "end")).context["last"] == 1999


async def _three(lab: Lab, *, keeps: bool) -> list[str]:
    """Three executions of a pipeline that runs one at a time, the first of which is let go at last."""
    judged = stage_json("judge", type="manualJudgment")
    started = []
    for _ in range(3):
        fields: JsonObject = {"limitConcurrent": True, "keepWaitingPipelines": keeps}
        started.append(await lab.start(judged, stage_json("end", "judge", type="make"), **fields))
        await lab.until(started[-1], lambda found: found.head.is_submitted)
    await lab.waits(started[0], "judge")
    await lab.until(
        started[2], lambda found: found.head.status is Status.NOT_STARTED and found.head.waiting_for is not None
    )
    return started


async def _judge(lab: Lab, execution: str) -> None:
    waiting = await lab.waits(execution, "judge")
    answer = ManualJudgmentGiven(at=lab.services.clock.now(), stage_id=waiting, by="bob", judgment="continue")
    await lab.tell(execution, answer)
    await lab.ended(execution)


async def queueing(lab: Lab) -> None:
    for execution in await _three(lab, keeps=True):
        await _judge(lab, execution)


async def superseding(lab: Lab) -> None:
    first, second, third = await _three(lab, keeps=False)
    await _judge(lab, first)
    assert (await lab.ended(second)).head.status is Status.CANCELED
    await _judge(lab, third)


async def refusing(lab: Lab) -> None:
    execution = await lab.start(stage_json("make", type="make"))
    await lab.ended(execution)
    for told, status in ((execution, 409), ("nobody", 404)):
        try:
            await lab.cancel(told)
        except Refused as refused:
            assert refused.status == status  # noqa: PT017 - what is not raised fails below
        else:
            raise AssertionError(f"cancelling {told} was not refused")
    first = await lab.services.executions.submit(
        Submission(config={"application": lab.name, "name": "x"}, key="k"), ADA
    )
    again = await lab.services.executions.submit(
        Submission(config={"application": lab.name, "name": "y"}, key="k"), ADA
    )
    assert first == again
    await lab.ended(first)


async def not_prepared(lab: Lab) -> None:
    unknown = await lab.start(stage_json("x", type="no such type"))
    cyclic = await lab.start(stage_json("a", "b", type="make"), stage_json("b", "a", type="make"))
    await lab.ended(unknown)
    await lab.ended(cyclic)


SCENARIOS: dict[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        branches_and_joins,
        synthetic_stages,
        waits_in_parallel,
        judgments,
        cancelling,
        pausing,
        restarting,
        ignoring_and_skipping,
        child_pipelines,
        cancelling_a_parent,
        timing_out,
        retrying,
        large_values,
        queueing,
        superseding,
        refusing,
        not_prepared,
    )
}
