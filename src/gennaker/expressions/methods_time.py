"""Methods of days, times and instants, and the static ones of their types; the zone is always UTC."""

import calendar
from collections.abc import Callable
from datetime import date, timedelta

from gennaker.expressions.clock_text import (
    DAYS,
    epoch_second,
    local,
    moment,
    out_of_range,
)
from gennaker.expressions.conversions import java_text
from gennaker.expressions.failures import bad
from gennaker.expressions.iso_text import at_time, day_of, parse_day, parse_instant, parse_local
from gennaker.expressions.methods import Table, merged, statics, table
from gennaker.expressions.methods_collections import OBJECT
from gennaker.expressions.operators import compare
from gennaker.expressions.values import (
    EnumValue,
    Instant,
    LocalDate,
    LocalDateTime,
    Long,
    Value,
    type_name,
)

_NANOS = 1_000_000_000
_SECONDS = {
    "NANOS": 1,
    "MICROS": 1_000,
    "MILLIS": 1_000_000,
    "SECONDS": _NANOS,
    "MINUTES": 60 * _NANOS,
    "HOURS": 3600 * _NANOS,
    "HALF_DAYS": 43_200 * _NANOS,
    "DAYS": 86_400 * _NANOS,
    "WEEKS": 604_800 * _NANOS,
}
"""Nanoseconds of the units of fixed length."""
_MONTHS = {"MONTHS": 1, "YEARS": 12, "DECADES": 120, "CENTURIES": 1200, "MILLENNIA": 12_000}


def _plus_days(value: LocalDate, days: int) -> LocalDate:
    try:
        return LocalDate(value.day + timedelta(days=days))
    except OverflowError as cause:
        raise out_of_range() from cause


def _plus_months(value: LocalDate, months: int) -> LocalDate:
    total = value.day.year * 12 + value.day.month - 1 + months
    year, month = divmod(total, 12)
    if not 1 <= year <= 9999:
        raise out_of_range()
    return LocalDate(date(year, month + 1, min(value.day.day, calendar.monthrange(year, month + 1)[1])))


def _on_day(value: LocalDateTime, day: LocalDate) -> LocalDateTime:
    return LocalDateTime(value.at.replace(year=day.day.year, month=day.day.month, day=day.day.day), value.nanosecond)


def _plus_nanos(value: LocalDateTime, nanos: int) -> LocalDateTime:
    total = epoch_second(value.at) * _NANOS + value.nanosecond + nanos
    return local(*divmod(total, _NANOS))


def _instant_plus(value: Instant, nanos: int) -> Instant:
    second, nanosecond = divmod(value.second * _NANOS + value.nanosecond + nanos, _NANOS)
    moment(second)
    return Instant(second, nanosecond)


def _plus(value: Value, amount: int, unit: EnumValue | None) -> Value:
    if unit is None:
        raise bad("The unit is null.")
    fixed = _SECONDS.get(unit.name)
    if isinstance(value, Instant) and fixed and unit.name != "WEEKS":
        return _instant_plus(value, amount * fixed)
    if isinstance(value, LocalDateTime):
        if fixed:
            return _plus_nanos(value, amount * fixed)
        if unit.name in _MONTHS:
            return _on_day(value, _plus_months(LocalDate(value.at.date()), amount * _MONTHS[unit.name]))
    if isinstance(value, LocalDate):
        if unit.name in ("DAYS", "WEEKS"):
            return _plus_days(value, amount * (7 if unit.name == "WEEKS" else 1))
        if unit.name in _MONTHS:
            return _plus_months(value, amount * _MONTHS[unit.name])
    raise bad(f"{unit.name} can't be added to a value of type {type_name(value)}.")


def _nanos(value: Value) -> int:
    match value:
        case Instant():
            return value.second * _NANOS + value.nanosecond
        case LocalDateTime():
            return epoch_second(value.at) * _NANOS + value.nanosecond
        case LocalDate():
            return (value.day.toordinal() - date(1970, 1, 1).toordinal()) * _SECONDS["DAYS"]
    raise bad(f"A value of type {type_name(value)} isn't a time.")


def between(unit: EnumValue, start: Value, end: Value) -> Long:
    """Whole units from start to end. Raises JAVA_EXCEPTION where the unit can't measure them."""
    if type_name(start) != type_name(end):
        raise bad(f"There is no span between {type_name(start)} and {type_name(end)}.")
    if unit.name in _SECONDS and not (isinstance(start, LocalDate) and unit.name not in ("DAYS", "WEEKS")):
        difference = _nanos(end) - _nanos(start)
        whole = abs(difference) // _SECONDS[unit.name]
        return Long(whole if difference >= 0 else -whole)
    if (
        unit.name in _MONTHS
        and isinstance(start, (LocalDate, LocalDateTime))
        and isinstance(end, (LocalDate, LocalDateTime))
    ):
        return Long(int(_months(start, end) / _MONTHS[unit.name]))
    raise bad(f"{unit.name} can't measure values of type {type_name(start)}.")


def _months(start: LocalDate | LocalDateTime, end: LocalDate | LocalDateTime) -> int:
    first = start.day if isinstance(start, LocalDate) else start.at.date()
    last = end.day if isinstance(end, LocalDate) else end.at.date()
    months = (last.year - first.year) * 12 + last.month - first.month
    begins = (first.day, _nanos(start) % _SECONDS["DAYS"])
    ends = (last.day, _nanos(end) % _SECONDS["DAYS"])
    if months > 0 and ends < begins:
        return months - 1
    if months < 0 and ends > begins:
        return months + 1
    return months


def _truncated(value: Value, unit: EnumValue | None) -> Value:
    unit = _given_unit(unit)
    size = _SECONDS.get(unit.name, 0)
    if not size or unit.name == "WEEKS":
        raise bad(f"A time can't be cut to {unit.name}.")
    rest = _nanos(value) % size
    return (
        _instant_plus(value, -rest)
        if isinstance(value, Instant)
        else _plus_nanos(value, -rest)
        if isinstance(value, LocalDateTime)
        else value
    )


def _is_leap(day: date) -> bool:
    return calendar.isleap(day.year)


def _day_of_week(day: date) -> EnumValue:
    return EnumValue("DayOfWeek", DAYS[day.weekday()], day.weekday())


def _with(day: date, *, year: int | None = None, month: int | None = None) -> LocalDate:
    new_year, new_month = day.year if year is None else year, day.month if month is None else month
    if not (1 <= new_month <= 12 and 1 <= new_year <= 9999):
        raise bad(f"There is no month {new_year}-{new_month}.")
    return LocalDate(date(new_year, new_month, min(day.day, calendar.monthrange(new_year, new_month)[1])))


def _with_day_of_year(day: date, number: int) -> LocalDate:
    if not 1 <= number <= 365 + _is_leap(day):
        raise bad(f"There is no day {number} in the year {day.year}.")
    return LocalDate(date(day.year, 1, 1) + timedelta(days=number - 1))


def _formatted(value: Value, _how: Value) -> str:
    raise bad(
        f"A formatter is needed to format a {type_name(value)}; expressions can't make one. Use T(String).format."
    )


def _year_day(year: int, day: int) -> LocalDate:
    first, last = day_of(year, 1, 1), day_of(year, 12, 31)
    if not 1 <= day <= (last - first).days + 1:
        raise bad(f"There is no day {day} in the year {year}.")
    return LocalDate(first + timedelta(days=day - 1))


def _day_from(value: Value) -> LocalDate:
    if isinstance(value, LocalDateTime):
        return LocalDate(value.at.date())
    if isinstance(value, LocalDate):
        return value
    raise bad(f"There is no day in a {type_name(value)}.")


def _same(kind: type) -> Callable[[Value], Value]:
    def checked(value: Value) -> Value:
        if not isinstance(value, kind):
            raise bad(f"There is no {kind.__name__} in a {type_name(value)}.")
        return value

    return checked


_DAY_STATICS = statics(
    {
        "parse(CharSequence)": parse_day,
        "of(int,int,int)": lambda year, month, day: LocalDate(day_of(year, month, day)),
        "ofEpochDay(long)": lambda day: LocalDate(local(day * 86_400).at.date()),
        "ofYearDay(int,int)": _year_day,
        "from(TemporalAccessor)": _day_from,
        "@now()": lambda world: LocalDate(local(world.at_ms // 1000).at.date()),
    },
    others="of(int,Month,int) parse(CharSequence,DateTimeFormatter) now(ZoneId) now(Clock) ofInstant(Instant,ZoneId)",
)
_TIME_STATICS = statics(
    {
        "parse(CharSequence)": parse_local,
        **{
            f"of({','.join(['int'] * count)})": lambda year, month, day, *time: at_time(
                LocalDate(day_of(year, month, day)), *time
            )
            for count in (5, 6, 7)
        },
        "from(TemporalAccessor)": _same(LocalDateTime),
        "@now()": lambda world: local(world.at_ms // 1000, world.at_ms % 1000 * 1_000_000),
    },
    others="of(LocalDate,LocalTime) of(int,Month,int,int,int) of(int,Month,int,int,int,int)"
    " of(int,Month,int,int,int,int,int) parse(CharSequence,DateTimeFormatter) now(ZoneId) now(Clock)"
    " ofInstant(Instant,ZoneId) ofEpochSecond(long,int,ZoneOffset)",
)
_INSTANT_STATICS = statics(
    {
        "parse(CharSequence)": parse_instant,
        "ofEpochSecond(long)": lambda second: Instant(int(second)),
        "ofEpochSecond(long,long)": lambda second, nanos: Instant(second + nanos // _NANOS, nanos % _NANOS),
        "ofEpochMilli(long)": lambda number: Instant(number // 1000, number % 1000 * 1_000_000),
        "from(TemporalAccessor)": _same(Instant),
        "@now()": lambda world: Instant(world.at_ms // 1000, world.at_ms % 1000 * 1_000_000),
    },
    others="now(Clock)",
)


_DAY_READS: dict[str, Callable[[date], Value]] = {
    "getYear()": lambda day: day.year,
    "getMonthValue()": lambda day: day.month,
    "getDayOfMonth()": lambda day: day.day,
    "getDayOfYear()": lambda day: day.timetuple().tm_yday,
    "getDayOfWeek()": _day_of_week,
}
_DAY_CHANGES: dict[str, Callable[[LocalDate, int], LocalDate]] = {
    "plusDays(long)": _plus_days,
    "plusWeeks(long)": lambda value, count: _plus_days(value, count * 7),
    "plusMonths(long)": _plus_months,
    "plusYears(long)": lambda value, count: _plus_months(value, count * 12),
    "minusDays(long)": lambda value, count: _plus_days(value, -count),
    "minusWeeks(long)": lambda value, count: _plus_days(value, -count * 7),
    "minusMonths(long)": lambda value, count: _plus_months(value, -count),
    "minusYears(long)": lambda value, count: _plus_months(value, -count * 12),
    "withYear(int)": lambda value, year: _with(value.day, year=year),
    "withMonth(int)": lambda value, month: _with(value.day, month=month),
    "withDayOfMonth(int)": lambda value, day: LocalDate(day_of(value.day.year, value.day.month, day)),
    "withDayOfYear(int)": lambda value, number: _with_day_of_year(value.day, number),
}


def _order(kind: str) -> dict[str, Callable[..., Value]]:
    return {
        f"isBefore({kind})": lambda value, other: compare(value, _other(other)) < 0,
        f"isAfter({kind})": lambda value, other: compare(value, _other(other)) > 0,
        f"compareTo({kind})": lambda value, other: _difference(value, _other(other)),
    }


def _difference(value: Value, other: Value) -> int:
    """Java's compareTo: of days the difference of the first field that differs."""
    if isinstance(value, Instant) and isinstance(other, Instant):
        return compare(value, other) if value.second != other.second else value.nanosecond - other.nanosecond
    ours, theirs = _day_in(value), _day_in(other)
    fields = zip((ours.year, ours.month, ours.day), (theirs.year, theirs.month, theirs.day), strict=True)
    found = next((one - two for one, two in fields if one != two), 0)
    return found or compare(value, other)


def _day_in(value: Value) -> date:
    if isinstance(value, LocalDateTime):
        return value.at.date()
    assert isinstance(value, LocalDate)
    return value.day


def _other(value: Value) -> Value:
    if value is None:
        raise bad("The other time is null.")
    return value


def _adjusted(value: Value, adjuster: Value) -> Value:
    """`value.with(adjuster)`: a day of the week, or the fields of another time."""
    match _other(adjuster), value:
        case EnumValue() as day, LocalDate():
            return _plus_days(value, day.ordinal - value.day.weekday())
        case EnumValue() as day, LocalDateTime():
            return _on_day(value, _plus_days(LocalDate(value.at.date()), day.ordinal - value.at.weekday()))
        case LocalDate() as other, LocalDate():
            return other
        case LocalDate() as other, LocalDateTime():
            return _on_day(value, other)
        case (LocalDateTime() as other, LocalDateTime()) | (Instant() as other, Instant()):
            return other
    raise bad(f"A {type_name(value)} can't be adjusted by a {type_name(adjuster)}.")


def _is_supported(value: Value, unit: EnumValue | None) -> bool:
    if unit is None:
        return False
    if isinstance(value, LocalDate):
        return unit.name in _MONTHS or unit.name in ("DAYS", "WEEKS", "ERAS")
    if isinstance(value, Instant):
        return unit.name in _SECONDS and unit.name != "WEEKS"
    return unit.name != "FOREVER"


_COMMON: dict[str, Callable[..., Value]] = {
    "plus(long,TemporalUnit)": _plus,
    "minus(long,TemporalUnit)": lambda value, amount, unit: _plus(value, -amount, unit),
    "until(Temporal,TemporalUnit)": lambda value, end, unit: between(_given_unit(unit), value, _other(end)),
    "with(TemporalAdjuster)": _adjusted,
    "isSupported(TemporalUnit)": _is_supported,
}
_COMMON_OTHERS = (
    "plus(TemporalAmount) minus(TemporalAmount) with(TemporalField,long) isSupported(TemporalField)"
    " get(TemporalField) getLong(TemporalField)"
)
_COMMON_BLOCKED = "query(TemporalQuery) range(TemporalField) adjustInto(Temporal)"


def _given_unit(unit: EnumValue | None) -> EnumValue:
    if unit is None:
        raise bad("The unit is null.")
    return unit


LOCAL_DATE: Table = merged(
    table(
        {
            **{name: (lambda value, read=read: read(value.day)) for name, read in _DAY_READS.items()},
            **_DAY_CHANGES,
            **_order("ChronoLocalDate"),
            **_COMMON,
            "isEqual(ChronoLocalDate)": lambda value, other: compare(value, _other(other)) == 0,
            "isLeapYear()": lambda value: _is_leap(value.day),
            "lengthOfMonth()": lambda value: calendar.monthrange(value.day.year, value.day.month)[1],
            "lengthOfYear()": lambda value: 365 + _is_leap(value.day),
            "toEpochDay()": lambda value: Long(value.day.toordinal() - date(1970, 1, 1).toordinal()),
            "atStartOfDay()": lambda value: at_time(value, 0, 0),
            "atTime(int,int)": at_time,
            "atTime(int,int,int)": at_time,
            "atTime(int,int,int,int)": at_time,
            "format(DateTimeFormatter)": _formatted,
        },
        blocked=f"getMonth() getEra() getChronology() datesUntil(LocalDate) until(ChronoLocalDate) {_COMMON_BLOCKED}",
        others=f"atTime(LocalTime) toEpochSecond(LocalTime,ZoneOffset) {_COMMON_OTHERS}",
    ),
    _DAY_STATICS,
    OBJECT,
)
_TIME_READS: dict[str, Callable[[LocalDateTime], Value]] = {
    "getHour()": lambda value: value.at.hour,
    "getMinute()": lambda value: value.at.minute,
    "getSecond()": lambda value: value.at.second,
    "getNano()": lambda value: value.nanosecond,
    "toLocalDate()": lambda value: LocalDate(value.at.date()),
    "toString()": java_text,
}


def _with_time(**fields: int) -> Callable[[LocalDateTime, int], LocalDateTime]:
    (name,) = fields

    def changed(value: LocalDateTime, number: int) -> LocalDateTime:
        at = value.at
        parts = {
            "hour": at.hour,
            "minute": at.minute,
            "second": at.second,
            "nanosecond": value.nanosecond,
            name: number,
        }
        return at_time(LocalDate(at.date()), *parts.values())

    return changed


LOCAL_DATE_TIME: Table = merged(
    table(
        {
            **{name: (lambda value, read=read: read(value.at.date())) for name, read in _DAY_READS.items()},
            **_TIME_READS,
            **{
                name: (lambda value, count, change=change: _on_day(value, change(LocalDate(value.at.date()), count)))
                for name, change in _DAY_CHANGES.items()
            },
            **{
                f"plus{unit.title()}(long)": (
                    lambda value, count, size=_SECONDS[unit]: _plus_nanos(value, count * size)
                )
                for unit in ("HOURS", "MINUTES", "SECONDS", "NANOS")
            },
            **{
                f"minus{unit.title()}(long)": (
                    lambda value, count, size=_SECONDS[unit]: _plus_nanos(value, -count * size)
                )
                for unit in ("HOURS", "MINUTES", "SECONDS", "NANOS")
            },
            **_order("ChronoLocalDateTime"),
            **_COMMON,
            "withHour(int)": _with_time(hour=0),
            "withMinute(int)": _with_time(minute=0),
            "withSecond(int)": _with_time(second=0),
            "withNano(int)": _with_time(nanosecond=0),
            "isEqual(ChronoLocalDateTime)": lambda value, other: compare(value, _other(other)) == 0,
            "truncatedTo(TemporalUnit)": _truncated,
            "format(DateTimeFormatter)": _formatted,
        },
        blocked=f"getMonth() getChronology() toLocalTime() atZone(ZoneId) atOffset(ZoneOffset) {_COMMON_BLOCKED}",
        others=f"toInstant(ZoneOffset) toEpochSecond(ZoneOffset) {_COMMON_OTHERS}",
    ),
    _TIME_STATICS,
    OBJECT,
)
INSTANT: Table = merged(
    table(
        {
            "getEpochSecond()": lambda value: Long(value.second),
            "getNano()": lambda value: value.nanosecond,
            "toEpochMilli()": lambda value: Long(value.second * 1000 + value.nanosecond // 1_000_000),
            "plusSeconds(long)": lambda value, count: _instant_plus(value, count * _NANOS),
            "plusMillis(long)": lambda value, count: _instant_plus(value, count * 1_000_000),
            "plusNanos(long)": _instant_plus,
            "minusSeconds(long)": lambda value, count: _instant_plus(value, -count * _NANOS),
            "minusMillis(long)": lambda value, count: _instant_plus(value, -count * 1_000_000),
            "minusNanos(long)": lambda value, count: _instant_plus(value, -count),
            "truncatedTo(TemporalUnit)": _truncated,
            **_order("Instant"),
            **_COMMON,
        },
        blocked=f"atZone(ZoneId) atOffset(ZoneOffset) {_COMMON_BLOCKED}",
        others=_COMMON_OTHERS,
    ),
    _INSTANT_STATICS,
    OBJECT,
)

STATICS: dict[str, Table] = {
    "LocalDate": _DAY_STATICS,
    "LocalDateTime": _TIME_STATICS,
    "Instant": _INSTANT_STATICS,
}
