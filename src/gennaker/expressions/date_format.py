"""SimpleDateFormat's patterns: printing and reading dates; the zone is UTC, the language English."""

import re
from datetime import datetime
from itertools import groupby

from gennaker.expressions.clock_text import DAYS, MONTHS, epoch_second, moment
from gennaker.expressions.failures import ExpressionError, Kind

_LETTERS = "GyYMLwWDdFEuaHkKhmsSzZX"
_READABLE = "yMLdDHkKhmsSaEGzZX"
_CENTURY = 46
"""Years of two digits below this are of this century: Java starts eighty years before now."""


def _pieces(pattern: str) -> list[tuple[str, int]]:
    """(letter, count) of fields, (literal text, 0) of all else. Raises JAVA_EXCEPTION."""
    found: list[tuple[str, int]] = []
    for part in re.findall(r"'(?:[^']|'')*'?|[a-zA-Z]+|[^a-zA-Z']+", pattern):
        if part.startswith("'"):
            if len(part) < 2 or not part.endswith("'"):
                raise _bad(f"The date pattern {pattern[:60]!r} has a quote without end.")
            found.append((part[1:-1].replace("''", "'") or "'", 0))
        elif part[0].isalpha() and part[0].isascii():
            found += [(letter, len(list(run))) for letter, run in groupby(part)]
        else:
            found.append((part, 0))
    for letter, count in found:
        if count and letter not in _LETTERS:
            raise _bad(f"The date pattern has the unknown letter {letter}.")
        if letter == "X" and count > 3:
            raise _bad(f"The date pattern has {count} letters X; three are the most.")
    return found


def check(pattern: str) -> str:
    """The pattern itself; raises JAVA_EXCEPTION where it isn't valid."""
    _pieces(pattern)
    return pattern


def _bad(message: str) -> ExpressionError:
    return ExpressionError(Kind.JAVA_EXCEPTION, message)


def shown(pattern: str, milliseconds: int) -> str:
    """The text of a date."""
    at = moment(milliseconds // 1000)
    return "".join(
        _field(letter, count, at, milliseconds % 1000) if count else letter for letter, count in _pieces(pattern)
    )


def _field(letter: str, count: int, at: datetime, millisecond: int) -> str:
    if letter in "ML":
        month = MONTHS[at.month - 1]
        return month if count > 3 else month[:3] if count == 3 else str(at.month).rjust(count, "0")
    if letter == "E":
        day = DAYS[at.weekday()].title()
        return day if count > 3 else day[:3]
    if letter in "yY":
        year = at.year if letter == "y" else at.year + _is_in_next_year(at)
        return f"{year % 100:02d}" if count == 2 else str(year).rjust(count, "0")
    words = {"G": "AD", "a": "AM" if at.hour < 12 else "PM", "z": "UTC" if count < 4 else "Coordinated Universal Time"}
    words |= {"Z": "+0000", "X": "Z"}
    if letter in words:
        return words[letter]
    numbers = {
        "w": 1 if _is_in_next_year(at) else _week(at.timetuple().tm_yday, at),
        "W": _week(at.day, at),
        "D": at.timetuple().tm_yday,
        "d": at.day,
        "F": (at.day - 1) // 7 + 1,
        "u": at.weekday() + 1,
        "H": at.hour,
        "k": at.hour or 24,
        "K": at.hour % 12,
        "h": at.hour % 12 or 12,
        "m": at.minute,
        "s": at.second,
        "S": millisecond,
    }
    return str(numbers[letter]).rjust(count, "0")


def _week(day: int, at: datetime) -> int:
    """The week of the year or month in which a day of it lies; weeks begin on Sunday, the first may be short."""
    since_sunday = (at.weekday() + 1) % 7
    return (day - 1 - since_sunday + 6) // 7 + 1


def _is_in_next_year(at: datetime) -> bool:
    """The day's week holds the next year's first day."""
    return at.month == 12 and at.day + 6 - (at.weekday() + 1) % 7 > 31


def read(pattern: str, text: str) -> int:
    """Epoch milliseconds of the date at the beginning of a text; what follows it is ignored, as in Java."""
    return _Reading(pattern, text).milliseconds()


_ZONE = re.compile(r"(?:UTC|UT|GMT)?([+-])(\d{1,2}):?(\d\d)|(?:UTC|UT|GMT)", re.IGNORECASE)
_ISO_ZONE = re.compile(r"Z|([+-])(\d\d):?(\d\d)?")
_NAMES = {"M": MONTHS, "E": tuple(day.title() for day in DAYS), "a": ("AM", "PM"), "G": ("BC", "AD")}
_NUMBER = re.compile(r"-?[0-9]{1,18}")


class _Reading:
    """One text being read by one pattern."""

    def __init__(self, pattern: str, text: str) -> None:
        self._pattern = pattern
        self._text = text
        self._position = 0
        self._values: dict[str, int] = {}

    def milliseconds(self) -> int:
        pieces = _pieces(self._pattern)
        for index, (letter, count) in enumerate(pieces):
            if not count:
                if not self._text.startswith(letter, self._position):
                    raise self._unreadable()
                self._position += len(letter)
            elif letter not in _READABLE:
                raise ExpressionError(Kind.UNSUPPORTED, f"Reading dates with the letter {letter} isn't offered.")
            else:
                follows = pieces[index + 1] if index + 1 < len(pieces) else ("", 0)
                self._field(letter.replace("L", "M"), count, is_fixed=_is_number(*follows))
        return self._total()

    def _field(self, letter: str, count: int, *, is_fixed: bool) -> None:
        start = self._position
        while self._text[self._position : self._position + 1] in (" ", "\t"):
            self._position += 1
        if self._position >= len(self._text):
            raise self._unreadable()
        if letter in "zZX":
            self._zone(_ISO_ZONE if letter == "X" else _ZONE)
        elif letter in "EaG" or (letter == "M" and count >= 3):
            self._name(letter)
        else:
            self._number(letter, count, start + count if is_fixed else len(self._text))

    def _unreadable(self) -> ExpressionError:
        return _bad(f"The date {self._text[:60]!r} doesn't fit the pattern {self._pattern[:60]!r}.")

    def _zone(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._position)
        if match is None:
            raise self._unreadable()
        if match[1]:
            minutes = int(match[2]) * 60 + int(match[3] or 0)
            self._values["zone"] = minutes if match[1] == "+" else -minutes
        self._position = match.end()

    def _name(self, letter: str) -> None:
        rest = self._text[self._position :].lower()
        names = _NAMES[letter]
        fitting = [
            (len(form), number)
            for number, name in enumerate(names)
            for form in (name, name[:3])
            if rest.startswith(form.lower())
        ]
        if not fitting:
            raise self._unreadable()
        length, number = max(fitting, key=lambda each: each[0])
        self._set(letter, number + (letter == "M"))
        self._position += length

    def _number(self, letter: str, count: int, limit: int) -> None:
        if limit > len(self._text):
            raise self._unreadable()
        match = _NUMBER.match(self._text, self._position, limit)
        if match is None:
            raise self._unreadable()
        number = int(match[0])
        if letter in "yY" and count <= 2 and len(match[0]) == 2 and match[0].isdecimal():
            number += 2000 if number < _CENTURY else 1900
        self._set(letter, number)
        self._position = match.end()

    def _set(self, letter: str, number: int) -> None:
        """The last of the fields that say the same counts, so order is kept."""
        self._values.pop(letter, None)
        self._values[letter] = number

    def _total(self) -> int:
        """Fields beyond their range carry over, as in Java's lenient reading."""
        values = self._values
        hour = 0
        for letter, number in values.items():
            if letter in "Hk":
                hour = 0 if letter == "k" and number == 24 else number
            elif letter in "hK":
                hour = (0 if letter == "h" and number == 12 else number) + 12 * values.get("a", 0)
        if "a" in values and not any(letter in "HkhK" for letter in values):
            hour = 12 * values["a"]
        minutes = values.get("m", 0) - values.get("zone", 0)
        seconds = self._start() + hour * 3600 + minutes * 60 + values.get("s", 0)
        return seconds * 1000 + values.get("S", 0)

    def _start(self) -> int:
        """The epoch second at which the day begins."""
        values = self._values
        fields = [letter for letter in values if letter in "dD"]
        is_of_year = bool(fields) and fields[-1] == "D"
        year, month = values.get("y", 1970), 1 if is_of_year else values.get("M", 1)
        year, month = divmod(year * 12 + month - 1, 12)
        if not 1 <= year <= 9999 or values.get("G") == 0:
            raise ExpressionError(Kind.UNSUPPORTED, "Dates outside the years 1 to 9999 aren't offered.")
        first = datetime(year, month + 1, 1)  # noqa: DTZ001 - read as UTC
        named = (values["E"] - first.weekday()) % 7 if "E" in values else 0
        days = values[fields[-1]] - 1 if fields else named
        return epoch_second(first) + days * 86_400


def _is_number(letter: str, count: int) -> bool:
    """A field of digits follows, so that the one before it must keep to its number of letters."""
    return bool(count) and letter not in "EaGzZX" and (letter not in "ML" or count <= 2)
