"""Steady examples: no property fails because the machine is busy, nor by luck."""

import pytest
from hypothesis import HealthCheck, settings


def test_examples_may_take_their_time_and_are_the_same_unless_a_seed_is_given(request: pytest.FixtureRequest) -> None:
    used = settings.default

    assert used is not None
    assert used.deadline is None
    assert HealthCheck.too_slow in used.suppress_health_check
    assert used.derandomize == (request.config.getoption("--hypothesis-seed") is None)
