"""Conversions to text, booleans, parameters and JSON."""

import math
from datetime import date

import pytest

from gennaker.expressions.conversions import java_text, text, to_json, truth
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Array, Byte, Char, Date, Float, LocalDate, Long, Status, Value


def test_the_two_texts_of_a_list_differ() -> None:
    assert java_text([1, [2, None]]) == "[1, [2, null]]"
    assert text([1, [2, None]]) == "1,2,null"


@pytest.mark.parametrize("value", [{}, {"a": 1}, LocalDate(date(2024, 2, 29))])
def test_maps_and_days_have_no_converted_text(value: Value) -> None:
    with pytest.raises(ExpressionError) as caught:
        text(value)

    assert caught.value.kind is Kind.CONVERSION


@pytest.mark.parametrize(
    ("value", "expected"), [("yes", True), ("OFF", False), ("1", True), (["false"], False), (True, True)]
)
def test_words_and_first_elements_stand_for_booleans(value: Value, expected: bool) -> None:
    assert truth(value) is expected


@pytest.mark.parametrize("value", [None, "", "maybe", 0, 1, {}, []])
def test_all_else_is_neither_true_nor_false(value: Value) -> None:
    with pytest.raises(ExpressionError) as caught:
        truth(value)

    assert caught.value.kind is Kind.CONVERSION


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (Float.of(0.1), 0.1),
        (math.nan, "NaN"),
        (Long(5), 5),
        (Date(7), 7),
        (LocalDate(date(2024, 2, 29)), [2024, 2, 29]),
        (Array("byte", [Byte(104), Byte(-1)]), "aP8="),
        (Array("char", [Char("a"), Char("b")]), "ab"),
        (Status("RUNNING"), "RUNNING"),
        ({1: [Status("PAUSED")]}, {"1": ["PAUSED"]}),
    ],
)
def test_results_are_written_as_jackson_writes_them(value: Value, json: Value) -> None:
    assert to_json(value) == json


@pytest.mark.slow
def test_a_result_that_only_looks_small_is_refused() -> None:
    level: list[Value] = [0]
    for _ in range(60):
        level = [level, level]

    for write in (to_json, java_text, text):
        with pytest.raises(ExpressionError) as caught:
            write(level)
        assert caught.value.kind is Kind.LIMIT
