"""Methods of dates, date formats, days of the week, units of time and UUIDs, and the static ones of their types."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import partial

from gennaker.expressions import date_format
from gennaker.expressions.clock_text import CONSTANTS, DAYS, constant, epoch_second, moment, unit_text, uuid_of
from gennaker.expressions.failures import ExpressionError, Kind, bad
from gennaker.expressions.hashing import text_hash
from gennaker.expressions.methods import Table, merged, statics, table
from gennaker.expressions.methods_collections import OBJECT
from gennaker.expressions.methods_time import is_supported
from gennaker.expressions.operators import compare, wrap
from gennaker.expressions.time_sums import between
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


def _other(value: Value) -> Value:
    if value is None:
        raise bad("The other value is null.")
    return value


def _name(name: str | None) -> str:
    if name is None:
        raise bad("The name is null.")
    return name


def _millisecond(value: Value) -> int:
    assert isinstance(value, Date)
    return value.milliseconds


def _gmt_text(value: Date) -> str:
    return date_format.shown("d MMM yyyy HH:mm:ss", value.milliseconds) + " GMT"


def _date_field(read: Callable[[datetime], int]) -> Callable[[Date], int]:
    return lambda value: read(moment(value.milliseconds // 1000))


def milliseconds_of(*fields: int) -> int:
    """Epoch milliseconds of years since 1900, month from 0, day, and time; fields may run over."""
    year, month, day, hour, minute, second = (*fields, 0, 0, 0)[:6]
    year, month = divmod((year + 1900) * 12 + month, 12)
    if not 1 <= year <= 9999:
        raise bad("The date is outside the years 1 to 9999.")
    start = epoch_second(datetime(year, month + 1, 1))  # noqa: DTZ001 - read as UTC
    return (start + (day - 1) * 86_400 + hour * 3600 + minute * 60 + second) * 1000


def _date_from(at: Instant | None) -> Date:
    if at is None:
        raise bad("The instant is null.")
    return Date(at.second * 1000 + at.nanosecond // 1_000_000)


_DATE_STATICS = statics(
    {
        "from(Instant)": _date_from,
        "UTC(int,int,int,int,int,int)": lambda *fields: Long(milliseconds_of(*fields)),
    },
    others="parse(String)",
)
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
            "toGMTString()": _gmt_text,
            "toLocaleString()": lambda value: date_format.shown("MMM d, yyyy, h:mm:ss a", value.milliseconds),
        },
        mutating="setTime(long) setYear(int) setMonth(int) setDate(int) setHours(int) setMinutes(int) setSeconds(int)",
        blocked="clone()",
    ),
    _DATE_STATICS,
    OBJECT,
)
DATE_FORMAT: Table = merged(
    table(
        {
            "format(Date)": lambda value, at: date_format.shown(value.pattern, _millisecond(_other(at))),
            "format(Object)": lambda value, at: date_format.shown(value.pattern, _format_argument(at)),
            "parse(String)": lambda value, text: Date(date_format.read(value.pattern, _name(text))),
            "toPattern()": lambda value: value.pattern,
            "toLocalizedPattern()": lambda value: value.pattern,
            "isLenient()": lambda value: True,
            "hashCode()": lambda value: wrap(text_hash(value.pattern), 32),
        },
        blocked="getCalendar() getTimeZone() getNumberFormat() getDateFormatSymbols() clone() parseObject(String)",
        mutating="setLenient(boolean) setTimeZone(TimeZone) applyPattern(String) applyLocalizedPattern(String)"
        " set2DigitYearStart(Date) setDateFormatSymbols(DateFormatSymbols) setCalendar(Calendar)"
        " setNumberFormat(NumberFormat)",
        others="parse(String,ParsePosition) get2DigitYearStart()",
    ),
    OBJECT,
)


def _format_argument(value: Value) -> int:
    if isinstance(value, Date):
        return value.milliseconds
    if isinstance(value, int) and not isinstance(value, bool):
        return wrap(int(value), 64)
    if isinstance(value, float):
        return 0 if value != value else int(max(min(value, 2.0**62), -(2.0**62)))  # noqa: PLR0124 - NaN only
    raise bad(f"A value of type {type_name(value)} can't be formatted as a date.")


def _enum_difference(value: EnumValue, other: Value) -> int:
    if not isinstance(other, EnumValue) or other.type != value.type:
        raise bad(f"A {value.type} can't be compared with a {type_name(other)}.")
    return value.ordinal - other.ordinal


def _day(number: int) -> EnumValue:
    if not 1 <= number <= 7:
        raise bad(f"There is no day of the week {number}.")
    return constant("DayOfWeek", DAYS[number - 1])


def _day_in(value: Value) -> EnumValue:
    if isinstance(value, LocalDate):
        return _day(value.day.weekday() + 1)
    if isinstance(value, LocalDateTime):
        return _day(value.at.weekday() + 1)
    if isinstance(value, EnumValue):
        return value
    raise bad(f"There is no day of the week in a {type_name(value)}.")


def _random_uuid(bits: int) -> Uuid:
    return Uuid(bits & ~(0xF << 76) & ~(3 << 62) | 4 << 76 | 2 << 62)


def _named_uuid(name: Value) -> Uuid:
    """UUID.nameUUIDFromBytes: version 3."""
    if not isinstance(name, Array):
        raise bad("The bytes of the name are null.")
    digest = hashlib.md5(bytes(int(item) & 0xFF for item in name.items if isinstance(item, int)), usedforsecurity=False)
    return Uuid(int.from_bytes(digest.digest()) & ~(0xF << 76) & ~(3 << 62) | 3 << 76 | 2 << 62)


def every(kind: str) -> Array:
    """All constants of an enum."""
    return Array(kind, [constant(kind, name) for name in CONSTANTS[kind]])


STATICS: dict[str, Table] = {
    "DayOfWeek": statics(
        {
            "of(int)": _day,
            "from(TemporalAccessor)": lambda value: _day_in(_other(value)),
            "valueOf(String)": lambda name: constant("DayOfWeek", _name(name)),
            "values()": partial(every, "DayOfWeek"),
        },
        blocked="valueOf(Class,String)",
    ),
    "ChronoUnit": statics(
        {
            "valueOf(String)": lambda name: constant("ChronoUnit", _name(name)),
            "values()": partial(every, "ChronoUnit"),
        },
        blocked="valueOf(Class,String)",
    ),
    "UUID": statics(
        {
            "fromString(String)": lambda text: uuid_of(_name(text)),
            "@randomUUID()": lambda world: _random_uuid(world.bits()),
            "nameUUIDFromBytes(byte[])": _named_uuid,
        }
    ),
    "Date": _DATE_STATICS,
}


def _enum(name: str, extra: dict[str, Callable[..., Value]]) -> Table:
    return merged(
        table(
            {
                "name()": lambda value: value.name,
                "ordinal()": lambda value: value.ordinal,
                "compareTo(Enum)": lambda value, other: _enum_difference(value, _other(other)),
                **extra,
            },
            blocked="getDeclaringClass() getDuration() describeConstable() query(TemporalQuery) range(TemporalField)"
            " adjustInto(Temporal) addTo(Temporal,long)",
            others="get(TemporalField) getLong(TemporalField) isSupported(TemporalField)",
        ),
        STATICS[name],
        OBJECT,
    )


def _next_day(value: EnumValue, count: int) -> EnumValue:
    return EnumValue("DayOfWeek", DAYS[(value.ordinal + count) % 7], (value.ordinal + count) % 7)


def _shown_day(value: EnumValue, style: EnumValue | None, locale: str | None) -> str:
    """In English: `Monday`, `Mon`, `M`."""
    if style is None or locale is None:
        raise bad("The style and the locale mustn't be null.")
    if not locale.lower().startswith("en"):
        raise ExpressionError(Kind.UNSUPPORTED, f"Names of days are offered in English only, not for {locale[:20]!r}.")
    return value.name.title()[: {"F": 9, "S": 3, "N": 1}[style.name[0]]]


DAY_OF_WEEK: Table = _enum(
    "DayOfWeek",
    {
        "getValue()": lambda value: value.ordinal + 1,
        "plus(long)": _next_day,
        "minus(long)": lambda value, count: _next_day(value, -count),
        "getDisplayName(TextStyle,Locale)": _shown_day,
    },
)
CHRONO_UNIT: Table = _enum(
    "ChronoUnit",
    {
        "between(Temporal,Temporal)": lambda unit, start, end: between(unit, _other(start), _other(end)),
        "isDurationEstimated()": lambda unit: unit.ordinal >= CONSTANTS["ChronoUnit"].index("DAYS"),
        "toString()": unit_text,
        "isSupportedBy(Temporal)": lambda unit, value: is_supported(_other(value), unit),
        "isDateBased()": lambda unit: 7 <= unit.ordinal < 15,
        "isTimeBased()": lambda unit: unit.ordinal < 7,
    },
)


def _is_timed(value: Uuid) -> bool:
    if (value.number >> 76) & 0xF != 1:
        raise bad("Only UUIDs of version 1 have a time.")
    return True


def _clock(value: Uuid) -> int:
    high = value.number >> 64
    return (high & 0xFFF) << 48 | (high >> 16 & 0xFFFF) << 32 | high >> 32 if _is_timed(value) else 0


def _variant(value: Uuid) -> int:
    top = value.number >> 61 & 7
    return 0 if top < 4 else 2 if top < 6 else top


UUID: Table = merged(
    table(
        {
            "getMostSignificantBits()": lambda value: Long(wrap(value.number >> 64, 64)),
            "getLeastSignificantBits()": lambda value: Long(wrap(value.number, 64)),
            "version()": lambda value: (value.number >> 76) & 0xF,
            "variant()": _variant,
            "timestamp()": lambda value: Long(_clock(value)),
            "clockSequence()": lambda value: (value.number >> 48) & 0x3FFF if _is_timed(value) else 0,
            "node()": lambda value: Long(value.number & 0xFFFFFFFFFFFF if _is_timed(value) else 0),
            "compareTo(UUID)": lambda value, other: compare(value, _other(other)),
        }
    ),
    STATICS["UUID"],
    OBJECT,
)
