"""Depends on execution: ends with the other execution, well only if that ended well."""

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
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow


def depending(other: JsonObject | None, kind: str = "PIPELINE") -> Execution:
    result: list[Execution] = []

    async def work(services: Services) -> None:
        wanted = "nobody"
        if other is not None:
            first: list[Any] = [other]
            wanted = await services.executions.submit(
                Submission(config={"application": "shop", "name": "o", "stages": first}), TESTER
            )
        own: list[Any] = [make.stage_json("d", type="dependsOnExecution", executionId=wanted, executionType=kind)]
        execution_id = await services.executions.submit(
            Submission(config={"application": "shop", "name": "d", "stages": own}), TESTER
        )
        await asyncio.sleep(30)
        result.append(await ended(services, execution_id))

    Harness(flow.plugin, scripted.plugin(Target())).do(work)
    return result[0]


@pytest.mark.parametrize(
    ("other", "status"),
    [
        (make.stage_json("w", type="wait", waitTime=100), Status.SUCCEEDED),
        (make.stage_json("f", type="fail", failPipeline=False), Status.SUCCEEDED),
        (make.stage_json("f", type="fail"), Status.CANCELED),
    ],
)
def test_it_goes_on_only_if_the_other_ended_well(other: JsonObject, status: Status) -> None:
    assert depending(other).head.status is status


def test_an_unknown_one_fails_it() -> None:
    assert "Execution (PIPELINE) nobody not found." in problem_of(depending(None))
    assert "not found" in problem_of(depending(make.stage_json("m", type="make"), kind="ORCHESTRATION"))
