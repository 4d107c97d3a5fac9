"""Days, times and instants from their ISO texts and from their fields."""

import re
from datetime import date, datetime

from gennaker.expressions.clock_text import epoch_second
from gennaker.expressions.failures import bad
from gennaker.expressions.values import Instant, LocalDate, LocalDateTime

_NANOS = 1_000_000_000


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
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?", text or "", re.ASCII)
    if match is None:
        raise bad(f"{(text or '')[:60]!r} isn't a time such as 2024-02-29T10:15:30.")
    return at_time(
        parse_day(match[1]), int(match[2]), int(match[3]), int(match[4] or 0), int((match[5] or "").ljust(9, "0"))
    )


_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{0,9}))?(?:[Zz]|([+-])(\d\d):(\d\d)(?::(\d\d))?)", re.ASCII
)


def parse_instant(text: str | None) -> Instant:
    """`2024-02-29T10:15:30Z`, or with an offset; 24:00 and a leap second are taken as Java takes them."""
    match = _INSTANT.fullmatch(text or "")
    if match is None:
        raise bad(f"{(text or '')[:60]!r} isn't an instant such as 2024-02-29T10:15:30Z.")
    hour, minute, second = int(match[2]), int(match[3]), int(match[4])
    is_next_day = (hour, minute, second) == (24, 0, 0) and not (match[5] or "").strip("0")
    if (hour, minute, second) == (23, 59, 60):
        second = 59
    day = parse_day(match[1])
    at = at_time(day, 0, 0) if is_next_day else at_time(day, hour, minute, second, int((match[5] or "").ljust(9, "0")))
    found = epoch_second(at.at) + 86_400 * is_next_day
    if match[6]:
        ahead = int(match[7]) * 3600 + int(match[8]) * 60 + int(match[9] or 0)
        found += ahead if match[6] == "-" else -ahead
    return Instant(found, at.nanosecond)


def at_time(day: LocalDate, hour: int, minute: int, *finer: int) -> LocalDateTime:
    """A day and a time; `finer` are second and nanosecond. Raises JAVA_EXCEPTION for an impossible time."""
    second, nanosecond = (*finer, 0, 0)[:2]
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= nanosecond < _NANOS):
        raise bad(f"There is no time {hour}:{minute}:{second}.")
    return LocalDateTime(datetime(day.day.year, day.day.month, day.day.day, hour, minute, second), nanosecond)  # noqa: DTZ001 - local
