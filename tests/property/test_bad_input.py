"""Bad input: whatever is huge, nested, circular or twice costs bounded time and harms no other execution."""

import asyncio
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, ended, problem_of

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow

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
