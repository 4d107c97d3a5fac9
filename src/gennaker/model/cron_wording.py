"""What a cron expression says, as a sentence."""

from collections.abc import Sequence
from typing import assert_never

from gennaker.model.cron_expressions import (
    FIRST_YEAR,
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

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_NTH = ("first", "second", "third", "fourth", "fifth")
_SIXTY = tuple(range(60))
_DAY = tuple(range(24))
_FEW = 4
_A_RUN = 3
"""So many values in a row are worth a `to`."""


def described(expression: CronExpression) -> str:
    """A sentence without a full stop: `At 09:30, on Monday to Friday, in January`."""
    parts = [_time(expression), _days(expression.days)]
    if len(expression.months) < len(_MONTHS):
        parts.append("in " + _listed([_MONTHS[month - 1] for month in expression.months], expression.months))
    if expression.years[0] != FIRST_YEAR or expression.years[-1] != LAST_YEAR:
        parts.append("in " + _listed([str(year) for year in expression.years], expression.years))
    said = ", ".join(parts)
    return said[0].upper() + said[1:]


def _time(expression: CronExpression) -> str:
    seconds, minutes, hours = expression.seconds, expression.minutes, expression.hours
    if len(seconds) == 1 and len(minutes) * len(hours) <= _FEW:
        shown = [f"{hour:02}:{minute:02}" for hour in hours for minute in minutes]
        with_seconds = [f"{one}:{seconds[0]:02}" for one in shown] if seconds[0] else shown
        return "at " + _joined(with_seconds)
    parts = []
    if seconds != (0,):
        parts.append(_within(seconds, _SIXTY, "second", "minute"))
    if minutes != _SIXTY or seconds == (0,):
        parts.append(_within(minutes, _SIXTY, "minute", "hour"))
    if hours != _DAY:
        parts.append("of hour " + _listed([str(hour) for hour in hours], hours))
    return ", ".join(parts)


def _within(values: tuple[int, ...], every: tuple[int, ...], unit: str, whole: str) -> str:
    if values == every:
        return f"every {unit}"
    step = values[1] - values[0] if len(values) > 1 else 0
    if step and values == tuple(range(0, len(every), step)):
        return f"every {step} {unit}s"
    if step > 1 and len(values) > _A_RUN and values == tuple(range(values[0], len(every), step)):
        return f"every {step} {unit}s from {unit} {values[0]} of the {whole}"
    return f"at {unit} {_listed([str(value) for value in values], values)} of the {whole}"


def _days(days: Days) -> str:
    match days:
        case MonthDays(days=wanted):
            if wanted == tuple(range(1, 32)):
                return "every day"
            return f"on day {_listed([str(day) for day in wanted], wanted)} of the month"
        case FromEnd(offset=0, is_weekday=is_weekday):
            return f"on the last {'weekday' if is_weekday else 'day'} of the month"
        case FromEnd(offset=offset, is_weekday=is_weekday):
            before = f"{offset} day{'s' if offset > 1 else ''} before the last day of the month"
            return f"on the weekday nearest to {before}" if is_weekday else f"on the day {before}"
        case Nearest(day=day):
            return f"on the weekday nearest to day {day} of the month"
        case Weekdays(days=wanted):
            if len(wanted) == len(_WEEKDAYS):
                return "every day"
            return "on " + _listed([_WEEKDAYS[day - 1] for day in wanted], wanted)
        case LastWeekday(day=day):
            return f"on the last {_WEEKDAYS[day - 1]} of the month"
        case NthWeekday(day=day, nth=nth):
            return f"on the {_NTH[nth - 1]} {_WEEKDAYS[day - 1]} of the month"
        case unknown:
            assert_never(unknown)


def _listed(said: Sequence[str], values: Sequence[int]) -> str:
    """Runs of neighbours as `first to last`."""
    parts: list[str] = []
    start = 0
    for place in range(1, len(values) + 1):
        if place < len(values) and values[place] == values[place - 1] + 1:
            continue
        run = said[start:place]
        parts += [f"{run[0]} to {run[-1]}"] if len(run) >= _A_RUN else run
        start = place
    return _joined(parts)


def _joined(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
