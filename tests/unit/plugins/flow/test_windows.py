"""Windows: when an execution window is open, and when it opens next."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.model.problems import Refused
from gennaker.plugins.flow import windows

ZONE = ZoneInfo("America/Los_Angeles")
WEDNESDAY = 25
"""Of November 2026."""


def local(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=ZONE)


def times(start: str, end: str) -> dict[str, Any]:
    (from_hour, from_min), (to_hour, to_min) = start.split(":"), end.split(":")
    return {"startHour": int(from_hour), "startMin": int(from_min), "endHour": int(to_hour), "endMin": int(to_min)}


def opens(at: datetime, *spans: tuple[str, str], days: Any = ()) -> datetime | None:
    window = windows.read({"whitelist": [times(*span) for span in spans], "days": list(days)})
    return windows.opening(window, at, ZONE)


@pytest.mark.parametrize(
    "at",
    [local(WEDNESDAY, 6), local(WEDNESDAY, 8, 30), local(WEDNESDAY, 10, 0, 59)],
    ids=["first minute", "between", "last second"],
)
def test_both_ends_belong_to_the_window(at: datetime) -> None:
    assert opens(at, ("6:00", "10:00")) == at


@pytest.mark.parametrize(
    ("at", "spans", "days", "expected"),
    [
        (local(25, 5, 59, 59), [("6:00", "10:00")], [], local(25, 6)),
        (local(25, 10, 1), [("6:00", "10:00")], [], local(26, 6)),
        (local(25, 11), [("6:00", "10:00"), ("13:00", "14:00")], [], local(25, 13)),
        (local(25, 21, 45), [("6:00", "10:00")], [4], datetime(2026, 12, 2, 6, tzinfo=ZONE)),
        (local(25, 21, 45), [("6:00", "10:00")], [3], datetime(2026, 12, 1, 6, tzinfo=ZONE)),
        (local(25, 21, 45), [("6:00", "10:00")], [4, 5], local(26, 6)),
        (local(25, 12), [], [1], local(29, 0)),
        (local(25, 12), [("22:00", "5:00")], [], local(25, 22)),
        (local(25, 5, 1), [("22:00", "5:00")], [], local(25, 22)),
        (local(25, 23), [("22:00", "5:00")], [5], local(26, 0)),
    ],
)
def test_the_next_opening_is_found(
    at: datetime, spans: list[tuple[str, str]], days: list[int], expected: datetime
) -> None:
    assert opens(at, *spans, days=days) == expected


@pytest.mark.parametrize("at", [local(25, 22), local(25, 23, 59, 59), local(26, 0), local(26, 5)])
def test_a_window_may_go_on_after_midnight(at: datetime) -> None:
    assert opens(at, ("22:00", "5:00")) == at


def test_the_part_after_midnight_belongs_to_its_own_day() -> None:
    assert opens(local(26, 1), ("22:00", "5:00"), days=[4]) != local(26, 1)


def test_within_one_hour_the_end_is_not_taken_for_the_next_day() -> None:
    assert opens(local(25, 12), ("10:30", "10:15")) is None


def test_days_without_times_are_open_all_day() -> None:
    assert opens(local(25, 23, 59, 30), days=[4]) == local(25, 23, 59, 30)


def test_hours_are_those_of_the_zone_in_summer_too() -> None:
    summer = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)  # 05:30 in Los Angeles

    assert opens(summer, ("6:00", "7:00")) == datetime(2026, 7, 1, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (None, "no `restrictedExecutionWindow`"),
        ({}, "neither times nor days"),
        ({"whitelist": [], "days": []}, "neither times nor days"),
        ({"whitelist": [{"startHour": 1}]}, "endHour"),
        ({"whitelist": [times("24:00", "1:00")]}, "window number 1 is no time of day"),
        ({"days": [8]}, "8 is no day"),
        ({"days": ["Monday"]}, "days"),
        ({"days": [1], "jitter": {"enabled": True, "minDelay": 9, "maxDelay": 3}}, "between 9 and 3"),
    ],
)
def test_a_window_that_means_nothing_is_refused(raw: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        windows.read(raw)


def test_numbers_may_be_written_as_text() -> None:
    raw = {"whitelist": [{"startHour": "6", "startMin": "0", "endHour": "10", "endMin": "0"}], "days": ["4"]}

    assert windows.opening(windows.read(raw), local(25, 7), ZONE) == local(25, 7)


@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda one: one.replace(tzinfo=UTC)),  # noqa: DTZ001 - made aware by the map
    days=st.sets(st.integers(1, 7)),
    spans=st.lists(st.tuples(*[st.integers(0, 23), st.integers(0, 59)] * 2), min_size=1, max_size=3),
    zone=st.sampled_from(["UTC", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_at_the_opening_it_is_open(at: datetime, days: set[int], spans: list[Any], zone: str) -> None:
    whitelist = [{"startHour": a, "startMin": b, "endHour": c, "endMin": d} for a, b, c, d in spans]
    window = windows.read({"whitelist": whitelist, "days": sorted(days)})

    found = windows.opening(window, at, ZoneInfo(zone))

    if found is not None and found != at:
        assert found > at
        hour = found.astimezone(ZoneInfo(zone))
        asked = {(one["startHour"], one["startMin"]) for one in whitelist} | {(0, 0)}
        # In the hour that summer time leaves out there is nothing to open at: it is looked at again then.
        assert windows.opening(window, found, ZoneInfo(zone)) == found or (hour.hour, hour.minute) not in asked
