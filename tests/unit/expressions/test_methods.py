"""The choice between overloads."""

import pytest

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.methods import chosen, java_hash, table
from gennaker.expressions.values import Long, Value

_TABLE = table(
    {
        "f(int)": lambda number: "int",
        "f(long)": lambda number: "long",
        "f(Object)": lambda value: "object",
        "g(int)": int,
        "g(long)": int,
    },
    blocked="secret",
    mutating="clear",
)


@pytest.mark.parametrize(("argument", "expected"), [(1, "int"), (Long(1), "long"), ("1", "object"), (None, "object")])
def test_the_nearest_type_wins(argument: Value, expected: str) -> None:
    code, made = chosen(_TABLE, "f", [argument], "Thing")

    assert code(*made) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("g", ["1"], Kind.METHOD_AMBIGUOUS),
        ("g", [1, 2], Kind.METHOD_MISSING_OR_BLOCKED),
        ("h", [], Kind.METHOD_MISSING_OR_BLOCKED),
        ("secret", [], Kind.METHOD_MISSING_OR_BLOCKED),
        ("clear", [], Kind.MUTATION),
    ],
)
def test_a_call_that_fits_nothing_says_why(name: str, arguments: list[Value], kind: Kind) -> None:
    with pytest.raises(ExpressionError) as caught:
        chosen(_TABLE, name, arguments, "Thing")

    assert caught.value.kind is kind


@pytest.mark.parametrize(
    ("value", "expected"), [("hello", 99162322), (True, 1231), (None, 0), (7, 7), (Long(2**40), 256)]
)
def test_hashes_are_javas(value: Value, expected: int) -> None:
    assert java_hash(value) == expected
