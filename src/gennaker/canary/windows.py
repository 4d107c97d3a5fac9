"""Windows: when a canary is judged and over which samples, planned once at the start.

Follows the planning of Orca's `kayentaCanary` stage and of Kayenta's stand-alone analysis: a lifetime is cut into
equal intervals (a remainder is never judged), each judgement's window grows from the start or, with a lookback,
slides; the control's window can lie earlier by a fixed offset. With an end time (a retrospective analysis) nothing
is waited for between judgements.

Extension: besides Kayenta's minutes, durations can be ISO-8601 texts down to seconds: `canaryAnalysisInterval`,
`beginCanaryAnalysisAfter`, `lookback`, `baselineAnalysisOffset` (and `lifetimeDuration`, which Orca reads in whole
minutes). A duration given as text wins over the same one in minutes. Where none of the new fields is used, a
lifetime of a minute or more is cut to whole minutes as in Orca.

Pure: the caller says what time it is. Waiting and fetching are the stage's.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from gennaker.canary import durations
from gennaker.canary.errors import InvalidPlan
from gennaker.model import foreign
from gennaker.model.codec import Json

_MINUTE = timedelta(minutes=1)
_NOTHING = timedelta(0)
_MOST_INTERVALS = 10_000
_EXTENSIONS = ("canaryAnalysisInterval", "beginCanaryAnalysisAfter", "lookback", "baselineAnalysisOffset")


_IN_MINUTES = (
    "canaryAnalysisIntervalMins",
    "beginCanaryAnalysisAfterMins",
    "lookbackMins",
    "baselineAnalysisOffsetInMins",
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage says about the times of its analysis."""

    start: datetime | None = None
    """None: when the analysis is planned."""
    end: datetime | None = None
    """Given: retrospective; it fixes the lifetime and nothing is waited for between judgements."""
    lifetime: timedelta | None = None
    interval: timedelta | None = None
    """None, 0 or longer than the lifetime: one judgement at the end."""
    begin_after: timedelta = _NOTHING
    lookback: timedelta = _NOTHING
    """Above 0: each window is this long and ends with its interval."""
    baseline_offset: timedelta = _NOTHING
    """How much earlier the control's windows lie."""
    whole_minutes: bool = True
    """A lifetime of a minute or more is cut to minutes."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """One judgement: how long to wait before it, and the windows of both sides."""

    number: int
    """1, 2, 3 …"""
    wait: timedelta
    start: datetime
    end: datetime
    control_start: datetime
    control_end: datetime


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole analysis."""

    warm_up: timedelta
    lifetime: timedelta
    interval: timedelta
    intervals: tuple[Interval, ...]


def read_stage(document: Json) -> Settings:
    """Reads a `kayentaCanary` stage's `canaryConfig`. Raises `InvalidPlan`."""
    if not isinstance(document, Mapping):
        raise InvalidPlan(f"'canaryConfig' must be an object, not {foreign.described(document)}.")
    start, end = _times_of_first_scope(document)
    lifetime = durations.iso(document, "lifetimeDuration")
    return Settings(
        start=start,
        end=end,
        lifetime=durations.hours(document, "lifetimeHours") if lifetime is None else lifetime,
        interval=_either(document, "canaryAnalysisInterval", "canaryAnalysisIntervalMins"),
        begin_after=_either(document, "beginCanaryAnalysisAfter", "beginCanaryAnalysisAfterMins") or _NOTHING,
        lookback=_either(document, "lookback", "lookbackMins") or _NOTHING,
        baseline_offset=_either(document, "baselineAnalysisOffset", "baselineAnalysisOffsetInMins") or _NOTHING,
        whole_minutes=all(document.get(key) in (None, "") for key in _EXTENSIONS),
    )


def unreadable(document: Mapping[str, Json]) -> Iterator[InvalidPlan]:
    """Each time of a stage's `canaryConfig` that can't be read by itself."""
    readers = {
        **dict.fromkeys(("lifetimeDuration", *_EXTENSIONS), durations.iso),
        **dict.fromkeys(_IN_MINUTES, durations.minutes),
        "lifetimeHours": durations.hours,
    }
    for key, read in readers.items():
        try:
            read(document, key)
        except InvalidPlan as error:
            yield error
    scopes = document.get("scopes")
    first = scopes[0] if isinstance(scopes, list) and scopes else None
    for key in ("startTimeIso", "endTimeIso"):
        try:
            durations.instant(first if isinstance(first, Mapping) else {}, key, "/scopes/0")
        except InvalidPlan as error:
            yield error


def read_standalone(document: Json) -> Settings:
    """Reads the request of a stand-alone analysis. The first scope's times and offset count. Raises `InvalidPlan`."""
    if not isinstance(document, Mapping):
        raise InvalidPlan(f"The request must be an object, not {foreign.described(document)}.")
    start, end = _times_of_first_scope(document)
    return Settings(
        start=start,
        end=end,
        lifetime=durations.minutes(document, "lifetimeDurationMins"),
        interval=durations.minutes(document, "analysisIntervalMins"),
        begin_after=durations.minutes(document, "beginAfterMins") or _NOTHING,
        lookback=durations.minutes(document, "lookbackMins") or _NOTHING,
        baseline_offset=durations.minutes(_first_scope(document), "controlOffsetInMinutes") or _NOTHING,
    )


def plan(settings: Settings, *, now: datetime) -> Plan:
    """Plans all judgements. Raises `InvalidPlan` where no lifetime, or an empty one, is given."""
    lifetime = _lifetime(settings, now)
    interval = settings.interval
    if not interval or interval > lifetime:
        interval = lifetime
    count = lifetime // interval
    if count > _MOST_INTERVALS:
        message = f"The lifetime holds {count} judgements, more than {_MOST_INTERVALS}. Make the interval longer."
        raise InvalidPlan(message)
    return Plan(
        warm_up=settings.begin_after,
        lifetime=lifetime,
        interval=interval,
        intervals=tuple(_interval(settings, number, interval, now) for number in range(1, count + 1)),
    )


def _lifetime(settings: Settings, now: datetime) -> timedelta:
    lifetime = settings.lifetime if settings.end is None else settings.end - (settings.start or now)
    if lifetime is None:
        raise InvalidPlan("The canary has neither an end time nor a lifetime: give 'lifetimeDuration', e.g. PT1H.")
    if lifetime <= _NOTHING:
        raise InvalidPlan("The canary's lifetime is empty: its end must lie after its start.")
    whole = lifetime // _MINUTE * _MINUTE
    return whole if settings.whole_minutes and whole else lifetime


def _interval(settings: Settings, number: int, interval: timedelta, now: datetime) -> Interval:
    # In a retrospective analysis the warm-up is waited for, too, but moves no window; that is how Orca plans.
    live = settings.end is None
    start = (settings.start or now) + (settings.begin_after if live else _NOTHING)
    end = start + number * interval
    if settings.lookback:
        start = end - settings.lookback
    return Interval(
        number=number,
        wait=interval if live else _NOTHING,
        start=start,
        end=end,
        control_start=start - settings.baseline_offset,
        control_end=end - settings.baseline_offset,
    )


def _either(document: Mapping[str, Json], text_key: str, minutes_key: str) -> timedelta | None:
    found = durations.iso(document, text_key)
    return durations.minutes(document, minutes_key) if found is None else found


def _times_of_first_scope(document: Mapping[str, Json]) -> tuple[datetime | None, datetime | None]:
    scope = _first_scope(document)
    return durations.instant(scope, "startTimeIso", "/scopes/0"), durations.instant(scope, "endTimeIso", "/scopes/0")


def _first_scope(document: Mapping[str, Json]) -> Mapping[str, Json]:
    scopes = document.get("scopes")
    if not isinstance(scopes, list) or not scopes:
        raise InvalidPlan("The canary needs at least one scope.", pointer="/scopes")
    if not isinstance(scopes[0], Mapping):
        message = f"A scope must be an object, not {foreign.described(scopes[0])}."
        raise InvalidPlan(message, pointer="/scopes/0")
    return scopes[0]
