"""The choice between overloads."""

import pytest

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.methods import chosen, table
from gennaker.expressions.values import Long, Value

_TABLE = table(
    {
        "f(int)": lambda number: "int",
        "f(long)": lambda number: "long",
        "f(Object)": lambda value: "object",
        "g(int)": int,
        "g(long)": int,
    },
    blocked="secret()",
    mutating="clear()",
)


@pytest.mark.parametrize(("argument", "expected"), [(1, "int"), (Long(1), "long"), ("1", "object"), (None, "object")])
def test_the_nearest_type_wins(argument: Value, expected: str) -> None:
    method, made = chosen(_TABLE, "f", [argument], "Thing")

    assert method.code(*made) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("g", ["1"], Kind.METHOD_AMBIGUOUS),
        ("g", [1, 2], Kind.METHOD_MISSING_OR_BLOCKED),
        ("h", [], Kind.METHOD_MISSING_OR_BLOCKED),
        ("secret", [], Kind.METHOD_MISSING_OR_BLOCKED),
    ],
)
def test_a_call_that_fits_nothing_says_why(name: str, arguments: list[Value], kind: Kind) -> None:
    with pytest.raises(ExpressionError) as caught:
        chosen(_TABLE, name, arguments, "Thing")

    assert caught.value.kind is kind


def test_a_method_that_would_change_its_target_is_refused_when_it_is_called() -> None:
    method, made = chosen(_TABLE, "clear", [], "Thing")

    with pytest.raises(ExpressionError) as caught:
        method.call(None, [], made)

    assert caught.value.kind is Kind.MUTATION
