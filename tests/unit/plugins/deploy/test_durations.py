"""Durations of stages: what is too long or endless is refused, whatever its number of digits."""

from datetime import timedelta

import pytest

from gennaker.model.problems import Refused
from gennaker.plugins.deploy import durations


@pytest.mark.parametrize(
    ("given", "length"),
    [
        ("PT1H", timedelta(hours=1)),
        ("p1dt2m0.5s", timedelta(days=1, minutes=2, seconds=0.5)),
        ("90", timedelta(seconds=90)),
        (1.5, timedelta(seconds=1.5)),
        ("P3660D", timedelta(days=3660)),
    ],
)
def test_durations_are_iso_texts_and_seconds(given: str | float, length: timedelta) -> None:
    assert durations.read(given, key="delay") == length


@pytest.mark.parametrize(
    "given", ["P3661D", "P99999999999D", f"PT{'9' * 10_000}S", f"P{'9' * 300}D", "P", True, -1, None]
)
def test_what_is_longer_than_ten_years_or_none_is_refused(given: str | float | None) -> None:
    with pytest.raises(Refused) as refused:
        durations.read(given, key="delay")

    (problem,) = refused.value.problems
    assert problem.pointer == "/delay"
    assert len(problem.message) < 400
