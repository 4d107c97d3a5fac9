"""How arguments suit parameters, and become them."""

import pytest

from gennaker.expressions.arguments import CLOSE, CONVERTED, EXACT, convert, suits
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Array, Char, EnumValue, Value


@pytest.mark.parametrize(
    ("kind", "value", "quality"),
    [
        ("String", "x", EXACT),
        ("int", 1, CLOSE),
        ("int", "1", CONVERTED),
        ("int", None, None),
        ("CharSequence", 1, None),
        ("Object", {}, CLOSE),
        ("String", {}, None),
    ],
)
def test_an_argument_suits_a_parameter_exactly_nearly_or_by_conversion(
    kind: str, value: Value, quality: int | None
) -> None:
    assert suits(kind, value) == quality


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("int", " 0x1F", 31),
        ("int", Char("a"), 97),
        ("int", EnumValue("DayOfWeek", "WEDNESDAY", 2), 2),
        ("Collection", "a, b", ["a", "b"]),
        ("String", ["a", ["b", None]], "a,b,null"),
        ("CharSequence", ["a", "b"], "a"),
        ("char", 97, "a"),
        ("char[]", "a,b", Array("char", [Char("a"), Char("b")])),
        ("boolean", "yes", True),
    ],
)
def test_an_argument_becomes_what_springs_converters_make_of_it(kind: str, value: Value, made: Value) -> None:
    assert suits(kind, value) == CONVERTED
    assert convert(kind, value) == made


@pytest.mark.parametrize(("kind", "value"), [("int", ""), ("int", "x"), ("int", 2**40), ("char", "ab"), ("byte", 200)])
def test_what_cannot_become_its_parameter_is_a_failed_conversion(kind: str, value: Value) -> None:
    with pytest.raises(ExpressionError) as caught:
        convert(kind, value)

    assert caught.value.kind is Kind.CONVERSION
