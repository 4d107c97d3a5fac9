"""Monitor pipeline: follows executions that others have started."""

import asyncio
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, ended, problem_of

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow

MAKES = make.stage_json("m", type="make", name="made it")
FAILS = make.stage_json("f", type="fail", name="Break")
WAITS = make.stage_json("w", type="wait", waitTime=600)
CANCELLED = make.stage_json("w", type="wait", waitTime=601)


def monitored(*children: JsonObject, **context: Any) -> tuple[Execution, list[str]]:
    """A run that monitors a child a stage given; the last kind is cancelled after a while."""
    ids: list[str] = []
    result: list[Execution] = []

    async def work(services: Services) -> None:
        for child in children:
            config: JsonObject = {"application": "shop", "name": "child", "stages": list[Json]([child])}
            ids.append(await services.executions.submit(Submission(config=config), TESTER))
        stage = make.stage_json("p", type="monitorPipeline", **{"executionIds": list[Json](ids), **context})
        own: JsonObject = {"application": "shop", "name": "parent", "stages": list[Json]([stage])}
        parent = await services.executions.submit(Submission(config=own), TESTER)
        await asyncio.sleep(60)
        for child_id, child in zip(ids, children, strict=True):
            if child is CANCELLED:
                await services.executions.tell(child_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)
        result.append(await ended(services, parent))

    Harness(flow.plugin, scripted.plugin(Target())).do(work)
    return result[0], ids


def stage(execution: Execution) -> Any:
    return next(execution.top_level())


def seconds(execution: Execution) -> float:
    assert execution.head.start_time is not None
    assert execution.head.end_time is not None
    return (execution.head.end_time - execution.head.start_time).total_seconds()


def test_it_waits_for_all_and_shows_how_each_ended() -> None:
    execution, ids = monitored(MAKES, WAITS)

    assert execution.head.status is Status.SUCCEEDED
    assert seconds(execution) >= 600
    assert stage(execution).outputs == {
        "executionStatuses": {one: {"status": "SUCCEEDED", "application": "shop"} for one in ids}
    }


def test_the_outputs_of_a_single_one_are_taken_over() -> None:
    execution, (child,) = monitored(MAKES)

    assert stage(execution).outputs["made"] == "made it"
    assert list(stage(execution).outputs["executionStatuses"]) == [child]


@pytest.mark.parametrize(("behaviour", "is_quick"), [("WaitForAllToComplete", False), ("FailFast", True)])
def test_a_failure_fails_it_at_once_or_when_all_have_ended(behaviour: str, *, is_quick: bool) -> None:
    execution, (failed, _) = monitored(FAILS, WAITS, monitorBehavior=behaviour)

    assert execution.head.status is Status.TERMINAL
    assert (seconds(execution) < 60) == is_quick
    details = stage(execution).outputs["executionStatuses"][failed]
    said = "Exception in child pipeline stage (child: Break): It was meant to fail."
    assert details["exception"]["details"]["errors"] == [said]
    assert details["exception"]["source"]["stageName"] == "Break"
    assert "At least one monitored pipeline failed" in problem_of(execution)


def test_a_cancelled_one_cancels_it() -> None:
    execution, _ = monitored(MAKES, CANCELLED)

    assert execution.head.status is Status.CANCELED
    assert "At least one monitored pipeline was cancelled" in problem_of(execution)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"executionIds": []}, "no pipeline execution ids to monitor"),
        ({"executionIds": ["nobody"]}, "There is no execution nobody"),
    ],
)
def test_nothing_to_monitor_is_said(context: JsonObject, said: str) -> None:
    assert said in problem_of(monitored(**context)[0])
