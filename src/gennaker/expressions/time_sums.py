"""Sums, differences and roundings of days, times and instants."""

import calendar
from datetime import date, timedelta

from gennaker.expressions.clock_text import epoch_second, local, moment, out_of_range
from gennaker.expressions.failures import bad
from gennaker.expressions.values import EnumValue, Instant, LocalDate, LocalDateTime, Long, Value, type_name

NANOS = 1_000_000_000
SIZES = {
    "NANOS": 1,
    "MICROS": 1_000,
    "MILLIS": 1_000_000,
    "SECONDS": NANOS,
    "MINUTES": 60 * NANOS,
    "HOURS": 3600 * NANOS,
    "HALF_DAYS": 43_200 * NANOS,
    "DAYS": 86_400 * NANOS,
    "WEEKS": 604_800 * NANOS,
}
"""Nanoseconds of the units of fixed length."""
MONTHS = {"MONTHS": 1, "YEARS": 12, "DECADES": 120, "CENTURIES": 1200, "MILLENNIA": 12_000}


def plus_days(value: LocalDate, days: int) -> LocalDate:
    """A day so many days later. Raises JAVA_EXCEPTION outside the years that are held."""
    try:
        return LocalDate(value.day + timedelta(days=days))
    except OverflowError as cause:
        raise out_of_range() from cause


def plus_months(value: LocalDate, months: int) -> LocalDate:
    """A day so many months later, at the month's end where it is shorter."""
    total = value.day.year * 12 + value.day.month - 1 + months
    year, month = divmod(total, 12)
    if not 1 <= year <= 9999:
        raise out_of_range()
    return LocalDate(date(year, month + 1, min(value.day.day, calendar.monthrange(year, month + 1)[1])))


def on_day(value: LocalDateTime, day: LocalDate) -> LocalDateTime:
    """The same time on another day."""
    return LocalDateTime(value.at.replace(year=day.day.year, month=day.day.month, day=day.day.day), value.nanosecond)


def plus_nanos(value: LocalDateTime, nanos: int) -> LocalDateTime:
    """A time so many nanoseconds later."""
    total = epoch_second(value.at) * NANOS + value.nanosecond + nanos
    return local(*divmod(total, NANOS))


def instant_plus(value: Instant, nanos: int) -> Instant:
    """An instant so many nanoseconds later."""
    second, nanosecond = divmod(value.second * NANOS + value.nanosecond + nanos, NANOS)
    moment(second)
    return Instant(second, nanosecond)


def plus(value: Value, amount: int, unit: EnumValue | None) -> Value:
    """What is so many units later. Raises JAVA_EXCEPTION for units that can't be added."""
    if unit is None:
        raise bad("The unit is null.")
    fixed = SIZES.get(unit.name)
    if isinstance(value, Instant) and fixed and unit.name != "WEEKS":
        return instant_plus(value, amount * fixed)
    if isinstance(value, LocalDateTime):
        if fixed:
            return plus_nanos(value, amount * fixed)
        if unit.name in MONTHS:
            return on_day(value, plus_months(LocalDate(value.at.date()), amount * MONTHS[unit.name]))
    if isinstance(value, LocalDate):
        if unit.name in ("DAYS", "WEEKS"):
            return plus_days(value, amount * (7 if unit.name == "WEEKS" else 1))
        if unit.name in MONTHS:
            return plus_months(value, amount * MONTHS[unit.name])
    raise bad(f"{unit.name} can't be added to a value of type {type_name(value)}.")


def _nanos(value: Value) -> int:
    match value:
        case Instant():
            return value.second * NANOS + value.nanosecond
        case LocalDateTime():
            return epoch_second(value.at) * NANOS + value.nanosecond
        case LocalDate():
            return (value.day.toordinal() - date(1970, 1, 1).toordinal()) * SIZES["DAYS"]
    raise bad(f"A value of type {type_name(value)} isn't a time.")


def between(unit: EnumValue, start: Value, end: Value) -> Long:
    """Whole units from start to end. Raises JAVA_EXCEPTION where the unit can't measure them."""
    if isinstance(start, LocalDate) and isinstance(end, LocalDateTime):
        end = LocalDate(end.at.date())
    if type_name(start) != type_name(end):
        raise bad(f"There is no span between {type_name(start)} and {type_name(end)}.")
    has_days_only = isinstance(start, LocalDate) and unit.name not in ("DAYS", "WEEKS")
    has_no_weeks = isinstance(start, Instant) and unit.name == "WEEKS"
    if unit.name in SIZES and not has_days_only and not has_no_weeks:
        difference = _nanos(end) - _nanos(start)
        whole = abs(difference) // SIZES[unit.name]
        return Long(whole if difference >= 0 else -whole)
    if (
        unit.name in MONTHS
        and isinstance(start, (LocalDate, LocalDateTime))
        and isinstance(end, (LocalDate, LocalDateTime))
    ):
        return Long(int(_months(start, end) / MONTHS[unit.name]))
    if unit.name == "ERAS" and isinstance(start, (LocalDate, LocalDateTime)):
        return Long(0)  # all years that are held are of one era
    raise bad(f"{unit.name} can't measure values of type {type_name(start)}.")


def _months(start: LocalDate | LocalDateTime, end: LocalDate | LocalDateTime) -> int:
    first = start.day if isinstance(start, LocalDate) else start.at.date()
    last = end.day if isinstance(end, LocalDate) else end.at.date()
    months = (last.year - first.year) * 12 + last.month - first.month
    begins = (first.day, _nanos(start) % SIZES["DAYS"])
    ends = (last.day, _nanos(end) % SIZES["DAYS"])
    if months > 0 and ends < begins:
        return months - 1
    if months < 0 and ends > begins:
        return months + 1
    return months


def truncated(value: Value, unit: EnumValue | None) -> Value:
    """The value cut to whole units."""
    unit = given_unit(unit)
    size = SIZES.get(unit.name, 0)
    if not size or unit.name == "WEEKS":
        raise bad(f"A time can't be cut to {unit.name}.")
    rest = _nanos(value) % size
    return (
        instant_plus(value, -rest)
        if isinstance(value, Instant)
        else plus_nanos(value, -rest)
        if isinstance(value, LocalDateTime)
        else value
    )


def given_unit(unit: EnumValue | None) -> EnumValue:
    """A unit that mustn't be null."""
    if unit is None:
        raise bad("The unit is null.")
    return unit
