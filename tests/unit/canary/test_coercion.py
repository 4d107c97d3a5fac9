"""JSON values are bent as Kayenta bends them: typed fields generously, options not at all."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.canary import coercion
from gennaker.canary.coercion import Unreadable


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("null", None),
        (3, 3.0),
        (-0.0, -0.0),
        ("1.5", 1.5),
        (" 1e3 ", 1000.0),
        ("1.", 1.0),
        (".5d", 0.5),
        ("0x1p3", 8.0),
        ("Infinity", math.inf),
        ("-INF", -math.inf),
        ("1e400", math.inf),
        (10**400, math.inf),
        (-(10**400), -math.inf),
        ("0x1p99999", math.inf),
        (2**63, 2.0**63),
    ],
)
def test_a_typed_number_is_read_from_what_java_takes(value: Any, number: float | None) -> None:
    assert repr(coercion.double(value)) == repr(number)


def test_a_typed_number_is_read_from_the_text_nan() -> None:
    assert math.isnan(coercion.double("NaN") or 0.0)


@pytest.mark.parametrize(
    "value", [True, [], {}, "1_0", "inf", "nan", "abc", "1,5", "٣", "0x10", "1e", "\u00a01", "+INF"]
)
def test_a_typed_number_is_not_read_from_what_java_refuses(value: Any) -> None:
    with pytest.raises(Unreadable):
        coercion.double(value)


@given(number=st.floats(allow_nan=False))
def test_a_number_written_as_text_is_the_same_number(number: float) -> None:
    text = "Infinity" if number == math.inf else "-Infinity" if number == -math.inf else repr(number)

    assert repr(coercion.double(text)) == repr(number)


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), ("a", "a"), (3, "3"), (1.5, "1.5"), (True, "true"), (False, "false")]
)
def test_a_typed_text_is_read_from_any_scalar(value: Any, text: str | None) -> None:
    assert coercion.text(value) == text


@pytest.mark.parametrize(
    ("options", "number"),
    [({}, 7.0), ({"a": None}, 0.0), ({"a": 2}, 2.0), ({"a": 2.5}, 2.5), ({"a": 2**31 - 1}, 2.0**31 - 1)],
)
def test_a_number_among_options_is_an_integer_of_32_bits_or_a_decimal(options: Any, number: float) -> None:
    assert coercion.option_number(options, "a", default=7.0) == number


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, "1.1", "NaN", True, [1.0], {}])
def test_anything_else_is_no_number_among_options(value: Any) -> None:
    with pytest.raises(Unreadable):
        coercion.option_number({"a": value}, "a", default=7.0)


@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_nothing_but_true_and_false_is_a_switch(value: Any) -> None:
    with pytest.raises(Unreadable):
        coercion.option_boolean({"a": value}, "a", default=True)


def test_null_is_false_for_a_switch() -> None:
    assert coercion.option_boolean({"a": None}, "a", default=True) is False


def test_null_is_no_text_among_options_but_anything_else_is() -> None:
    assert coercion.option_text({"a": 3}, "a", default="") == "3"
    with pytest.raises(Unreadable):
        coercion.option_text({"a": None}, "a", default="")


@pytest.mark.parametrize("between", [None, 3, "text", {}])
def test_a_path_through_something_without_keys_holds_nothing(between: Any) -> None:
    assert coercion.option_number({"a": between}, "a", "b", default=7.0) == 7.0


def test_a_path_through_a_list_holds_a_list() -> None:
    assert coercion.option({"a": [{"b": 1}, {"b": 2}, {}]}, "a", "b") == (True, [1, 2])
