"""Java's String.format."""

import pytest

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.formatting import java_format
from gennaker.expressions.values import Date, Long, Value


@pytest.mark.parametrize(
    ("pattern", "arguments", "expected"),
    [
        ("%2$s %1$s %<s", ["a", "b"], "b a a"),
        ("%+d % d %(d %,d", [1, 2, -3, 1234567], "+1  2 (3) 1,234,567"),
        ("%08.3f|%-8.1f|", [3.14159, 2.25], "0003.142|2.3     |"),
        ("%X %o %#x", [255, 8, 16], "FF 10 0x10"),
        ("%x", [-1], "ffffffff"),
        ("%b %c %S %.2s%n%%", [None, 65, "ab", "xyz"], "false A AB xy\n%"),
        ("%e %.3g", [12345.678, 0.5], "1.234568e+04 0.500"),
        ("%tF %<tT", [Date(0)], "1970-01-01 00:00:00"),
        ("%tA", [Long(0)], "Thursday"),
    ],
)
def test_directives_give_what_java_gives(pattern: str, arguments: list[Value], expected: str) -> None:
    assert java_format(pattern, arguments) == expected


@pytest.mark.parametrize(
    ("pattern", "arguments"),
    [("%d", []), ("%d", ["x"]), ("%f", [1]), ("%q", [1]), ("%", []), ("%tY", ["x"]), ("%c", ["ab"])],
)
def test_bad_directives_and_arguments_fail(pattern: str, arguments: list[Value]) -> None:
    with pytest.raises(ExpressionError) as caught:
        java_format(pattern, arguments)

    assert caught.value.kind is Kind.JAVA_EXCEPTION


def test_a_width_without_bound_is_refused() -> None:
    with pytest.raises(ExpressionError) as caught:
        java_format("%99999999s", ["x"])

    assert caught.value.kind is Kind.LIMIT
