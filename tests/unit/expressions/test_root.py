"""What the root of an expression holds."""

import pytest

from gennaker.expressions import root, template
from gennaker.expressions.values import PlainNames
from gennaker.model.codec import Json, JsonObject


def _never() -> JsonObject:
    raise AssertionError("the execution was made though nobody asked for it")


def test_the_execution_is_only_made_when_an_expression_asks_for_it() -> None:
    at = root.Root(context=PlainNames({"a": 1}), execution=_never, trigger={"type": "manual", "parameters": {"p": "x"}})

    assert template.evaluate("${a} ${parameters.p} ${trigger.user}", at).value == "1 x [anonymous]"


def test_execution_and_trigger_hide_the_stages_own_keys() -> None:
    context: dict[str, object] = {"execution": "mine", "trigger": "mine", "own": "mine"}
    at = root.Root(context=PlainNames(context), execution={"id": "E", "trigger": {"type": "git"}})

    assert template.evaluate("${execution.id} ${trigger.type} ${own}", at).value == "E git mine"


@pytest.mark.parametrize(
    ("trigger", "own", "expected"),
    [({"parameters": {"p": 1}}, {"p": 2}, 1), ({"parameters": {}}, {"p": 2}, 2), ({}, None, None)],
)
def test_parameters_are_the_triggers_if_it_has_any_else_the_contexts(
    trigger: JsonObject, own: Json, expected: Json
) -> None:
    context: JsonObject = {"trigger": trigger} if own is None else {"trigger": trigger, "parameters": own}

    found = template.evaluate("${parameters.p}", root.plain(context)).value

    assert found == ("${parameters.p}" if expected is None else expected)


def test_extras_hide_everything_else() -> None:
    at = root.Root(context=PlainNames({"templateVariables": 1}), extras={"templateVariables": {"x": 2}})

    assert template.evaluate("${templateVariables.x}", at).value == 2
