"""Numbers are written and rounded as Java does."""

import math

import pytest

from gennaker.canary import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (75.0, "75.0"),
        (74.99, "74.99"),
        (1e7, "1.0E7"),
        (1.5e-4, "1.5E-4"),
        (0.001, "0.001"),
        (123456789.125, "1.23456789125E8"),
        (-0.0, "-0.0"),
        (9999999.0, "9999999.0"),
        (1e22, "1.0E22"),
        (-1e-5, "-1.0E-5"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
    ],
)
def test_a_double_is_written_as_java_writes_it(value: float, text: str) -> None:
    assert numbers.java_text(value) == text


@pytest.mark.parametrize(("value", "wanted"), [(1.005, 1.01), (2.675, 2.68), (-1.005, -1.01), (33.333, 33.33)])
def test_rounding_goes_half_up_on_the_shortest_decimal_text(value: float, wanted: float) -> None:
    assert numbers.rounded(value) == wanted


def test_special_numbers_travel_as_texts_at_any_depth() -> None:
    assert numbers.wire({"a": [math.nan, {"b": math.inf}], "c": -math.inf, "d": 1, "e": None}) == {
        "a": ["NaN", {"b": "Infinity"}],
        "c": "-Infinity",
        "d": 1,
        "e": None,
    }
