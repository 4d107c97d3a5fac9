"""Durations and instants are read from ISO-8601 texts, minutes and hours from numbers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gennaker.canary import durations
from gennaker.canary.errors import InvalidPlan


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT40S", timedelta(seconds=40)),
        ("PT1H30M", timedelta(minutes=90)),
        ("P1DT2H", timedelta(hours=26)),
        ("pt0.5s", timedelta(seconds=0.5)),
        ("P2D", timedelta(days=2)),
        ("PT1M-30S", timedelta(seconds=30)),
        (None, None),
        ("", None),
    ],
)
def test_iso_durations_are_read(text: Any, duration: timedelta | None) -> None:
    assert durations.iso({"d": text}, "d") == duration


@pytest.mark.parametrize("value", ["40s", "P", "PT", "P1DT", "P1M", "-PT5S", "PT-5S", 40, "1h", f"PT{'9' * 400}H"])
def test_what_is_no_duration_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(InvalidPlan) as refused:
        durations.iso({"d": value}, "d")

    assert refused.value.pointer == "/d"


@pytest.mark.parametrize(("value", "duration"), [(5, 5), ("5", 5), (5.9, 5), (0, 0)])
def test_minutes_are_whole(value: Any, duration: int) -> None:
    assert durations.minutes({"m": value}, "m") == timedelta(minutes=duration)


@pytest.mark.parametrize("value", ["soon", -1, True, float("nan"), 1e300])
def test_unreadable_minutes_are_refused(value: Any) -> None:
    with pytest.raises(InvalidPlan):
        durations.minutes({"m": value}, "m")


def test_hours_may_be_texts() -> None:
    assert durations.hours({"h": "1.5"}, "h") == timedelta(minutes=90)


def test_an_instant_is_read_with_its_offset() -> None:
    wanted = datetime(2024, 5, 1, 12, tzinfo=UTC)

    assert durations.instant({"t": "2024-05-01T12:00:00Z"}, "t", "") == wanted


@pytest.mark.parametrize("value", ["2024-05-01T12:00:00", "yesterday", 3])
def test_an_instant_without_offset_is_refused(value: Any) -> None:
    with pytest.raises(InvalidPlan):
        durations.instant({"t": value}, "t", "")
