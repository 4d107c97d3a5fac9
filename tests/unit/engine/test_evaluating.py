"""Evaluating: what expressions of a stage and of a notification see."""

from typing import cast

import pytest
from msgspec.structs import replace
from tests.make import AT, execution, stage_json
from tests.playbook import stage_id

from gennaker.engine import evaluating
from gennaker.expressions import template
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import Notify
from gennaker.model.execution import ExecutionKind


def test_a_stage_sees_its_context_ancestors_the_trigger_and_the_execution() -> None:
    found = execution(
        stage_json("a"),
        stage_json("b", "a", colour="blue", all="${ colour }-${ image }-${ trigger.type }-${ execution.name }"),
        trigger={"type": "git"},
    )
    first = found.stages[stage_id("a")]
    found = replace(found, stages=found.stages.set(first.id, replace(first, outputs={"image": "shop:1"})))

    evaluated = evaluating.context_of(found, found.stages[stage_id("b")], at=AT)

    assert evaluated.context["all"] == "blue-shop:1-git-deliver"


def test_stages_of_an_orchestration_see_no_execution() -> None:
    found = execution(stage_json("a", name2="${ execution.name }"), kind=ExecutionKind.ORCHESTRATION)

    evaluated = evaluating.context_of(found, found.stages[stage_id("a")], at=AT)

    assert evaluated.context["name2"] == "${ execution.name }"


def test_a_function_that_would_have_to_ask_somebody_is_a_problem_and_not_text() -> None:
    found = execution(stage_json("a", child="${ #pipelineId('build') }"))

    problem = evaluating.context_of(found, found.stages[stage_id("a")], at=AT).problem

    assert problem is not None
    assert (problem.code, problem.pointer) == ("expression.unsupported", "/child")
    assert "isn't offered here" in problem.message


AS_TEXT = [
    ("${ colour", "parse"),
    ("a ${ colour b", "parse"),
    ("${ colour.length( }", "parse"),
    ("${ 'blue }", "parse"),
    ("${}", "parse"),
    ("${HOME}", "null_result"),
    ("${VAR:-blue}", "parse"),
    ("${ unknown }", "null_result"),
    ("${ unknown.name }", "null_dereference"),
    ("${ colour.nothing }", "property_missing"),
    ("${ #nothing() }", "function_missing"),
    ("${ nothing() }", "method_missing_or_blocked"),
    ("${ T(java.lang.Runtime).getRuntime() }", "type_blocked"),
    ("${ 1 / 0 }", "java_exception"),
]
"""What the reference leaves as text with an entry in its summary, too: expressions.json holds the cases."""


@pytest.mark.parametrize(("text", "kind"), AS_TEXT)
def test_what_can_be_evaluated_nowhere_stays_as_text_and_is_told(text: str, kind: str) -> None:
    found = execution(stage_json("a", colour="blue", title=text))

    evaluated = evaluating.context_of(found, found.stages[stage_id("a")], at=AT)

    assert (evaluated.context["title"], evaluated.problem) == (text, None)
    (told,) = cast("list[JsonObject]", evaluated.context["expressionFailures"])
    assert (told["code"], told["pointer"]) == (f"expression.{kind}", "/title")
    assert evaluated.context["expressionEvaluationSummary"]


NOT_HERE = [
    ("${ new java.util.Date('1 Jan 2024') }", "unsupported"),
    ("${ T(String).format('%a', 1.5) }", "unsupported"),
    ("${ colours.add('red') }", "mutation"),
    ("${ colour = 'red' }", "mutation"),
    ("${ #stage('a').setName('b') }", "mutation"),
]
"""What the reference evaluates, and Gennaker doesn't."""


@pytest.mark.parametrize(("text", "kind"), NOT_HERE)
def test_what_can_be_evaluated_elsewhere_only_never_passes_as_text(text: str, kind: str) -> None:
    found = execution(stage_json("a", colour="blue", colours=["blue"], title=f"x {text}"))

    problem = evaluating.context_of(found, found.stages[stage_id("a")], at=AT).problem

    assert problem is not None
    assert (problem.code, problem.pointer) == (f"expression.{kind}", "/title")
    assert problem.remedy


def test_a_failure_is_told_with_its_place_its_parts_and_what_was_meant() -> None:
    found = execution(stage_json("a", colour="blue", title="${ coluor.length() }"))

    context = evaluating.context_of(found, found.stages[stage_id("a")], at=AT).context

    (told,) = cast("list[JsonObject]", context["expressionFailures"])
    assert (told["code"], told["pointer"], told["position"]) == ("expression.null_dereference", "/title", 3)
    assert told["nearest"] == "colour"
    assert told["parts"] == [
        {"position": 3, "part": "coluor", "value": "null", "type": "null"},
        {
            "position": 3,
            "part": "coluor.length()",
            "problem": "The method length can't be called: coluor doesn't exist.",
        },
    ]
    assert list(cast("JsonObject", context["expressionEvaluationSummary"])) == ["coluor.length()"]


def test_a_summary_goes_when_nothing_is_left_to_evaluate() -> None:
    found = execution(stage_json("a", title="done", expressionEvaluationSummary={"x": []}, expressionFailures=[]))

    assert evaluating.context_of(found, found.stages[stage_id("a")], at=AT).context == {"title": "done"}


def test_what_failed_is_evaluated_once_more_and_nothing_that_came_in_since() -> None:
    found = execution(stage_json("a", **{"a/b": "${image}", "list": ["${image}", "${gone}"], "steady": 1}))
    before = evaluating.context_of(found, found.stages[stage_id("a")], at=AT).context
    stage = replace(found.stages[stage_id("a")], context={**before, "answer": "${image}"}, outputs={"image": "shop:1"})
    later = replace(found, stages=found.stages.set(stage.id, stage))

    context = evaluating.once_more(later, stage, at=AT).context

    summary = cast("JsonObject", context.pop("expressionEvaluationSummary"))
    (told,) = cast("list[JsonObject]", context.pop("expressionFailures"))
    assert context == {"a/b": "shop:1", "list": ["shop:1", "${gone}"], "steady": 1, "answer": "${image}"}
    assert (list(summary), told["pointer"]) == (["gone"], "/list/1")


def test_variables_without_expressions_keep_what_was_written_too() -> None:
    listed: list[Json] = [{"key": "a", "value": "plain"}, {"key": "b", "value": 3}]
    found = execution(stage_json("a", variables=listed), spel_evaluator="v4")

    done = evaluating.context_of(found, found.stages[stage_id("a")], at=AT, in_order="variables")

    assert done.context == {"variables": [{"key": "a", "value": "plain", "sourceValue": "plain"}, listed[1]]}


def test_a_notification_is_evaluated_as_its_stage_or_the_execution_sees_it() -> None:
    found = execution(stage_json("a", team="ops"))
    of_stage = Notify(key="k", moment="stage.failed", stage_id=stage_id("a"), notification={"address": "${ team }"})
    of_run = Notify(key="k", moment="pipeline.failed", notification={"address": "${ execution.name }"})

    assert evaluating.notification_of(found, of_stage, at=AT) == {"address": "ops"}
    assert evaluating.notification_of(found, of_run, at=AT) == {"address": "deliver"}


def test_variables_that_follow_one_another_share_what_a_stage_s_results_may_have() -> None:
    large: list[Json] = [*range(template.MAX_MADE * 2 // 5)]
    names = ("a", "b", "c")
    variables: list[Json] = [{"key": name, "value": "${ large }"} for name in names]
    found = execution(stage_json("v", large=large, variables=variables))
    found = replace(found, head=replace(found.head, spel_evaluator="v4"))

    done = evaluating.context_of(found, next(found.in_order()), at=AT, in_order="variables").context

    made = [foreign.mapping(one)["value"] for one in foreign.items(done["variables"])]
    assert [value == large for value in made] == [True, True, False]
    assert made[2] == "${ large }"
