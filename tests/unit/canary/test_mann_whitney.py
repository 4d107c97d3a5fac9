"""The merged ranks agree bit for bit with ranks taken the plain way."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gennaker.canary import brent, mann_whitney
from gennaker.canary.mann_whitney import QUANTILE, AllTied, Shift

values = st.lists(
    st.integers(-5, 5).map(float)
    | st.sampled_from([0.0, -0.0, 0.1, 0.30000000000000004, 0.3])
    | st.floats(min_value=-100, max_value=100),
    min_size=2,
    max_size=20,
)


def order(value: float) -> tuple[float, float]:
    """Doubles by bits: -0.0 before 0.0, NaN as infinity."""
    value = math.inf if math.isnan(value) else value
    return value, math.copysign(1.0, value)


def plain_statistic(experiment: list[float], control: list[float], shift: float, quantile: float) -> float:
    pooled = [value - shift for value in experiment] + control
    keys = [order(value) for value in pooled]
    ranks = [sum(k < key for k in keys) + (sum(k == key for k in keys) + 1) / 2 for key in keys]
    m, n = float(len(experiment)), float(len(control))
    difference = sum(ranks[: len(experiment)]) - m * (m + 1) / 2 - m * n / 2
    correction = 0.5 * ((difference > 0) - (difference < 0))
    ties = sum(keys.count(key) ** 3 - keys.count(key) for key in set(keys))
    deviation = math.sqrt((m * n / 12) * ((m + n + 1) - ties / ((m + n) * (m + n - 1))))
    if deviation == 0:
        raise AllTied("tied")
    return (difference - correction) / deviation - quantile


def plain_shift(experiment: list[float], control: list[float]) -> Shift:
    least, greatest = min(experiment) - max(control), max(experiment) - min(control)

    def crossing(quantile: float) -> float:
        def statistic(shift: float) -> float:
            return plain_statistic(experiment, control, shift, quantile)

        return brent.root(statistic, start=least, end=greatest, at_start=statistic(least), at_end=statistic(greatest))

    def clamped(quantile: float) -> float:
        if plain_statistic(experiment, control, least, quantile) <= 0:
            return least
        if plain_statistic(experiment, control, greatest, quantile) >= 0:
            return greatest
        return crossing(quantile)

    return Shift(lower=clamped(-QUANTILE), upper=clamped(QUANTILE), estimate=crossing(0.0))


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(experiment=values, control=values)
def test_interval_and_estimate_are_those_of_plain_ranking(experiment: list[float], control: list[float]) -> None:
    try:
        wanted = plain_shift(experiment, control)
    except AllTied:
        with pytest.raises(AllTied):
            mann_whitney.shift(np.array(experiment), np.array(control))
        return

    assert mann_whitney.shift(np.array(experiment), np.array(control)) == wanted


def test_zeros_of_both_signs_are_different_ranks() -> None:
    assert mann_whitney.rank_sum(np.array([0.0]), np.array([-0.0])) == 2.0
    assert mann_whitney.rank_sum(np.array([-0.0]), np.array([0.0])) == 1.0


def test_tied_ranks_are_averaged() -> None:
    assert mann_whitney.rank_sum(np.array([1.0, 2.0]), np.array([2.0, 2.0])) == 1.0 + 3.0


def test_not_a_number_ranks_as_infinity() -> None:
    assert mann_whitney.rank_sum(np.array([math.nan]), np.array([math.inf, 1.0])) == 2.5


def test_samples_that_are_all_tied_have_no_interval() -> None:
    with pytest.raises(AllTied):
        mann_whitney.shift(np.array([5.0]), np.array([5.0]))


def test_a_range_below_the_tolerance_gives_end_points() -> None:
    experiment, control = np.linspace(2e-5, 3e-5, 30), np.linspace(1e-5, 2e-5, 30)

    found = mann_whitney.shift(experiment, control)

    ends = (experiment.min() - control.max(), experiment.max() - control.min())
    assert {found.lower, found.upper, found.estimate} <= {*map(float, ends)}


def test_infinite_samples_raise_nothing() -> None:
    found = mann_whitney.shift(np.array([math.inf, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, -math.inf]))

    assert isinstance(found, Shift)
