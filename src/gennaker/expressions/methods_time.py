"""Methods of days, times and instants, and the static ones of their types; the zone is always UTC."""

import calendar
from collections.abc import Callable
from datetime import date, timedelta

from gennaker.expressions import zones
from gennaker.expressions.clock_text import (
    DAYS,
    epoch_second,
    local,
)
from gennaker.expressions.conversions import java_text
from gennaker.expressions.failures import bad
from gennaker.expressions.iso_text import at_time, day_of, parse_day, parse_instant, parse_local
from gennaker.expressions.methods import Table, merged, statics, table
from gennaker.expressions.methods_collections import OBJECT
from gennaker.expressions.operators import compare
from gennaker.expressions.time_sums import (
    MONTHS,
    NANOS,
    SIZES,
    between,
    given_unit,
    instant_plus,
    on_day,
    plus,
    plus_days,
    plus_months,
    plus_nanos,
    truncated,
)
from gennaker.expressions.values import (
    EnumValue,
    Instant,
    LocalDate,
    LocalDateTime,
    Long,
    Value,
    type_name,
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


_FURTHEST = 31_556_889_864_403_199
"""Epoch seconds that an Instant may have, of either sign."""


def _instant(second: int, nanosecond: int = 0) -> Instant:
    if abs(second) > _FURTHEST:
        raise bad("The instant is too far from now.")
    return Instant(second, nanosecond)


def _month(value: EnumValue | None) -> int:
    if value is None:
        raise bad("The month is null.")
    return value.ordinal + 1


def _in_zone(at: Value, zone: str | None) -> LocalDateTime:
    if not isinstance(at, Instant):
        raise bad("The instant is null.")
    return local(at.second + zones.offset_at(zone, at.second), at.nanosecond)


def _now_in(at_ms: int, zone: str | None) -> LocalDateTime:
    return _in_zone(Instant(at_ms // 1000, at_ms % 1000 * 1_000_000), zone)


def _of_second(second: int, nanosecond: int, zone: str | None) -> LocalDateTime:
    if not 0 <= nanosecond < NANOS:
        raise bad(f"A second has no nanosecond {nanosecond}.")
    return local(second + zones.fixed_offset(zone), nanosecond)


def _second_in(value: LocalDateTime, zone: str | None) -> int:
    return epoch_second(value.at) - zones.fixed_offset(zone)


_DAY_STATICS = statics(
    {
        "parse(CharSequence)": parse_day,
        "of(int,int,int)": lambda year, month, day: LocalDate(day_of(year, month, day)),
        "ofEpochDay(long)": lambda day: LocalDate(local(day * 86_400).at.date()),
        "ofYearDay(int,int)": _year_day,
        "from(TemporalAccessor)": _day_from,
        "of(int,Month,int)": lambda year, month, day: LocalDate(day_of(year, _month(month), day)),
        "ofInstant(Instant,ZoneId)": lambda at, zone: LocalDate(_in_zone(at, zone).at.date()),
        "@now()": lambda world: LocalDate(local(world.at_ms // 1000).at.date()),
        "@now(ZoneId)": lambda world, zone: LocalDate(_now_in(world.at_ms, zone).at.date()),
    },
    others="parse(CharSequence,DateTimeFormatter) now(Clock)",
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
        **{
            f"of(int,Month,{','.join(['int'] * count)})": lambda year, month, day, *time: at_time(
                LocalDate(day_of(year, _month(month), day)), *time
            )
            for count in (3, 4, 5)
        },
        "from(TemporalAccessor)": _same(LocalDateTime),
        "ofInstant(Instant,ZoneId)": _in_zone,
        "ofEpochSecond(long,int,ZoneOffset)": _of_second,
        "@now()": lambda world: local(world.at_ms // 1000, world.at_ms % 1000 * 1_000_000),
        "@now(ZoneId)": lambda world, zone: _now_in(world.at_ms, zone),
    },
    others="of(LocalDate,LocalTime) parse(CharSequence,DateTimeFormatter) now(Clock)",
)
_INSTANT_STATICS = statics(
    {
        "parse(CharSequence)": parse_instant,
        "ofEpochSecond(long)": lambda second: _instant(int(second)),
        "ofEpochSecond(long,long)": lambda second, nanos: _instant(second + nanos // NANOS, nanos % NANOS),
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
    "plusDays(long)": plus_days,
    "plusWeeks(long)": lambda value, count: plus_days(value, count * 7),
    "plusMonths(long)": plus_months,
    "plusYears(long)": lambda value, count: plus_months(value, count * 12),
    "minusDays(long)": lambda value, count: plus_days(value, -count),
    "minusWeeks(long)": lambda value, count: plus_days(value, -count * 7),
    "minusMonths(long)": lambda value, count: plus_months(value, -count),
    "minusYears(long)": lambda value, count: plus_months(value, -count * 12),
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
            return plus_days(value, day.ordinal - value.day.weekday())
        case EnumValue() as day, LocalDateTime():
            return on_day(value, plus_days(LocalDate(value.at.date()), day.ordinal - value.at.weekday()))
        case LocalDate() as other, LocalDate():
            return other
        case LocalDate() as other, LocalDateTime():
            return on_day(value, other)
        case (LocalDateTime() as other, LocalDateTime()) | (Instant() as other, Instant()):
            return other
    raise bad(f"A {type_name(value)} can't be adjusted by a {type_name(adjuster)}.")


def is_supported(value: Value, unit: EnumValue | None) -> bool:
    """Values of this type can be counted in the unit."""
    if unit is None:
        return False
    if isinstance(value, LocalDate):
        return unit.name in MONTHS or unit.name in ("DAYS", "WEEKS", "ERAS")
    if isinstance(value, Instant):
        return unit.name in SIZES and unit.name != "WEEKS"
    return unit.name != "FOREVER"


_COMMON: dict[str, Callable[..., Value]] = {
    "plus(long,TemporalUnit)": plus,
    "minus(long,TemporalUnit)": lambda value, amount, unit: plus(value, -amount, unit),
    "until(Temporal,TemporalUnit)": lambda value, end, unit: between(given_unit(unit), value, _other(end)),
    "with(TemporalAdjuster)": _adjusted,
    "isSupported(TemporalUnit)": is_supported,
}
_COMMON_OTHERS = (
    "plus(TemporalAmount) minus(TemporalAmount) with(TemporalField,long) isSupported(TemporalField)"
    " get(TemporalField) getLong(TemporalField)"
)
_COMMON_BLOCKED = "query(TemporalQuery) range(TemporalField) adjustInto(Temporal)"


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
                name: (lambda value, count, change=change: on_day(value, change(LocalDate(value.at.date()), count)))
                for name, change in _DAY_CHANGES.items()
            },
            **{
                f"plus{unit.title()}(long)": (lambda value, count, size=SIZES[unit]: plus_nanos(value, count * size))
                for unit in ("HOURS", "MINUTES", "SECONDS", "NANOS")
            },
            **{
                f"minus{unit.title()}(long)": (lambda value, count, size=SIZES[unit]: plus_nanos(value, -count * size))
                for unit in ("HOURS", "MINUTES", "SECONDS", "NANOS")
            },
            **_order("ChronoLocalDateTime"),
            **_COMMON,
            "withHour(int)": _with_time(hour=0),
            "withMinute(int)": _with_time(minute=0),
            "withSecond(int)": _with_time(second=0),
            "withNano(int)": _with_time(nanosecond=0),
            "isEqual(ChronoLocalDateTime)": lambda value, other: compare(value, _other(other)) == 0,
            "truncatedTo(TemporalUnit)": truncated,
            "toInstant(ZoneOffset)": lambda value, zone: Instant(_second_in(value, zone), value.nanosecond),
            "toEpochSecond(ZoneOffset)": lambda value, zone: Long(_second_in(value, zone)),
            "format(DateTimeFormatter)": _formatted,
        },
        blocked=f"getMonth() getChronology() toLocalTime() atZone(ZoneId) atOffset(ZoneOffset) {_COMMON_BLOCKED}",
        others=_COMMON_OTHERS,
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
            "plusSeconds(long)": lambda value, count: instant_plus(value, count * NANOS),
            "plusMillis(long)": lambda value, count: instant_plus(value, count * 1_000_000),
            "plusNanos(long)": instant_plus,
            "minusSeconds(long)": lambda value, count: instant_plus(value, -count * NANOS),
            "minusMillis(long)": lambda value, count: instant_plus(value, -count * 1_000_000),
            "minusNanos(long)": lambda value, count: instant_plus(value, -count),
            "truncatedTo(TemporalUnit)": truncated,
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
