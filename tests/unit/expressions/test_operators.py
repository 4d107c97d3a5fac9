"""Arithmetic, comparison and equality."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.operators import binary, compare, holds, is_equal, negative, wrap
from gennaker.expressions.values import BigInteger, Float, Long, Status, Value, type_name

_INT = st.integers(-(2**31), 2**31 - 1)


@given(_INT, _INT, st.sampled_from("+-*"))
def test_ints_wrap_as_in_java(left: int, right: int, operator: str) -> None:
    exact = {"+": left + right, "-": left - right, "*": left * right}[operator]

    assert binary(operator, left, right) == wrap(exact, 32)


@given(_INT, _INT.filter(lambda number: number != 0))
def test_division_cuts_towards_zero_and_the_rest_keeps_the_sign(left: int, right: int) -> None:
    quotient, rest = binary("/", left, right), binary("%", left, right)

    assert isinstance(quotient, int)
    assert isinstance(rest, int)
    assert wrap(quotient * right + rest, 32) == left
    assert rest == 0 or (rest < 0) == (left < 0)


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        (1, 2, "Integer"),
        (1, Long(2), "Long"),
        (Long(1), Float(1.0), "Float"),
        (Float(1.0), 1.0, "Double"),
        (2**70, 1, "BigInteger"),
    ],
)
def test_the_wider_type_wins(left: Value, right: Value, kind: str) -> None:
    assert type_name(binary("+", left, right)) == kind


def test_real_division_by_zero_is_infinite_and_whole_division_fails() -> None:
    assert binary("/", 1.0, 0) == math.inf
    with pytest.raises(ExpressionError) as caught:
        binary("/", 1, 0)
    assert caught.value.kind is Kind.JAVA_EXCEPTION


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [("+", "x" * 60_000, "y" * 60_000), ("*", "ab", 200), ("*", "a", -1), ("^", BigInteger(2**70), 100_000)],
)
def test_results_that_are_too_large_are_refused(operator: str, left: Value, right: Value) -> None:
    with pytest.raises(ExpressionError) as caught:
        binary(operator, left, right)

    assert caught.value.kind is Kind.LIMIT


def test_a_sign_wraps_the_smallest_int() -> None:
    assert negative(-(2**31)) == -(2**31)


def test_equality_is_by_value_for_numbers_and_by_text_for_statuses() -> None:
    assert is_equal(1, 1.0)
    assert is_equal(Status("SUCCEEDED"), "SUCCEEDED")
    assert not is_equal("1", 1)
    assert not is_equal([1], [1.0])


def test_nothing_holds_for_what_is_not_a_number() -> None:
    assert [holds(operator, math.nan, math.nan) for operator in ("==", "<", "<=", ">", ">=")] == [False] * 5


@given(st.none() | _INT, st.none() | _INT)
def test_comparison_is_antisymmetric_and_null_comes_first(left: int | None, right: int | None) -> None:
    assert compare(left, right) == -compare(right, left)
    assert left is None or compare(None, left) < 0


def test_text_and_numbers_are_not_comparable_and_the_message_says_what_to_do() -> None:
    with pytest.raises(ExpressionError, match="#toInt") as caught:
        compare("5", 3)

    assert caught.value.kind is Kind.NOT_COMPARABLE
