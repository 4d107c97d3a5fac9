"""Methods of lists, maps, sets and numbers."""

import pytest

from gennaker.expressions import root, template
from gennaker.expressions.failures import Kind
from gennaker.model.codec import Json

_CONTEXT: dict[str, Json] = {"list": [3, 1, 2, 1], "m": {"x": 1, "y": None}, "d": 2.5}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("list.lastIndexOf(1)", 3),
        ("list.subList(1, 3)", [1, 2]),
        ("list.contains(3L)", False),
        ("m.containsKey('y')", True),
        ("m.values().size()", 2),
        ("m.entrySet().![#this.toString()]", ["x=1", "y=null"]),
        ("m.keySet()[1]", "y"),
        ("m.size", None),
        ("d.intValue()", 2),
        ("3.compareTo(3L)", 0),
        ("3.equals(3L)", False),
        ("list.empty", False),
    ],
)
def test_a_method_gives_what_java_gives(expression: str, expected: Json) -> None:
    found = template.evaluate(f"${{{expression}}}", root.plain(_CONTEXT)).value

    assert found == (f"${{{expression}}}" if expected is None else expected)


@pytest.mark.parametrize(
    "call", ["list.add(1)", "list.clear()", "list.remove(1)", "m.clear()", "m.keySet().remove('x')", "list.sort(null)"]
)
def test_what_would_change_the_context_is_refused_by_name(call: str) -> None:
    evaluated = template.evaluate({"v": f"${{{call}}}", "w": "${list.size() + m.size()}"}, root.plain(_CONTEXT))

    assert [failure.kind for failure in evaluated.failures] == [Kind.MUTATION]
    assert evaluated.value == {"v": f"${{{call}}}", "w": 6}


@pytest.mark.parametrize("call", ["list.get(0)", "list.stream()", "m.get('x')", "m.put('a', 1)", "list.iterator()"])
def test_what_the_filter_forbids_is_missing(call: str) -> None:
    (failure,) = template.evaluate(f"${{{call}}}", root.plain(_CONTEXT)).failures

    assert failure.kind is Kind.METHOD_MISSING_OR_BLOCKED
