"""Methods of days, times, instants, dates, days of the week, units of time and UUIDs; the zone is always UTC."""

import calendar
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta

from gennaker.expressions import date_format
from gennaker.expressions.clock_text import (
    CONSTANTS,
    DAYS,
    constant,
    epoch_second,
    local,
    moment,
    out_of_range,
)
from gennaker.expressions.conversions import java_text
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.methods import Table, merged, table
from gennaker.expressions.methods_collections import OBJECT
from gennaker.expressions.operators import compare, wrap
from gennaker.expressions.values import (
    Array,
    Date,
    EnumValue,
    Instant,
    LocalDate,
    LocalDateTime,
    Long,
    Uuid,
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


def bad(message: str) -> ExpressionError:
    """The failure of a method on its arguments."""
    return ExpressionError(Kind.JAVA_EXCEPTION, message)


def day_of(year: int, month: int, day: int) -> date:
    """A day; raises JAVA_EXCEPTION where it doesn't exist."""
    try:
        return date(year, month, day)
    except (ValueError, OverflowError) as cause:
        raise bad(f"There is no day {year}-{month}-{day}.") from cause


def parse_day(text: str | None) -> LocalDate:
    """`2024-02-29`."""
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", text or "", re.ASCII)
    if match is None:
        raise bad(f"{(text or '')[:60]!r} isn't a day such as 2024-02-29.")
    return LocalDate(day_of(int(match[1]), int(match[2]), int(match[3])))


def parse_local(text: str | None) -> LocalDateTime:
    """`2024-02-29T10:15` with optional seconds and fraction."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?", text or "", re.ASCII)
    if match is None:
        raise bad(f"{(text or '')[:60]!r} isn't a time such as 2024-02-29T10:15:30.")
    return at_time(
        parse_day(match[1]), int(match[2]), int(match[3]), int(match[4] or 0), int((match[5] or "").ljust(9, "0"))
    )


def parse_instant(text: str | None) -> Instant:
    """`2024-02-29T10:15:30Z`."""
    if not text or text[-1] not in "Zz":
        raise bad(f"{(text or '')[:60]!r} isn't an instant such as 2024-02-29T10:15:30Z.")
    at = parse_local(text[:-1])
    return Instant(epoch_second(at.at), at.nanosecond)


def at_time(day: LocalDate, hour: int, minute: int, *finer: int) -> LocalDateTime:
    """A day and a time; `finer` are second and nanosecond. Raises JAVA_EXCEPTION for an impossible time."""
    second, nanosecond = (*finer, 0, 0)[:2]
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= nanosecond < _NANOS):
        raise bad(f"There is no time {hour}:{minute}:{second}.")
    return LocalDateTime(datetime(day.day.year, day.day.month, day.day.day, hour, minute, second), nanosecond)  # noqa: DTZ001 - local


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


def _between(unit: EnumValue, start: Value, end: Value) -> Long:
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


def _truncated(value: Value, unit: EnumValue) -> Value:
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
    new_year, new_month = year or day.year, month or day.month
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
        f"compareTo({kind})": lambda value, other: compare(value, _other(other)),
    }


def _other(value: Value) -> Value:
    if value is None:
        raise bad("The other time is null.")
    return value


_COMMON: dict[str, Callable[..., Value]] = {
    "plus(long,TemporalUnit)": _plus,
    "minus(long,TemporalUnit)": lambda value, amount, unit: _plus(value, -amount, unit),
    "until(Temporal,TemporalUnit)": lambda value, end, unit: _between(unit, value, end),
}

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
        blocked="getMonth getEra getChronology with datesUntil query range adjustInto",
    ),
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
        blocked="getMonth getChronology toLocalTime with query range atZone atOffset toInstant",
    ),
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
        blocked="with query range atZone atOffset",
    ),
    OBJECT,
)


def _millisecond(value: Value) -> int:
    assert isinstance(value, Date)
    return value.milliseconds


def _date_field(read: Callable[[datetime], int]) -> Callable[[Date], int]:
    return lambda value: read(moment(value.milliseconds // 1000))


DATE: Table = merged(
    table(
        {
            "getTime()": lambda value: Long(value.milliseconds),
            "before(Date)": lambda value, other: value.milliseconds < _millisecond(_other(other)),
            "after(Date)": lambda value, other: value.milliseconds > _millisecond(_other(other)),
            "compareTo(Date)": lambda value, other: compare(value, _other(other)),
            "toInstant()": lambda value: Instant(value.milliseconds // 1000, value.milliseconds % 1000 * 1_000_000),
            "getYear()": _date_field(lambda at: at.year - 1900),
            "getMonth()": _date_field(lambda at: at.month - 1),
            "getDate()": _date_field(lambda at: at.day),
            "getDay()": _date_field(lambda at: (at.weekday() + 1) % 7),
            "getHours()": _date_field(lambda at: at.hour),
            "getMinutes()": _date_field(lambda at: at.minute),
            "getSeconds()": _date_field(lambda at: at.second),
            "getTimezoneOffset()": lambda value: 0,
        },
        mutating="setTime setYear setMonth setDate setHours setMinutes setSeconds",
    ),
    OBJECT,
)
DATE_FORMAT: Table = merged(
    table(
        {
            "format(Date)": lambda value, at: date_format.shown(value.pattern, _millisecond(_other(at))),
            "format(Object)": lambda value, at: date_format.shown(value.pattern, _format_argument(at)),
            "parse(String)": lambda value, text: Date(date_format.read(value.pattern, text or "")),
            "toPattern()": lambda value: value.pattern,
        },
        blocked="getCalendar getTimeZone getNumberFormat getDateFormatSymbols",
        mutating="setLenient setTimeZone applyPattern",
    ),
    OBJECT,
)


def _format_argument(value: Value) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise bad(f"A value of type {type_name(value)} can't be formatted as a date.")


def _enum(name: str, extra: dict[str, Callable[..., Value]]) -> Table:
    return merged(
        table(
            {
                "name()": lambda value: value.name,
                "ordinal()": lambda value: value.ordinal,
                f"compareTo({name})": lambda value, other: (
                    compare(value, _other(other)) and value.ordinal - other.ordinal
                ),
                **extra,
            },
            blocked="getDeclaringClass getDuration describeConstable query range adjustInto getDisplayName",
        ),
        OBJECT,
    )


def _next_day(value: EnumValue, count: int) -> EnumValue:
    return EnumValue("DayOfWeek", DAYS[(value.ordinal + count) % 7], (value.ordinal + count) % 7)


DAY_OF_WEEK: Table = _enum(
    "DayOfWeek",
    {
        "getValue()": lambda value: value.ordinal + 1,
        "plus(long)": _next_day,
        "minus(long)": lambda value, count: _next_day(value, -count),
    },
)
CHRONO_UNIT: Table = _enum(
    "ChronoUnit",
    {
        "between(Temporal,Temporal)": lambda unit, start, end: _between(unit, _other(start), _other(end)),
        "isDateBased()": lambda unit: 7 <= unit.ordinal < 15,
        "isTimeBased()": lambda unit: unit.ordinal < 7,
    },
)
UUID: Table = merged(
    table(
        {
            "getMostSignificantBits()": lambda value: Long(wrap(value.number >> 64, 64)),
            "getLeastSignificantBits()": lambda value: Long(wrap(value.number, 64)),
            "version()": lambda value: (value.number >> 76) & 0xF,
            "compareTo(UUID)": lambda value, other: compare(value, _other(other)),
        }
    ),
    OBJECT,
)


def every(kind: str) -> Array:
    """All constants of an enum."""
    return Array(kind, [constant(kind, name) for name in CONSTANTS[kind]])


def uuid_of(text: str | None) -> Uuid:
    """A UUID from its usual form; groups may be shorter, as in Java."""
    groups = (text or "").split("-")
    if len(groups) != 5 or not all(re.fullmatch("[0-9a-fA-F]{1,16}", group) for group in groups):
        raise bad(f"{(text or '')[:60]!r} isn't a UUID.")
    number = 0
    for group, size in zip(groups, (32, 16, 16, 16, 48), strict=True):
        number = (number << size) | (int(group, 16) & ((1 << size) - 1))
    return Uuid(number)
