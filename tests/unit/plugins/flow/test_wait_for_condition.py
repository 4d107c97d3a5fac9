"""Wait for condition: who is held back by the settings, for how long, and who lets one go on."""

from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests.harness import TESTER, Harness, problem_of, reached

from gennaker.interfaces.services import Services
from gennaker.model.event import StagePatched
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import ConditionSettings, Settings

FREEZE = ConditionSettings(clusters=("shop-*",), accounts=("prod",), reason="the year's end")
WHERE = {"cluster": "shop-main", "account": "prod", "region": "eu"}


def run(conditions: dict[str, ConditionSettings] | None = None, *, meanwhile: Any = None, **keys: Any) -> Execution:
    known = {"freeze": FREEZE} if conditions is None else conditions
    stage = make.stage_json("c", type="waitForCondition", **{**WHERE, **keys})
    return Harness(flow.plugin, settings=Settings(conditions=known)).run(make.config(stage), meanwhile=meanwhile)


def length(execution: Execution) -> timedelta:
    stage = next(execution.top_level())
    assert stage.start_time is not None
    assert stage.end_time is not None
    return stage.end_time - stage.start_time


@pytest.mark.parametrize(
    ("conditions", "keys"),
    [
        ({}, {}),
        (None, {"cluster": "cart-main"}),
        (None, {"account": "test"}),
        (None, {"status": "skipped"}),
    ],
)
def test_nothing_is_waited_for_where_no_condition_names_the_cluster(conditions: Any, keys: dict[str, Any]) -> None:
    execution = run(conditions, **keys)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert length(execution) < timedelta(seconds=1)


def test_a_cluster_that_is_named_is_held_back_until_the_time_is_up() -> None:
    execution = run()

    assert execution.head.status is Status.TERMINAL
    assert "timed out after 2 hours" in problem_of(execution)
    assert next(execution.top_level()).context["conditions"] == ["freeze (the year's end)"]


def test_a_person_lets_one_go_on_at_once() -> None:
    said: list[Any] = []

    async def skip(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "waitForCondition")
        await services.clock.sleep_until(services.clock.now() + timedelta(minutes=10, seconds=5))
        found = await services.executions.get(execution_id)
        assert found is not None
        stage = next(found.top_level())
        said.append(stage.tasks[0].waiting_for)
        patch = StagePatched(at=services.clock.now(), stage_id=stage.id, by="ada", patch={"status": "SKIPPED"})
        await services.executions.tell(execution_id, patch, TESTER)

    execution = run(meanwhile=skip)

    assert execution.head.status is Status.SUCCEEDED
    assert timedelta(minutes=10) < length(execution) < timedelta(minutes=10, seconds=10)
    assert said[0].reason == "the conditions of the settings to pass: freeze (the year's end)"
