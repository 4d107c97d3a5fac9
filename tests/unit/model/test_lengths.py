"""Lengths of time from numbers that people wrote."""

import math
from datetime import timedelta

import pytest

from gennaker.model import lengths


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (0, timedelta()),
        (-1, timedelta()),
        (math.nan, timedelta()),
        (1.5, timedelta(seconds=1.5)),
        (1e30, lengths.LONGEST),
        (10**400, lengths.LONGEST),
        (math.inf, lengths.LONGEST),
    ],
)
def test_any_number_of_seconds_is_a_length_within_the_calendar(seconds: float, wanted: timedelta) -> None:
    assert lengths.of_seconds(seconds) == wanted


def test_milliseconds_are_bounded_alike() -> None:
    assert lengths.of_milliseconds(1500) == timedelta(seconds=1.5)
    assert lengths.of_milliseconds(3e14) == lengths.LONGEST
    assert lengths.of_milliseconds(-3) == timedelta()
