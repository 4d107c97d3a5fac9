"""Bad input: whatever is huge, nested, circular or twice costs bounded time and harms no other execution."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, ended, problem_of

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model import template_references
from gennaker.model.codec import JsonObject
from gennaker.model.event import CancelAsked, RestartAsked, SkipAsked, StagePatched
from gennaker.model.execution import Execution
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.plugins.flow.child_starts import DEEPEST
from gennaker.testing.virtual_time import VirtualTime

MEGABYTE = 1_000_000


def pipeline(*stages: Any, **fields: Any) -> JsonObject:
    return {"application": "shop", "name": "bad", "stages": list(stages), **fields}


def chain(length: int, **context: Any) -> list[Any]:
    return [
        make.stage_json(str(one), *([str(one - 1)] if one else []), type="noop", **context) for one in range(length)
    ]


def beside(bad: JsonObject) -> tuple[Execution, Execution]:
    """The bad pipeline, and a small one that was submitted behind it."""
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    small: list[Execution] = []

    async def another(services: Services, _: str) -> None:
        stages = pipeline(make.stage_json("a", type="make"))
        small.append(await ended(services, await services.executions.submit(Submission(config=stages), TESTER)))

    return harness.run(bad, meanwhile=another), small[0]


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["chain", "fan"])
def test_five_thousand_stages_run_to_their_end(shape: str) -> None:
    fan = [make.stage_json("0", type="noop"), *(make.stage_json(str(n), "0", type="noop") for n in range(1, 4999))]
    join = make.stage_json("join", *(str(n) for n in range(1, 4999)), type="noop")

    bad, small = beside(pipeline(*(chain(5000) if shape == "chain" else [*fan, join])))

    assert bad.head.status is Status.SUCCEEDED
    assert len(bad.stages) == 5000
    assert small.head.status is Status.SUCCEEDED


@pytest.mark.slow
def test_a_context_of_fifty_megabytes_is_carried_and_harms_nobody() -> None:
    text = "x" * (50 * MEGABYTE)

    bad, small = beside(pipeline(make.stage_json("a", type="make", text=text), make.stage_json("b", "a", type="poll")))

    assert bad.head.status is Status.SUCCEEDED
    assert small.head.status is Status.SUCCEEDED


def test_stages_that_require_each_other_are_refused_with_their_names() -> None:
    bad, small = beside(
        pipeline(make.stage_json("first", "second", type="noop"), make.stage_json("second", "first", type="noop"))
    )

    assert bad.head.status is Status.TERMINAL
    assert "first" in problem_of(bad)
    assert "second" in problem_of(bad)
    assert small.head.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    "stages",
    [
        [make.stage_json("a", type="noop"), make.stage_json("a", type="noop")],
        [make.stage_json("a", "nobody", type="noop")],
        [make.stage_json("a", "a", type="noop")],
    ],
    ids=["the same refId twice", "an unknown refId", "a stage that requires itself"],
)
def test_references_that_mean_nothing_are_refused_before_anything_begins(stages: list[Any]) -> None:
    bad, small = beside(pipeline(*stages))

    assert bad.head.status is Status.TERMINAL
    assert "a" in problem_of(bad)
    assert bad.head.start_time is None
    assert small.head.status is Status.SUCCEEDED


@pytest.mark.slow
def test_a_hundred_pipelines_in_one_another_end_together() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    for depth in range(100):
        inner: Any = (
            make.stage_json("p", type="pipeline", pipeline=f"n{depth + 1}", application="shop")
            if depth < 99
            else make.stage_json("m", type="make")
        )
        body: JsonObject = {"application": "shop", "name": f"n{depth}", "stages": [inner]}
        asyncio.run(harness.definitions.save("pipeline", f"n{depth}", body, author="ada"))

    outer = harness.run(pipeline(make.stage_json("p", type="pipeline", pipeline="n0", application="shop")))

    children = [one for one in harness.executions() if one.head.id != outer.head.id]
    assert outer.head.status is Status.SUCCEEDED
    assert len(children) == 100
    assert {one.head.root_id for one in children} == {outer.head.id}
    assert next(outer.in_order()).outputs["made"] == "m"


@pytest.mark.slow
def test_pipelines_that_start_each_other_in_a_circle_end_with_the_reason() -> None:
    harness = Harness(flow.plugin)
    for one, other in (("a", "b"), ("b", "a")):
        stage = make.stage_json("p", type="pipeline", pipeline=other, application="shop")
        asyncio.run(harness.definitions.save("pipeline", one, pipeline(stage), author="ada"))

    outer = harness.run(pipeline(make.stage_json("p", type="pipeline", pipeline="a", application="shop")))

    runs = harness.executions()
    last = max(runs, key=lambda one: one.head.build_time)
    assert {one.head.status for one in runs} == {Status.TERMINAL}
    assert len(runs) == DEEPEST + 1
    assert f"number {DEEPEST + 1} of pipelines that start one another" in problem_of(last)
    assert "start one another" in problem_of(outer)


LONG_EXPRESSIONS = {
    "a sum": "1" + "+1" * 4_990,
    "a text": f"'{'x' * 9_980}'",
    "texts that are joined": "'x'" + "+'y'" * 2_490,
    "brackets": "(" * 4_990 + "1" + ")" * 4_990,
    "lists in lists": "{" * 4_990 + "1" + "}" * 4_990,
    "conditions": "true?" * 1_990 + "1" + ":2" * 1_990,
    "calls": "'x'" + ".trim()" * 1_400,
    "projections": "{1,2,3}" + ".![#this]" * 1_100,
    "not, not, not": "!" * 9_980 + "true",
    "a pattern": f"'{'a' * 4_000}' matches '{'(a+)+' * 990}b'",
    "no end": "'x" * 4_990,
    "one character too long": "1" + "+1" * 5_000,
}


@pytest.mark.parametrize("expression", LONG_EXPRESSIONS.values(), ids=LONG_EXPRESSIONS.keys())
def test_an_expression_of_ten_thousand_characters_is_evaluated_or_said_to_be_too_much(expression: str) -> None:
    bad, small = beside(pipeline(make.stage_json("a", type="make", text=f"${{{expression}}}")))

    stage = next(bad.in_order())
    assert bad.head.status is Status.SUCCEEDED
    assert (stage.context["text"] == f"${{{expression}}}") is ("expressionEvaluationSummary" in stage.context)
    assert small.head.status is Status.SUCCEEDED


def test_a_template_that_makes_a_circle_is_refused_with_the_way_round() -> None:
    harness = Harness(flow.plugin)
    template: JsonObject = {
        "schema": "v2",
        "id": "t",
        "variables": [],
        "pipeline": {"stages": [make.stage_json("a", type="noop"), make.stage_json("b", "a", type="noop")]},
    }
    asyncio.run(harness.definitions.save(template_references.KIND, "t", template, author="ada"))
    use: JsonObject = {
        "schema": "v2",
        "application": "shop",
        "name": "made",
        "type": "templatedPipeline",
        "template": {"reference": "spinnaker://t"},
        "stages": [{**make.stage_json("a", type="noop"), "requisiteStageRefIds": ["b"]}],
    }

    execution = harness.run(use)

    assert (execution.head.status, execution.head.start_time) == (Status.TERMINAL, None)
    assert "a → b → a" in problem_of(execution) or "b → a → b" in problem_of(execution)


class SetClock(VirtualTime):
    """A machine whose clock somebody sets while everything runs."""

    wrong_by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.wrong_by

    async def sleep_until(self, at: datetime) -> None:
        while (left := (at - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - it waits for a time, not for an event
            await asyncio.sleep(min(left, 60))


@pytest.mark.parametrize(
    "jumps",
    [[timedelta(days=365)], [timedelta(hours=-1)], [timedelta(days=2), timedelta(days=-4), timedelta(days=2)]],
    ids=["forward a year", "back an hour", "there and back"],
)
def test_a_clock_that_jumps_loses_nothing_and_hangs_nobody(jumps: list[timedelta]) -> None:
    time = SetClock()
    harness = Harness(flow.plugin, scripted.plugin(Target()), time=time)
    stages = (
        make.stage_json("w", type="wait", waitTime=30),
        make.stage_json("m", "w", type="make"),
        make.stage_json("v", "m", type="wait", waitTime=30),
        make.stage_json("n", "v", type="make"),
    )

    async def set_the_clock(services: Services, execution_id: str) -> None:
        for jump in jumps:
            await asyncio.sleep(10)
            time.wrong_by += jump
            found = await services.executions.get(execution_id)
            assert found is not None

    execution = harness.run(pipeline(*stages), meanwhile=set_the_clock)

    assert execution.head.status is Status.SUCCEEDED
    assert [stage.status for stage in execution.top_level()] == [Status.SUCCEEDED] * 4
    after = harness.run(pipeline(make.stage_json("w", type="wait", waitTime=30)))
    assert after.head.status is Status.SUCCEEDED


def test_commands_about_what_is_not_there_are_refused_and_harm_nobody() -> None:
    harness = Harness(flow.plugin)
    refused: list[int] = []

    async def command(services: Services, execution_id: str) -> None:
        at = services.clock.now()
        for target, event in (
            ("nobody", CancelAsked(at=at, by="ada")),
            (execution_id, StagePatched(at=at, stage_id="nobody", by="ada", patch={"manualSkip": True})),
            (execution_id, RestartAsked(at=at, stage_id="nobody", by="ada")),
            (execution_id, SkipAsked(at=at, stage_id="nobody", by="ada")),
        ):
            try:
                await services.executions.tell(target, event, TESTER)
            except Refused as error:
                refused.append(error.status)

    found = harness.run(pipeline(make.stage_json("a", type="wait", waitTime=1)), meanwhile=command)

    assert found.head.status is Status.SUCCEEDED
    assert refused == [404, 409, 409, 409]


def test_an_id_that_is_taken_is_refused_and_its_owner_unharmed() -> None:
    harness = Harness(flow.plugin)
    refused: list[Refused] = []

    async def again(services: Services, execution_id: str) -> None:
        try:
            await services.executions.submit(
                Submission(config=pipeline(make.stage_json("b", type="noop"), executionId=execution_id)), TESTER
            )
        except Refused as error:
            refused.append(error)

    found = harness.run(pipeline(make.stage_json("a", type="wait", waitTime=1)), meanwhile=again)

    assert found.head.status is Status.SUCCEEDED
    assert [one.problems[0].code for one in refused] == ["execution.id_taken"]
