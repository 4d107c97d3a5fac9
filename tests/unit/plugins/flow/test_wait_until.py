"""Wait until: holds until an instant."""

from typing import Any

import pytest
from tests import make
from tests.harness import Harness, problem_of

from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow


def run(millis: Any) -> Execution:
    stages: list[Any] = [make.stage_json("w", type="waitUntil", epochMillis=millis)]
    return Harness(flow.plugin).run({"application": "shop", "name": "d", "stages": stages})


def test_it_ends_when_the_instant_is_past() -> None:
    execution = run("${execution.buildTime + 90000}")

    assert execution.head.status is Status.SUCCEEDED
    assert execution.head.end_time is not None
    assert 90 <= (execution.head.end_time - execution.head.build_time).total_seconds() < 91
    assert next(execution.top_level()).context["startTime"]


@pytest.mark.parametrize("millis", [None, 1, "1"])
def test_without_an_instant_or_with_one_long_past_it_ends_at_once(millis: Any) -> None:
    execution = run(millis)

    assert execution.head.status is Status.SUCCEEDED
    assert execution.head.end_time is not None
    assert (execution.head.end_time - execution.head.build_time).total_seconds() < 1


def test_an_instant_beyond_all_time_is_said() -> None:
    assert "is no instant" in problem_of(run(10**18))
