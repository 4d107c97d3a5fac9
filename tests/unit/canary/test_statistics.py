"""Statistics are summed from left to right and agree with plain loops bit for bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.canary import statistics
from gennaker.canary.statistics import Stats

values = st.lists(st.floats(min_value=-1e12, max_value=1e12), min_size=1, max_size=40)


def looped_mean(items: list[float]) -> float:
    first = 0.0
    for item in items:
        first += item
    first /= len(items)
    rest = 0.0
    for item in items:
        rest += item - first
    return first + rest / len(items)


def looped_deviation(items: list[float]) -> float:
    mean = looped_mean(items)
    squares = rest = 0.0
    for item in items:
        squares += (item - mean) * (item - mean)
        rest += item - mean
    return math.sqrt((squares - rest * rest / len(items)) / (len(items) - 1))


@given(items=values)
def test_the_mean_is_that_of_the_two_loops(items: list[float]) -> None:
    assert statistics.mean(np.array(items)) == looped_mean(items)


@given(items=values.filter(lambda items: len(items) > 1))
def test_the_deviation_is_that_of_the_loops(items: list[float]) -> None:
    assert statistics.standard_deviation(np.array(items)) == looped_deviation(items)


def test_an_empty_side_has_only_zeros() -> None:
    assert statistics.summary(np.array([])) == Stats(count=0, mean=0.0, min=0.0, std=0.0, max=0.0)


def test_one_value_has_no_deviation() -> None:
    assert statistics.summary(np.array([3.0])) == Stats(count=1, mean=3.0, min=3.0, std=0.0, max=3.0)


def test_of_zeros_of_both_signs_the_last_is_reported() -> None:
    assert math.copysign(1.0, statistics.summary(np.array([0.0, -0.0, 1.0])).min) == -1.0
    assert math.copysign(1.0, statistics.summary(np.array([-0.0, 0.0, 1.0])).min) == 1.0


@pytest.mark.parametrize(
    ("percent", "wanted"), [(0.0, 1.0), (25.0, 1.75), (50.0, 2.5), (75.0, 3.25), (100.0, 4.0), (99.0, 3.97)]
)
def test_percentiles_are_of_type_seven(percent: float, wanted: float) -> None:
    assert statistics.percentile(np.array([1.0, 2.0, 3.0, 4.0]), percent) == pytest.approx(wanted, rel=1e-15)


def test_percentiles_of_none_and_one() -> None:
    assert math.isnan(statistics.percentile(np.array([]), 50.0))
    assert statistics.percentile(np.array([7.0]), 99.0) == 7.0


def test_infinite_values_raise_nothing() -> None:
    found = statistics.summary(np.array([math.inf, 1.0, -math.inf]))

    assert (found.min, found.max) == (-math.inf, math.inf)
    assert math.isnan(found.mean)
    assert math.isnan(found.std)
