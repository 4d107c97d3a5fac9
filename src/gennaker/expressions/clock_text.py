"""Text forms of dates, times, UUIDs and types, as Java prints them; the zone is always UTC."""

import re
from datetime import UTC, date, datetime, timedelta

from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import Date, EnumValue, Instant, LocalDate, LocalDateTime, Typed, Uuid
from gennaker.model.codec import Json

DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
UNITS = (
    "NANOS",
    "MICROS",
    "MILLIS",
    "SECONDS",
    "MINUTES",
    "HOURS",
    "HALF_DAYS",
    "DAYS",
    "WEEKS",
    "MONTHS",
    "YEARS",
    "DECADES",
    "CENTURIES",
    "MILLENNIA",
    "ERAS",
    "FOREVER",
)
STATUSES = (
    "NOT_STARTED",
    "RUNNING",
    "PAUSED",
    "SUSPENDED",
    "SUCCEEDED",
    "FAILED_CONTINUE",
    "TERMINAL",
    "CANCELED",
    "REDIRECT",
    "STOPPED",
    "SKIPPED",
    "BUFFERED",
)
STYLES = ("FULL", "FULL_STANDALONE", "SHORT", "SHORT_STANDALONE", "NARROW", "NARROW_STANDALONE")
CONSTANTS = {
    "DayOfWeek": DAYS,
    "ChronoUnit": UNITS,
    "ExecutionStatus": STATUSES,
    "Month": tuple(month.upper() for month in MONTHS),
    "TextStyle": STYLES,
}

PACKAGES = {
    "Date": "java.util",
    "Random": "java.util",
    "UUID": "java.util",
    "SimpleDateFormat": "java.text",
    "LocalDate": "java.time",
    "LocalDateTime": "java.time",
    "DayOfWeek": "java.time",
    "Instant": "java.time",
    "ChronoUnit": "java.time.temporal",
    "TemporalAdjusters": "java.time.temporal",
    "URLEncoder": "java.net",
}
_ARRAY_LETTERS = {"int": "I", "long": "J", "double": "D", "float": "F", "boolean": "Z", "char": "C", "byte": "B"}
_ARRAY_LETTERS |= {"short": "S"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_LOCAL = datetime(1970, 1, 1)  # noqa: DTZ001 - a local date and time has no zone by definition


def class_name(value: Typed) -> str:
    """`java.lang.String`, `[Ljava.lang.String;`, `int`."""
    is_primitive = value.name in _ARRAY_LETTERS
    full = value.name if is_primitive else f"{PACKAGES.get(value.name, 'java.lang')}.{value.name}"
    if not value.dimensions:
        return full
    return "[" * value.dimensions + (_ARRAY_LETTERS[value.name] if is_primitive else f"L{full};")


def type_text(value: Typed) -> str:
    """`class java.lang.String`, `int`."""
    is_class = value.dimensions or value.name not in _ARRAY_LETTERS
    return f"class {class_name(value)}" if is_class else value.name


def constant(kind: str, name: str) -> EnumValue:
    """The constant of an enum by its name."""
    names = CONSTANTS[kind]
    if name not in names:
        raise ExpressionError(Kind.JAVA_EXCEPTION, f"{kind} has no constant {name[:60]!r}. It has {', '.join(names)}.")
    return EnumValue(kind, name, names.index(name))


_UNIT_TEXTS = {"HALF_DAYS": "HalfDays"}


def unit_text(value: EnumValue) -> str:
    """What toString gives for an enum's constant: its name, but of units of time a word."""
    return _UNIT_TEXTS.get(value.name, value.name.title()) if value.type == "ChronoUnit" else value.name


def uuid_text(number: int) -> str:
    """The usual form with hyphens."""
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def uuid_of(text: str | None) -> Uuid:
    """A UUID from its usual form; groups may be shorter, as in Java."""
    groups = (text or "").split("-")
    if (
        len(text or "") > 36
        or len(groups) != 5
        or not all(re.fullmatch("[0-9a-fA-F]{1,16}", group) for group in groups)
    ):
        raise ExpressionError(Kind.JAVA_EXCEPTION, f"{(text or '')[:60]!r} isn't a UUID.")
    number = 0
    for group, size in zip(groups, (32, 16, 16, 16, 48), strict=True):
        number = (number << size) | (int(group, 16) & ((1 << size) - 1))
    return Uuid(number)


def _fraction(nanosecond: int, groups: tuple[int, ...]) -> str:
    if not nanosecond:
        return ""
    digits = f"{nanosecond:09d}"
    for length in groups:
        if not digits[length:].strip("0"):
            return "." + digits[:length]
    return "." + digits


def local_text(value: LocalDateTime) -> str:
    """ISO form; seconds only where there are any."""
    at = value.at
    shown = f"{at.year:04d}-{at.month:02d}-{at.day:02d}T{at.hour:02d}:{at.minute:02d}"
    if at.second or value.nanosecond:
        shown += f":{at.second:02d}" + _fraction(value.nanosecond, (3, 6))
    return shown


def moment(second: int) -> datetime:
    """The UTC date and time of an epoch second. Raises JAVA_EXCEPTION outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=second)
    except OverflowError as cause:
        raise out_of_range() from cause


def local(second: int, nanosecond: int = 0) -> LocalDateTime:
    """The date and time without zone of an epoch second in UTC."""
    return LocalDateTime(moment(second).replace(tzinfo=None), nanosecond)


def epoch_second(at: datetime) -> int:
    """The epoch second of a date and time without zone, read as UTC."""
    return (at - _EPOCH_LOCAL) // timedelta(seconds=1)


def out_of_range() -> ExpressionError:
    """The failure for dates that can't be held."""
    return ExpressionError(Kind.JAVA_EXCEPTION, "The date is outside the years 1 to 9999.")


def instant_text(value: Instant) -> str:
    """ISO form with Z."""
    at = moment(value.second)
    fraction = _fraction(value.nanosecond, (3, 6))
    return f"{at.year:04d}-{at.month:02d}-{at.day:02d}T{at.hour:02d}:{at.minute:02d}:{at.second:02d}{fraction}Z"


def date_text(value: Date) -> str:
    """`Thu Jan 01 00:00:00 UTC 1970`."""
    at = moment(value.milliseconds // 1000)
    day, month = DAYS[at.weekday()].title()[:3], MONTHS[at.month - 1][:3]
    return f"{day} {month} {at.day:02d} {at.hour:02d}:{at.minute:02d}:{at.second:02d} UTC {at.year}"


def iso_date_text(value: Date) -> str:
    """`1970-01-01T00:00:00.000+00:00`."""
    at = moment(value.milliseconds // 1000)
    return f"{at.isoformat()[:19]}.{value.milliseconds % 1000:03d}+00:00"


def fields(value: LocalDate | LocalDateTime) -> list[Json]:
    """The list that Jackson writes; seconds and milliseconds only where there are any."""
    day: date = value.day if isinstance(value, LocalDate) else value.at.date()
    found: list[Json] = [day.year, day.month, day.day]
    if isinstance(value, LocalDateTime):
        found += [value.at.hour, value.at.minute]
        if value.at.second or value.nanosecond:
            found.append(value.at.second)
        if value.nanosecond:
            found.append(value.nanosecond // 1_000_000)
    return found
