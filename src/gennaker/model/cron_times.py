"""Cron times: the instants at which a cron expression holds in a time zone.

What a clock on the wall shows decides. Clocks that are put forward leave out what they never show. What they show twice when they are
put back counts once, the second time, as in Quartz; an expression that holds in every hour of the day goes on meanwhile (in
Quartz it pauses for an hour).
"""

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import assert_never

from gennaker.model.cron_expressions import (
    LAST_YEAR,
    CronExpression,
    Days,
    FromEnd,
    LastWeekday,
    MonthDays,
    Nearest,
    NthWeekday,
    Weekdays,
)

_SEARCHED_YEARS = 100
_WEEK = 7
_SATURDAY, _SUNDAY = 5, 6
"""As datetime counts."""
_FIRST_SPAN = timedelta(minutes=1)


def after(expression: CronExpression, at: datetime, zone: tzinfo) -> datetime | None:
    """The first instant after `at` in UTC; None: there is none within a hundred years."""
    found = [_after(expression, at, zone, fold=fold) for fold in ((0, 1) if expression.is_hourly else (1,))]
    return min((one for one in found if one is not None), default=None)


def latest(expression: CronExpression, floor: datetime, ceiling: datetime, zone: tzinfo) -> datetime | None:
    """The last instant after `floor` and not after `ceiling`, or None."""
    span = _FIRST_SPAN
    while True:
        start = max(floor, ceiling - span)
        found = None
        following = after(expression, start, zone)
        while following is not None and following <= ceiling:
            found, following = following, after(expression, following, zone)
        if found is not None or start <= floor:
            return found
        span *= 8


def _after(expression: CronExpression, at: datetime, zone: tzinfo, *, fold: int) -> datetime | None:
    local = at.astimezone(zone)
    shown = local.replace(tzinfo=None, microsecond=0)
    other = local.replace(fold=1 - local.fold)
    back = abs((other.utcoffset() or timedelta()) - (local.utcoffset() or timedelta()))
    for one in _shown_after(expression, shown - back):
        instant = one.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if instant > at and instant.astimezone(zone).replace(tzinfo=None) == one:
            return instant
    return None


def _shown_after(expression: CronExpression, shown: datetime) -> Iterator[datetime]:
    """What clocks on the wall show, later than `shown`."""
    first = (shown.hour, shown.minute, shown.second)
    for day in _dates_from(expression, shown.date()):
        bound = first if day == shown.date() else (-1, -1, -1)
        for hour in expression.hours:
            if hour < bound[0]:
                continue
            for minute in expression.minutes:
                if (hour, minute) < bound[:2]:
                    continue
                for second in expression.seconds:
                    if (hour, minute, second) > bound:
                        yield datetime(day.year, day.month, day.day, hour, minute, second)  # noqa: DTZ001 - a wall's


def _dates_from(expression: CronExpression, first: date) -> Iterator[date]:
    last_year = min(first.year + _SEARCHED_YEARS, LAST_YEAR)
    for year in expression.years:
        if not first.year <= year <= last_year:
            continue
        for month in expression.months:
            if (year, month) < (first.year, first.month):
                continue
            for day in _days(expression.days, year, month):
                found = date(year, month, day)
                if found >= first:
                    yield found


def _days(days: Days, year: int, month: int) -> list[int]:
    """The days of a month, in order."""
    begins_on, length = calendar.monthrange(year, month)
    match days:
        case MonthDays(days=wanted):
            return [day for day in wanted if day <= length]
        case FromEnd(offset=offset, is_weekday=is_weekday):
            day = length - offset
            found = day if day < 1 or not is_weekday else _nearest(day, begins_on, length)
            return [found] if found >= 1 else []
        case Nearest(day=day):
            return [_nearest(day, begins_on, length)] if day <= length else []
        case Weekdays(days=wanted):
            return [day for day in range(1, length + 1) if _weekday(day, begins_on) in wanted]
        case LastWeekday(day=wanted):
            return [max(day for day in range(1, length + 1) if _weekday(day, begins_on) == wanted)]
        case NthWeekday(day=wanted, nth=nth):
            return [day for day in range(1, length + 1) if _weekday(day, begins_on) == wanted][nth - 1 : nth]
        case unknown:
            assert_never(unknown)


def _weekday(day: int, begins_on: int) -> int:
    """As Quartz counts: 1 is Sunday. `begins_on`: the weekday of the month's first day, 0 is Monday."""
    return (begins_on + day) % _WEEK + 1


def _nearest(day: int, begins_on: int, length: int) -> int:
    """The weekday that is nearest to a day, within its month."""
    weekday = (begins_on + day - 1) % _WEEK
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < length else day - 2
    return day
