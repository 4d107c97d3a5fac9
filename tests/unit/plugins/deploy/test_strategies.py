"""Strategies: rolling updates by the names and steps that Orca's strategies give them, and what follows the switch."""

import pytest
from tests.fakes.rollouts import NEW, FakePlace, deploy
from tests.harness import problem_of

from gennaker.model.codec import Json
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status


def grown(execution: Execution) -> list[str]:
    names = [one.name for one in execution.in_order() if one.name.startswith("Grow to")]
    return [name.removeprefix("Grow to ").removesuffix(" of Desired Size") for name in names]


@pytest.mark.parametrize(
    ("keys", "steps"),
    [
        ({"strategy": "rollingredblack"}, ["50%", "100%"]),
        ({"strategy": "Monitored", "deploySteps": [10, 60]}, ["10%", "60%", "100%"]),
        ({"strategy": "monitored", "targetPercentages": [30]}, ["30%", "100%"]),
        ({"strategy": "rollingpush", "termination": {"concurrentRelaunches": 3}}, ["75%", "100%"]),
        ({"strategy": "rolling_push", "termination": {"relaunchAllInstances": True}}, ["50%", "100%"]),
        (
            {"strategy": "rollingredblack", "deploySteps": [10], "deploymentMonitor": {"deploymentMonitorId": "m"}},
            ["50%", "100%"],
        ),
    ],
)
def test_a_rolling_update_has_the_steps_of_the_strategy_that_was_named(keys: dict[str, Json], steps: list[str]) -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, capacity={"min": 4, "max": 4, "desired": 4}, **keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert grown(execution) == steps
    assert place.weights() == {"shop-prod-v001": 1}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"strategy": "monitored", "deploymentMonitor": {"deploymentMonitorId": "m"}},
            "Nobody here asks deployment monitors",
        ),
        ({"strategy": "monitored", "deploySteps": [0, 50]}, "`deploySteps` is wrong"),
        ({"strategy": "cfrollingredblack"}, "There is no strategy 'cfrollingredblack'"),
    ],
)
def test_what_a_strategy_cannot_do_here_is_said_before_anything_is_done(keys: dict[str, Json], said: str) -> None:
    place = FakePlace()

    execution = place.run(deploy(NEW, **keys))

    assert said in problem_of(execution)
    assert place.faults.calls == []


@pytest.mark.parametrize("strategy", ["redblack", "rollingredblack"])
def test_what_was_replaced_is_scaled_down_where_that_is_wanted(strategy: str) -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, strategy=strategy, gracePeriod="P1D", scaleDown=True, delayBeforeScaleDownSec=5))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.type for one in execution.in_order()][-3:] == ["wait", "scaleDownCluster", "deploy"]
    assert place.group("shop-prod-v000").capacity.desired == 0
