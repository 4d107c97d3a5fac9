"""Numbers as Java 17 prints and reads them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.expressions.number_text import double_text, float_text, single


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5.0, "5.0"),
        (1e10, "1.0E10"),
        (1e-5, "1.0E-5"),
        (1e7, "1.0E7"),
        (1234567.125, "1234567.125"),
        (0.001, "0.001"),
        (123456789.5, "1.234567895E8"),
        (-0.0, "-0.0"),
        (2.0**-44, "5.6843418860808015E-14"),
        (2e23, "1.9999999999999998E23"),
        (5e-324, "4.9E-324"),
        (9007199254740993.0, "9.007199254740992E15"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
    ],
)
def test_doubles_are_written_as_java_writes_them(value: float, text: str) -> None:
    assert double_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_double_reads_back_as_the_same_double(value: float) -> None:
    assert float(double_text(value)) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_text_of_a_float_reads_back_as_the_same_float(value: float) -> None:
    assert single(float(float_text(single(value)))) == single(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(2147483648.0, "2.14748365E9"), (0.1, "0.1"), (1.17549435e-38, "1.17549435E-38"), (3.4028235e38, "3.4028235E38")],
)
def test_a_float_may_have_a_digit_more_than_it_needs(value: float, text: str) -> None:
    assert float_text(single(value)) == text
