"""SimpleDateFormat's patterns: printing and reading dates; the zone is UTC, the language English."""

import re
from datetime import datetime
from itertools import groupby

from gennaker.expressions.clock_text import DAYS, MONTHS, epoch_second, moment
from gennaker.expressions.failures import ExpressionError, Kind

_LETTERS = "GyYMLwWDdFEuaHkKhmsSzZX"
_READABLE = "yMdDHkKhmsSaEzZX"


def _pieces(pattern: str) -> list[tuple[str, int]]:
    """(letter, count) of fields, (literal text, 0) of all else. Raises JAVA_EXCEPTION."""
    found: list[tuple[str, int]] = []
    for part in re.findall(r"'(?:[^']|'')*'?|[a-zA-Z]+|[^a-zA-Z']+", pattern):
        if part.startswith("'"):
            if len(part) < 2 or not part.endswith("'"):
                raise _bad(f"The date pattern {pattern[:60]!r} has a quote without end.")
            found.append((part[1:-1].replace("''", "'") or "'", 0))
        elif part[0].isalpha():
            found += [(letter, len(list(run))) for letter, run in groupby(part)]
        else:
            found.append((part, 0))
    for letter, count in found:
        if count and letter not in _LETTERS:
            raise _bad(f"The date pattern has the unknown letter {letter}.")
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
        year = at.year if letter == "y" else at.isocalendar()[0]
        return f"{year % 100:02d}" if count == 2 else str(year).rjust(count, "0")
    words = {"G": "AD", "a": "AM" if at.hour < 12 else "PM", "z": "UTC" if count < 4 else "Coordinated Universal Time"}
    words |= {"Z": "+0000", "X": "Z"}
    if letter in words:
        return words[letter]
    numbers = {
        "w": at.isocalendar()[1],
        "W": (at.day + 5 - at.weekday()) // 7 + 1,
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


def read(pattern: str, text: str) -> int:
    """Epoch milliseconds of the date at the beginning of a text; what follows it is ignored, as in Java."""
    return _Reading(pattern, text).milliseconds()


_ZONE = re.compile(r"Z|UTC|GMT|([+-])(\d\d):?(\d\d)?")
_NAMES = {"M": MONTHS, "E": tuple(day.title() for day in DAYS), "a": ("AM", "PM")}


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
            elif letter in "zZX":
                self._zone()
            elif letter in "Ea" or (letter == "M" and count >= 3):
                self._name(letter)
            else:
                follows_number = index + 1 < len(pieces) and pieces[index + 1][1] > 0
                self._number(letter, count, is_fixed=follows_number)
        return self._total()

    def _unreadable(self) -> ExpressionError:
        return _bad(f"The date {self._text[:60]!r} doesn't fit the pattern {self._pattern[:60]!r}.")

    def _zone(self) -> None:
        match = _ZONE.match(self._text, self._position)
        if match is None:
            raise self._unreadable()
        if match[1]:
            minutes = int(match[2]) * 60 + int(match[3] or 0)
            self._values["zone"] = minutes if match[1] == "+" else -minutes
        self._position = match.end()

    def _name(self, letter: str) -> None:
        for number, name in enumerate(_NAMES[letter]):
            for form in (name, name[:3]):
                if self._text[self._position : self._position + len(form)].lower() == form.lower():
                    self._values[letter] = number + (letter == "M")
                    self._position += len(form)
                    return
        raise self._unreadable()

    def _number(self, letter: str, count: int, *, is_fixed: bool) -> None:
        match = re.compile(rf"[0-9]{{{count}}}" if is_fixed else "[0-9]{1,9}").match(self._text, self._position)
        if match is None:
            raise self._unreadable()
        number = int(match[0])
        if letter == "y" and count == len(match[0]) == 2:
            number += 2000 if number < 50 else 1900
        self._values[letter] = number
        self._position = match.end()

    def _total(self) -> int:
        """Fields beyond their range carry over, as in Java's lenient reading."""
        values = self._values
        year, month = divmod(values.get("y", 1970) * 12 + values.get("M", 1) - 1, 12)
        if not 1 <= year <= 9999:
            raise self._unreadable()
        days = values["D"] - 1 if "D" in values else values.get("d", 1) - 1
        hour = values.get("H", values.get("k", 0) % 24)
        if "h" in values or "K" in values:
            hour = values.get("h", values.get("K", 0)) % 12 + 12 * values.get("a", 0)
        start = epoch_second(datetime(year, 1 if "D" in values else month + 1, 1))  # noqa: DTZ001 - read as UTC
        minutes = values.get("m", 0) - values.get("zone", 0)
        seconds = start + days * 86_400 + hour * 3600 + minutes * 60 + values.get("s", 0)
        return seconds * 1000 + values.get("S", 0)
