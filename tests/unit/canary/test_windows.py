"""Judgement windows are planned as Orca plans them, and down to seconds by the extension."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.canary import windows
from gennaker.canary.errors import InvalidPlan
from gennaker.canary.windows import Interval, Plan, Settings

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
RETROSPECTIVE = {"startTimeIso": "2024-05-01T00:00:00Z", "endTimeIso": "2024-05-01T01:00:00Z"}


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def planned(scope: dict[str, Any] | None = None, **settings: Any) -> Plan:
    return windows.plan(windows.read_stage({"scopes": [scope or {}], **settings}), now=NOW)


def spans(plan: Plan) -> list[tuple[float, float]]:
    """Start and end of each window in minutes from now."""
    return [((each.start - NOW) / minutes(1), (each.end - NOW) / minutes(1)) for each in plan.intervals]


def test_windows_grow_from_the_start() -> None:
    plan = planned(lifetimeDuration="PT1H", canaryAnalysisIntervalMins=20)

    assert spans(plan) == [(0, 20), (0, 40), (0, 60)]
    assert {each.wait for each in plan.intervals} == {minutes(20)}


def test_windows_slide_with_a_lookback() -> None:
    plan = planned(lifetimeDuration="PT1H", canaryAnalysisIntervalMins=20, lookbackMins=15)

    assert spans(plan) == [(5, 20), (25, 40), (45, 60)]


def test_a_warm_up_moves_windows_that_lie_ahead() -> None:
    plan = planned(lifetimeHours="1", canaryAnalysisIntervalMins=30, beginCanaryAnalysisAfterMins=5)

    assert plan.warm_up == minutes(5)
    assert spans(plan) == [(5, 35), (5, 65)]


def test_a_retrospective_analysis_waits_for_nothing_between_and_moves_nothing() -> None:
    plan = planned(RETROSPECTIVE, canaryAnalysisIntervalMins=30, beginCanaryAnalysisAfterMins=5)

    assert spans(plan) == [(-720, -690), (-720, -660)]
    assert {each.wait for each in plan.intervals} == {timedelta(0)}
    assert plan.warm_up == minutes(5)


def test_an_end_time_wins_over_a_lifetime() -> None:
    assert planned(RETROSPECTIVE, lifetimeDuration="PT5H").lifetime == minutes(60)


def test_the_control_window_lies_earlier_by_its_offset() -> None:
    plan = planned(lifetimeDuration="PT1H", baselineAnalysisOffsetInMins=10)

    assert plan.intervals == (
        Interval(
            number=1,
            wait=minutes(60),
            start=NOW,
            end=NOW + minutes(60),
            control_start=NOW - minutes(10),
            control_end=NOW + minutes(50),
        ),
    )


@pytest.mark.parametrize("interval", [None, 0, 61])
def test_an_interval_that_is_absent_zero_or_too_long_means_one_judgement(interval: int | None) -> None:
    assert spans(planned(lifetimeDuration="PT1H", canaryAnalysisIntervalMins=interval)) == [(0, 60)]


def test_a_remainder_of_the_lifetime_is_never_judged() -> None:
    assert spans(planned(lifetimeDuration="PT1H", canaryAnalysisIntervalMins=25)) == [(0, 25), (0, 50)]


def test_durations_of_seconds_are_an_extension() -> None:
    plan = planned(
        lifetimeDuration="PT40S",
        canaryAnalysisInterval="PT20S",
        beginCanaryAnalysisAfter="PT5S",
        lookback="PT10S",
        canaryAnalysisIntervalMins=3,
    )

    assert (plan.warm_up, plan.interval) == (timedelta(seconds=5), timedelta(seconds=20))
    assert [(each.start - NOW).total_seconds() for each in plan.intervals] == [15.0, 35.0]
    assert [(each.end - NOW).total_seconds() for each in plan.intervals] == [25.0, 45.0]


def test_a_lifetime_is_cut_to_whole_minutes_unless_seconds_are_used() -> None:
    assert planned(lifetimeDuration="PT90S").lifetime == minutes(1)
    assert planned(lifetimeDuration="PT40S").lifetime == timedelta(seconds=40)
    assert len(planned(lifetimeDuration="PT90S", canaryAnalysisInterval="PT20S").intervals) == 4


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lifetimeDuration": "PT0S"},
        {"lifetimeDuration": "forever"},
        {"lifetimeDuration": "P300D", "canaryAnalysisInterval": "PT1S"},
        {"lifetimeDuration": "PT1H", "canaryAnalysisInterval": "-PT1S"},
    ],
)
def test_settings_without_a_plan_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidPlan):
        planned(**settings)


@pytest.mark.parametrize("document", [None, {}, {"scopes": []}, {"scopes": [3]}])
def test_a_canary_needs_a_scope(document: Any) -> None:
    with pytest.raises(InvalidPlan):
        windows.read_stage(document)


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(InvalidPlan, match="must lie after"):
        planned({"startTimeIso": "2024-05-01T02:00:00Z", "endTimeIso": "2024-05-01T01:00:00Z"})


def test_the_stand_alone_request_has_names_of_its_own() -> None:
    settings = windows.read_standalone(
        {
            "scopes": [{"controlOffsetInMinutes": 7}],
            "lifetimeDurationMins": 60,
            "beginAfterMins": 5,
            "lookbackMins": 15,
            "analysisIntervalMins": 20,
        }
    )

    assert settings == Settings(
        lifetime=minutes(60),
        interval=minutes(20),
        begin_after=minutes(5),
        lookback=minutes(15),
        baseline_offset=minutes(7),
    )


@given(lifetime=st.integers(1, 600), interval=st.integers(0, 700), lookback=st.integers(0, 60))
def test_intervals_follow_one_another_within_the_lifetime(lifetime: int, interval: int, lookback: int) -> None:
    settings = Settings(lifetime=minutes(lifetime), interval=minutes(interval), lookback=minutes(lookback))

    plan = windows.plan(settings, now=NOW)

    ends = [each.end for each in plan.intervals]
    assert ends == [NOW + (index + 1) * plan.interval for index in range(len(ends))]
    assert NOW + plan.lifetime - ends[-1] < plan.interval
    assert all(each.start < each.end for each in plan.intervals)


def test_every_time_that_cannot_be_read_is_named() -> None:
    document = {
        "lifetimeDuration": "soon",
        "lookback": [],
        "lookbackMins": "many",
        "lifetimeHours": -1,
        "canaryAnalysisInterval": "PT5M",
        "scopes": [{"startTimeIso": "today"}],
    }

    assert [error.pointer for error in windows.unreadable(document)] == [
        "/lifetimeDuration",
        "/lookback",
        "/lookbackMins",
        "/lifetimeHours",
        "/scopes/0/startTimeIso",
    ]
    assert list(windows.unreadable({"lifetimeDuration": "PT1H", "scopes": "none"})) == []
