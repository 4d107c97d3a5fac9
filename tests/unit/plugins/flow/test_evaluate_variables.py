"""Evaluate variables: order, failures, what downstream sees, and what a restart begins with."""

from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, ended

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import RestartAsked
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow


def pipeline(*variables: JsonObject, evaluator: str = "v4", **context: Any) -> JsonObject:
    stages: list[Any] = [
        make.stage_json("e", type="evaluateVariables", variables=list(variables), **context),
        make.stage_json("m", "e", type="make", seen="${size}"),
    ]
    return {"application": "shop", "name": "d", "spelEvaluator": evaluator, "stages": stages}


def run(*variables: JsonObject, **fields: Any) -> Execution:
    return Harness(flow.plugin, scripted.plugin(Target())).run(
        pipeline(*variables, **fields), {"parameters": {"count": "3"}}
    )


def variable(key: str, value: Json, **fields: Json) -> JsonObject:
    return {"key": key, "value": value, **fields}


def first(execution: Execution) -> Any:
    return next(execution.top_level())


def test_each_variable_sees_those_before_it_and_downstream_sees_all() -> None:
    execution = run(variable("count", "${#toInt(parameters.count)}"), variable("size", "${count * 2}"))

    assert execution.head.status is Status.SUCCEEDED
    assert first(execution).outputs == {"count": 3, "size": 6}
    assert [stage.context.get("seen") for stage in execution.top_level()] == [None, 6]


def test_what_was_written_is_kept_beside_the_value() -> None:
    execution = run(variable("size", "${1 + 1}", description="of ${parameters.count}"))

    assert first(execution).context["variables"] == [
        {"key": "size", "value": 2, "description": "of 3", "sourceValue": "{1 + 1}"}
    ]


def test_a_failed_one_keeps_its_text_and_is_not_seen_by_the_next() -> None:
    execution = run(variable("a", "${nobody.x}"), variable("size", "${a ?: 'none'}"))

    assert execution.head.status is Status.SUCCEEDED
    assert first(execution).outputs == {"a": "${nobody.x}", "size": "none"}
    assert list(first(execution).context["expressionEvaluationSummary"]) == ["nobody.x"]


def test_a_failed_one_fails_the_stage_where_it_says_so() -> None:
    execution = run(variable("a", "${nobody.x}"), failOnFailedExpressions=True)

    assert (first(execution).status, execution.head.status) == (Status.TERMINAL, Status.TERMINAL)
    assert first(execution).outputs == {"a": "${nobody.x}"}


def test_the_older_evaluator_evaluates_all_at_once() -> None:
    execution = run(variable("a", "${1}"), variable("size", "${a ?: 'none'}"), evaluator="v3")

    assert first(execution).outputs == {"a": 1, "size": "none"}


@pytest.mark.parametrize("variables", [(), (variable("", "x"), {"value": "y"})])
def test_what_has_no_name_is_no_output(variables: tuple[JsonObject, ...]) -> None:
    execution = run(*variables)

    assert first(execution).status is Status.SUCCEEDED
    assert first(execution).outputs == {}


def test_of_two_of_one_name_the_later_counts_and_may_build_on_the_former() -> None:
    assert first(run(variable("size", "${1}"), variable("size", "${size + 1}"))).outputs == {"size": 2}


def test_a_restart_evaluates_what_was_written_and_forgets_the_outputs() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    # Each sees what was put out before under its own name: a restart that kept outputs would give `again`.
    written = variable("size", "${size == null ? {first: {1, 2}} : 'again'}")
    config: JsonObject = pipeline(written)

    async def work(services: Services) -> None:
        executions = services.executions
        execution_id = await executions.submit(Submission(config=config), TESTER)
        done = await ended(services, execution_id)
        assert first(done).outputs == {"size": {"first": [1, 2]}}
        event = RestartAsked(at=services.clock.now(), stage_id=first(done).id, by="ada")
        await executions.tell(execution_id, event, TESTER)
        again = await ended(services, execution_id)
        assert first(again).attempt == 1
        assert first(again).outputs == {"size": {"first": [1, 2]}}

    harness.do(work)
