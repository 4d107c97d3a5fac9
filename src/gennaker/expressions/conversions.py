"""Conversions of values: to text, to booleans, and back to JSON.

Two texts exist for a value, as in Java: `java_text` is its `toString()` (`[1, 2]`, `{x=1}`), `text` is what the
converter makes where text is wanted (`1,2`; a map can't be converted).
"""

import base64
import math
from collections.abc import Callable

from gennaker.expressions import clock_text, work
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.number_text import double_text, float_text
from gennaker.expressions.values import (
    Array,
    Char,
    Date,
    DateFormat,
    Entry,
    EnumValue,
    Float,
    Group,
    Instant,
    LocalDate,
    LocalDateTime,
    LookupMap,
    NotEvaluable,
    Objects,
    RandomSource,
    Record,
    Status,
    Typed,
    Uuid,
    Value,
    entries,
    is_map,
    items_of,
    type_name,
)
from gennaker.model.codec import Json

MAX_TEXT = 10_000_000
"""Characters that a single text may get by methods."""

MAX_PIECES = 1_000_000
"""Values and separators in a text; each costs as much as a hundred characters."""

_TRUE = frozenset({"true", "on", "yes", "1"})
_FALSE = frozenset({"false", "off", "no", "0"})


def java_text(value: Value) -> str:
    """Java's `String.valueOf`. Raises LIMIT where the text would be too long."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)  # what there is most of, without the list
    pieces: list[str] = []
    _write(value, pieces, 0)
    if len(pieces) > 1:
        work.spend(len(pieces))
    return "".join(pieces)


def _write(value: Value, pieces: list[str], length: int) -> int:
    """Adds the text of a value to the pieces; takes and gives the length so far."""
    match value:
        case list() | Group():
            pieces.append("[")
            for index, item in enumerate(items_of(value) or ()):
                pieces.append(", " if index else "")
                length = _write(item, pieces, length + 2)
            pieces.append("]")
        case dict() | LookupMap():
            pieces.append("{")
            for index, (key, item) in enumerate(entries(value).items()):
                pieces.append(", " if index else "")
                length = _write(key, pieces, length + 2)
                pieces.append("=")
                length = _write(item, pieces, length + 1)
            pieces.append("}")
        case _:
            piece = _simple_text(value)
            pieces.append(piece)
            length += len(piece)
    return _checked(length, pieces)


def _simple_text(value: Value) -> str:
    match value:
        case None:
            return "null"
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Float():
            return float_text(value)
        case float():
            return double_text(value)
        case int():
            return str(int(value))
        case _:
            return _object_text(value)


def _checked(length: int, pieces: list[str]) -> int:
    if length > MAX_TEXT or len(pieces) > MAX_PIECES:
        raise ExpressionError(
            Kind.LIMIT, f"The text would have more than {MAX_TEXT:,} characters or {MAX_PIECES:,} parts."
        )
    return length


_OBJECT_TEXTS: dict[type, Callable[..., str]] = {
    Char: lambda value: value.text,
    Status: lambda value: value.name,
    EnumValue: clock_text.unit_text,
    Entry: lambda value: f"{java_text(value.key)}={java_text(value.value)}",
    Uuid: lambda value: clock_text.uuid_text(value.number),
    LocalDate: lambda value: value.day.isoformat(),
    LocalDateTime: clock_text.local_text,
    Instant: clock_text.instant_text,
    Date: clock_text.date_text,
    Typed: clock_text.type_text,
    Record: lambda value: value.text(),
    Array: lambda value: f"{value.component}[{len(value.items)}]",
}


def _object_text(value: Value) -> str:
    made = _OBJECT_TEXTS.get(type(value))
    return type_name(value) if made is None else made(value)


def text(value: Value) -> str | None:
    """The converter's text of a value; None of null. Raises CONVERSION for maps, dates, stages and the like."""
    if value is None or isinstance(value, str):
        return value
    if items_of(value) is None or type(value) is Objects:
        return _text_of_one(value)
    pieces: list[str] = []
    _join(value, pieces, 0)
    work.spend(len(pieces))
    return "".join(pieces)


def _text_of_one(value: Value) -> str:
    if not has_text(value):
        raise unconvertible(value, "String")
    return value.name if isinstance(value, EnumValue) else java_text(value)


def _join(value: Value, pieces: list[str], length: int) -> int:
    """Adds the elements of a list, of lists in lists too, with commas between them."""
    items = items_of(value)
    if items is None:
        pieces.append("null" if value is None else _text_of_one(value))
        return _checked(length + len(pieces[-1]), pieces)
    for index, item in enumerate(items):
        pieces.append("," if index else "")
        length = _join(item, pieces, length + 1)
    return length


def has_text(value: Value) -> bool:
    """The converter can make text of a value."""
    if type(value) is Objects:
        return False
    if isinstance(value, Record):
        return value.type_name == "DefaultTrigger"  # which can also be made of text
    return isinstance(value, (str, bool, int, float, Char, Status, EnumValue, Uuid, Date, list, Group, Array))


def unconvertible(value: Value, wanted: str) -> ExpressionError:
    """The failure for a value of a type that can't become another."""
    hint = " Pick an entry of it, or write .toString()." if is_map(value) and wanted == "String" else ""
    return ExpressionError(Kind.CONVERSION, f"A value of type {type_name(value)} can't be made {wanted}.{hint}")


def truth(value: Value) -> bool:
    """A value where true or false is wanted: booleans, a few words, and lists by their first element."""
    if isinstance(value, bool):
        return value
    items = items_of(value)
    if items:
        return truth(items[0])
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ExpressionError(Kind.CONVERSION, f"The text {value[:60]!r} is neither true nor false.")
    if value is None:
        raise ExpressionError(Kind.CONVERSION, "Null is neither true nor false.")
    raise unconvertible(value, "Boolean")


def as_double(value: int | float) -> float:
    """A number as a double; whole numbers that are too large become infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


MAX_RESULT = 2_000_000
"""Values in one result: a list that holds the same list many times is small but writes out large."""
_CHARACTERS = 64
"""Of text that count as one value."""


class Budget:
    """How many values results may still have; longer text counts for several."""

    __slots__ = ("_most", "left")

    def __init__(self, most: int = MAX_RESULT) -> None:
        """All of it is left."""
        self._most = most
        self.left = most

    def charge(self, value: Json) -> None:
        """Takes one value from the budget, without what is in it. Raises LIMIT."""
        self.left -= 1 + len(value) // _CHARACTERS if isinstance(value, str) else 1
        if self.left < 0:
            self.left = 0
            raise ExpressionError(Kind.LIMIT, f"Results may have {self._most:,} values, which they exceed.")

    def charge_all(self, value: Json) -> None:
        """Takes JSON with all that is in it from the budget. Raises LIMIT as soon as it is exceeded."""
        waiting = [value]
        while waiting:
            current = waiting.pop()
            self.charge(current)
            if isinstance(current, dict):
                waiting.extend(current.values())
            elif isinstance(current, list):
                waiting.extend(current)


def to_json(value: Value, *, is_bean: bool = False, budget: Budget | None = None) -> Json:
    """A result as JSON: what Spinnaker's JSON of the same Java value is, or `#toJson`'s. Raises LIMIT or CONVERSION."""
    kind = type(value)
    if kind is int or kind is bool:
        return value  # type: ignore[return-value]  # as it is
    if kind is str and len(value) < _CHARACTERS and value.isascii():  # type: ignore[arg-type, attr-defined]  # it is text
        return value  # type: ignore[return-value]  # as it is
    return _Writer(budget or Budget(), is_bean=is_bean).json(value)


def whole_characters(text: str) -> str:
    """The text without lone halves of characters beyond U+FFFF: Java writes them as question marks."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\ufffd", "?")


class _Writer:
    """The JSON of one result, with its size."""

    __slots__ = ("_budget", "_is_bean")

    def __init__(self, budget: Budget, *, is_bean: bool) -> None:
        self._budget = budget
        self._is_bean = is_bean

    def json(self, value: Value) -> Json:
        self._budget.charge(value if isinstance(value, str) else None)
        if type(value) is int:
            return value
        match value:
            case str():
                return value if value.isascii() else whole_characters(value)
            case None | bool():
                return value
            case Float():
                return float(float_text(value)) if math.isfinite(value) else double_text(value)
            case float():
                return value if math.isfinite(value) else double_text(value)
            case int():
                return int(value)
            case list() | Group():
                return [self.json(item) for item in items_of(value) or ()]
            case dict() | LookupMap():
                return {self._key(key): self.json(item) for key, item in entries(value).items()}
        return self._holder(value)

    def _key(self, key: Value) -> str:
        if key is None and self._is_bean:
            raise ExpressionError(Kind.CONVERSION, "A map with the key null can't be written as JSON.")
        return whole_characters(_key_text(key))

    def _holder(self, value: Value) -> Json:
        match value:
            case Record():
                made = value.bean() if self._is_bean else value.raw
                self._budget.charge_all(made)
                return made
            case Array():
                return self._array(value)
            case Entry():
                return {self._key(value.key): self.json(value.value)}
            case NotEvaluable():
                return {"expression": self.json(value.expression)}
            case Instant() | LocalDate() | LocalDateTime() if self._is_bean:
                message = "#toJson can't write days, times and instants. Add .toString()."
                raise ExpressionError(Kind.CONVERSION, message)
        return _object_json(value)

    def _array(self, value: Array) -> Json:
        if value.component == "byte":
            return base64.b64encode(bytes(int(item) & 0xFF for item in value.items if isinstance(item, int))).decode()
        if value.component == "char":
            return whole_characters("".join(java_text(item) for item in value.items))
        return [self.json(item) for item in value.items]


def _key_text(key: Value) -> str:
    """What Jackson writes for a key: enums by their constant, types without `class`, dates in full."""
    if type(key) is str:
        return key
    if isinstance(key, Date):
        return clock_text.iso_date_text(key)
    return str(_object_json(key)) if isinstance(key, (EnumValue, Typed)) else java_text(key)


def _object_json(value: Value) -> Json:
    match value:
        case LocalDate() | LocalDateTime():
            return clock_text.fields(value)
        case Instant():
            return value.second * 1000 + value.nanosecond // 1_000_000
        case Date():
            return value.milliseconds
        case EnumValue():
            return value.name
        case Typed():
            return clock_text.class_name(value)
    if isinstance(value, (DateFormat, RandomSource)):
        raise ExpressionError(Kind.CONVERSION, f"A value of type {type_name(value)} can't be a result.")
    return whole_characters(java_text(value))
