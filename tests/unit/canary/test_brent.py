"""The root finder stops within its absolute tolerance and keeps to IEEE arithmetic."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.canary import brent


@given(root=st.floats(min_value=-900, max_value=900))
def test_the_root_of_a_falling_line_is_found_within_the_tolerance(root: float) -> None:
    found = brent.root(lambda x: root - x, start=-1000.0, end=1000.0, at_start=root + 1000, at_end=root - 1000)

    assert found == pytest.approx(root, abs=1e-4)


@given(step=st.floats(min_value=-900, max_value=900))
def test_a_step_is_found_within_the_tolerance(step: float) -> None:
    found = brent.root(lambda x: 1.0 if x < step else -1.0, start=-1000.0, end=1000.0, at_start=1.0, at_end=-1.0)

    assert found == pytest.approx(step, abs=1e-4)


def test_an_interval_below_the_tolerance_gives_an_end_at_once() -> None:
    calls: list[float] = []

    found = brent.root(lambda x: calls.append(x) or 0.0, start=0.0, end=5e-5, at_start=2.0, at_end=-1.0)  # type: ignore[func-returns-value]  # records its calls

    assert found == 5e-5
    assert calls == []


def test_an_end_that_is_zero_is_the_root() -> None:
    assert brent.root(lambda x: x, start=1.0, end=2.0, at_start=0.0, at_end=1.0) == 1.0
    assert brent.root(lambda x: x, start=1.0, end=2.0, at_start=1.0, at_end=5e-324) == 2.0


@pytest.mark.parametrize("end", [math.inf, math.nan])
def test_infinite_ends_raise_nothing(end: float) -> None:
    assert isinstance(brent.root(lambda x: 1.0, start=0.0, end=end, at_start=1.0, at_end=-1.0), float)
