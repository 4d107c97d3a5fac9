"""Wait: holds for its time, in virtual time; the rest can be skipped."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests.harness import TESTER, Harness, problem_of, reached

from gennaker.interfaces.services import Services
from gennaker.model.event import SkipAsked, StagePatched
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow


def run(meanwhile: Any = None, **context: Any) -> Execution:
    stages: list[Any] = [make.stage_json("w", type="wait", **context)]
    return Harness(flow.plugin).run({"application": "shop", "name": "d", "stages": stages}, meanwhile=meanwhile)


def lasted(execution: Execution) -> timedelta:
    assert execution.head.start_time is not None
    assert execution.head.end_time is not None
    return execution.head.end_time - execution.head.start_time


@pytest.mark.parametrize(
    ("given", "seconds"), [({}, 0), ({"waitTime": 90}, 90), ({"waitTime": 1.5}, 1.5), ({"waitTime": "60"}, 60)]
)
def test_it_waits_as_long_as_it_says(given: dict[str, Any], seconds: float) -> None:
    execution = run(**given)

    assert execution.head.status is Status.SUCCEEDED
    assert timedelta(seconds=seconds) <= lasted(execution) < timedelta(seconds=seconds + 1)


@pytest.mark.parametrize("given", [{"waitTime": 0}, {"waitTime": -5}, {"skipRemainingWait": True, "waitTime": 600}])
def test_where_nothing_is_left_it_ends_at_once(given: dict[str, Any]) -> None:
    assert lasted(run(**given)) < timedelta(seconds=1)


def test_the_time_may_be_an_expression() -> None:
    assert timedelta(seconds=40) <= lasted(run(waitTime="${20 * 2}")) < timedelta(seconds=41)


def test_a_time_that_is_none_fails_with_a_sentence() -> None:
    execution = run(waitTime="${'soon'}")

    assert execution.head.status is Status.TERMINAL
    assert "waitTime" in problem_of(execution)


@pytest.mark.parametrize("how", ["skip", "patch"])
def test_the_rest_can_be_skipped(how: str) -> None:
    async def skip(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "wait")
        await asyncio.sleep(5)
        execution = await services.executions.get(execution_id)
        assert execution is not None
        at, stage_id = services.clock.now(), next(execution.in_order()).id
        event = (
            SkipAsked(at=at, stage_id=stage_id, by="ada")
            if how == "skip"
            else StagePatched(at=at, stage_id=stage_id, by="ada", patch={"skipRemainingWait": True})
        )
        await services.executions.tell(execution_id, event, TESTER)

    assert lasted(run(skip, waitTime=600)) < timedelta(seconds=7)


@pytest.mark.parametrize("key", ["stageTimeoutMs", "backoffPeriodMs"])
@pytest.mark.parametrize("number", [1e30, 3e14, 10**400])
def test_no_number_of_a_pipeline_leads_out_of_the_calendar(key: str, number: float) -> None:
    execution = run(waitTime=0, **{key: number})

    assert execution.head.status is Status.SUCCEEDED


def test_what_is_no_number_of_seconds_fails_the_stage_with_a_sentence() -> None:
    execution = run(waitTime="${'soon'}")

    assert execution.head.status is Status.TERMINAL
    assert "waitTime" in problem_of(execution)
    assert "fault in the code" not in problem_of(execution)
