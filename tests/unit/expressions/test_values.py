"""Values, their names and texts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Float, Long, Value, double_text, equal, float_text, single, type_name


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
    assert single(float(float_text(Float.of(value)))) == single(value)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "Integer"),
        (2**31, "Long"),
        (2**63, "BigInteger"),
        (Long(1), "Long"),
        (True, "Boolean"),
        (None, "null"),
        ([], "ArrayList"),
    ],
)
def test_a_value_is_named_after_its_java_type(value: Value, name: str) -> None:
    assert type_name(value) == name


def test_equality_minds_the_type_of_numbers() -> None:
    assert equal({"a": [1, None]}, {"a": [1, None]})
    assert not equal(1, Long(1))
    assert not equal(1, True)
    assert not equal([1], [1.0])


@pytest.mark.slow
def test_comparing_values_that_only_look_endless_ends() -> None:
    def tower() -> list[Value]:
        level: list[Value] = [0]
        for _ in range(40):
            level = [level, level]
        return level

    with pytest.raises(ExpressionError) as caught:
        equal(tower(), tower())

    assert caught.value.kind is Kind.LIMIT
