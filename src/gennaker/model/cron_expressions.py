"""Cron expressions as Quartz reads them: `seconds minutes hours day-of-month month day-of-week [year]`.

Source: Quartz's CronExpression. It takes more than it understands (`1W,15`, `MONDAY-FRIDAY`, an eighth field) and then does
something else than what is written; that is refused here, with all problems at once. `model/cron_times.py` finds the instants.
"""

import re
from functools import lru_cache
from typing import TypeAlias

import msgspec

LONGEST = 1000
_FEWEST, _MOST = 6, 7
_CHOSEN = 3
"""Fields in which `H` may stand."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIRST_YEAR, LAST_YEAR = 1970, 2199
_LARGEST_OFFSET = 30
_LARGEST_NTH = 5
_RANGE = re.compile(r"(?P<first>[0-9]{1,4}|[A-Z]{3})(?:-(?P<last>[0-9]{1,4}|[A-Z]{3}))?(?:/(?P<step>[0-9]{1,4}))?")
_ALL = re.compile(r"(?:\*|(?=/))(?:/(?P<step>[0-9]{1,4}))?")
_FROM_END = re.compile(r"L(?:-(?P<offset>[0-9]{1,2}))?(?P<weekday>W)?")
_NEAREST = re.compile(r"(?P<day>[0-9]{1,2})W")
_LAST_WEEKDAY = re.compile(r"(?P<day>[0-9]|[A-Z]{3})L")
_NTH_WEEKDAY = re.compile(r"(?P<day>[0-9]|[A-Z]{3})#(?P<nth>[0-9]+)")


class InvalidExpression(ValueError):
    """It can't be read; `sentences` say everything that is wrong."""

    def __init__(self, *sentences: str) -> None:
        """At least one sentence."""
        super().__init__(" ".join(sentences))
        self.sentences = sentences


class MonthDays(msgspec.Struct, frozen=True, tag=True):
    """Certain days of the month; each that the month has."""

    days: tuple[int, ...]


class FromEnd(msgspec.Struct, frozen=True, tag=True):
    """So many days before the month's last one, or the weekday that is nearest to it."""

    offset: int
    is_weekday: bool


class Nearest(msgspec.Struct, frozen=True, tag=True):
    """The weekday of the month that is nearest to a day of it."""

    day: int


class Weekdays(msgspec.Struct, frozen=True, tag=True):
    """Certain days of each week; 1 is Sunday."""

    days: tuple[int, ...]


class LastWeekday(msgspec.Struct, frozen=True, tag=True):
    """The month's last Friday, or whatever day."""

    day: int


class NthWeekday(msgspec.Struct, frozen=True, tag=True):
    """The month's second Friday, or whatever day; months without it have none."""

    day: int
    nth: int


Days: TypeAlias = MonthDays | FromEnd | Nearest | Weekdays | LastWeekday | NthWeekday


class CronExpression(msgspec.Struct, frozen=True, kw_only=True):
    """What it says; each field in ascending order."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    @property
    def is_hourly(self) -> bool:
        """It holds in every hour of the day: clocks that are put back don't concern it."""
        return len(self.hours) == _HOURS.size


class _Field(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    """Of the values from `least` on."""
    wraps: bool = True
    """`22-2` goes over the end and begins anew."""

    @property
    def size(self) -> int:
        return self.most - self.least + 1

    def value(self, text: str) -> int:
        """Raises InvalidExpression."""
        if text in self.names:
            return self.names.index(text) + self.least
        number = int(text) if text.isdigit() else -1
        if not self.least <= number <= self.most:
            named = f" or {self.names[0]} to {self.names[-1]}" if self.names else ""
            raise InvalidExpression(
                f"{self.name} must be {self.least} to {self.most}{named}, not {text}.",
            )
        return number


_SECONDS = _Field(name="Seconds", least=0, most=59)
_MINUTES = _Field(name="Minutes", least=0, most=59)
_HOURS = _Field(name="Hours", least=0, most=23)
_MONTH_DAYS = _Field(name="Days of the month", least=1, most=31)
_MONTH = _Field(name="Months", least=1, most=12, names=_MONTHS)
_WEEK_DAYS = _Field(name="Days of the week", least=1, most=7, names=_WEEKDAYS)
_YEARS = _Field(name="Years", least=FIRST_YEAR, most=LAST_YEAR, wraps=False)


def is_fuzzy(expression: str) -> bool:
    """Whether an `H` stands for some of its seconds, minutes or hours."""
    return "H" in "".join(expression.upper().split()[:_CHOSEN])


def fuzzed(expression: str, trigger_id: str) -> str:
    """The expression with a number in the place of each `H` of seconds, minutes and hours.

    It is the same for the same trigger, and another for most others, so that not all of them fire at the same time.
    Source: Echo's CronExpressionFuzzer.
    """
    fields = expression.split()
    number = abs(_java_hash(trigger_id))
    for place, size in enumerate((_SECONDS.size, _MINUTES.size, _HOURS.size)):
        if place < len(fields):
            fields[place] = fields[place].upper().replace("H", str(number % size))
    return " ".join(fields)


@lru_cache(maxsize=4096)
def read(expression: str) -> CronExpression:
    """The expression (without `H`). Raises InvalidExpression with all that is wrong."""
    if len(expression) > LONGEST:
        raise InvalidExpression(f"It has more than {LONGEST} characters.")
    fields = expression.upper().split()
    if not _FEWEST <= len(fields) <= _MOST:
        raise InvalidExpression(
            f"It has {len(fields)} fields instead of 6 or 7: seconds, minutes, hours, day of the month, month, "
            "day of the week, and perhaps the year."
        )
    reading = _Reading()
    seconds = reading.values(fields[0], _SECONDS)
    minutes = reading.values(fields[1], _MINUTES)
    hours = reading.values(fields[2], _HOURS)
    months = reading.values(fields[4], _MONTH)
    years = reading.values(fields[6] if len(fields) == _MOST else "*", _YEARS)
    days = reading.days(fields[3], fields[5])
    if reading.sentences or days is None:
        raise InvalidExpression(*reading.sentences)
    return CronExpression(seconds=seconds, minutes=minutes, hours=hours, days=days, months=months, years=years)


class _Reading:
    """Reads one field after the other and collects what is wrong."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def values(self, text: str, field: _Field) -> tuple[int, ...]:
        try:
            return _values(text, field)
        except InvalidExpression as error:
            self.sentences += error.sentences
            return ()

    def days(self, of_month: str, of_week: str) -> Days | None:
        if (of_month == "?") == (of_week == "?"):
            self.sentences.append("Exactly one of day of the month and day of the week must be `?`.")
            return None
        try:
            return _month_days(of_month) if of_week == "?" else _week_days(of_week)
        except InvalidExpression as error:
            self.sentences += error.sentences
            return None


def _month_days(text: str) -> Days:
    if found := _FROM_END.fullmatch(text):
        offset = int(found["offset"] or 0)
        if offset > _LARGEST_OFFSET:
            raise InvalidExpression(f"Days of the month: at most {_LARGEST_OFFSET} days before the last, not {offset}.")
        return FromEnd(offset, found["weekday"] is not None)
    if found := _NEAREST.fullmatch(text):
        return Nearest(_MONTH_DAYS.value(found["day"]))
    _refuse_in_lists(text, "LW", _MONTH_DAYS)
    return MonthDays(_values(text, _MONTH_DAYS))


def _week_days(text: str) -> Days:
    if text == "L":
        return Weekdays((_WEEK_DAYS.most,))
    if found := _LAST_WEEKDAY.fullmatch(text):
        return LastWeekday(_WEEK_DAYS.value(found["day"]))
    if found := _NTH_WEEKDAY.fullmatch(text):
        nth = int(found["nth"])
        if not 1 <= nth <= _LARGEST_NTH:
            raise InvalidExpression(f"Days of the week: a number from 1 to {_LARGEST_NTH} must follow `#`, not {nth}.")
        return NthWeekday(_WEEK_DAYS.value(found["day"]), nth)
    _refuse_in_lists(text, "L#", _WEEK_DAYS)
    return Weekdays(_values(text, _WEEK_DAYS))


def _refuse_in_lists(text: str, marks: str, field: _Field) -> None:
    """Quartz refuses some of them in lists and takes the others for something else."""
    plain = text.replace("JUL", "")
    if "," in text and any(mark in plain for mark in marks):
        said = " and ".join(f"`{mark}`" for mark in marks)
        raise InvalidExpression(f"{field.name}: {said} must stand alone, not in a list like {text}.")


def _values(text: str, field: _Field) -> tuple[int, ...]:
    """The values of a list of numbers, names, ranges and steps. Raises InvalidExpression with all that is wrong."""
    found: set[int] = set()
    sentences: list[str] = []
    for part in text.split(","):
        try:
            found.update(_of_part(part, field))
        except InvalidExpression as error:
            sentences += error.sentences
    if sentences:
        raise InvalidExpression(*sentences)
    return tuple(sorted(found))


def _of_part(part: str, field: _Field) -> range | list[int]:
    if every := _ALL.fullmatch(part):
        return range(field.least, field.most + 1, max(1, _step(every["step"], field)))
    given = _RANGE.fullmatch(part)
    if given is None:
        raise InvalidExpression(f"{field.name}: {part or 'an empty place'} can't be read.")
    first = field.value(given["first"])
    step = _step(given["step"], field)
    if given["last"] is None:
        return range(first, field.most + 1, step) if step else [first]
    last = field.value(given["last"])
    if given["step"] is not None and not step:
        return [first]  # as Quartz has it
    if last >= first:
        return range(first, last + 1, step or 1)
    if not field.wraps:
        raise InvalidExpression(f"{field.name}: the first of {part} must come before the last.")
    return [
        (value - field.least) % field.size + field.least for value in range(first, last + field.size + 1, step or 1)
    ]


def _step(given: str | None, field: _Field) -> int:
    step = int(given or 0)
    if step > field.size - (field.least == 0):
        raise InvalidExpression(f"{field.name}: a step of {step} is too large.")
    return step


def _java_hash(text: str) -> int:
    """String.hashCode of Java."""
    found = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for place in range(0, len(units), 2):
        found = (found * 31 + int.from_bytes(units[place : place + 2], "big")) & 0xFFFF_FFFF
    return found - (1 << 32) if found >= 1 << 31 else found
