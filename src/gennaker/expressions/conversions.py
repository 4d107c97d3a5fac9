"""Conversions between values: to text, to booleans, to the types of a method's parameters, and back to JSON.

Two texts exist for a value, as in Java: `java_text` is its `toString()` (`[1, 2]`, `{x=1}`), `text` is what the
converter makes where text is wanted (`1,2`; a map can't be converted).
"""

import base64
import math
from collections.abc import Callable

from gennaker.expressions import clock_text
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
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
    RandomSource,
    Record,
    Status,
    Typed,
    Uuid,
    Value,
    double_text,
    entries,
    float_text,
    is_map,
    is_number,
    items_of,
    type_name,
)
from gennaker.model.codec import Json

EXACT, CLOSE, CONVERTED = 0, 1, 2
"""How well an argument suits a parameter; smaller is better."""

MAX_TEXT = 10_000_000
"""Characters that a single text may get by methods."""

MAX_PIECES = 1_000_000
"""Values and separators in a text; each costs as much as a hundred characters."""

_TRUE = frozenset({"true", "on", "yes", "1"})
_FALSE = frozenset({"false", "off", "no", "0"})
_WHOLE = {"int": (INT_MIN, INT_MAX), "long": (LONG_MIN, LONG_MAX), "byte": (-128, 127)}
_BOXES = {"int": "Integer", "long": "Long", "double": "Double", "float": "Float", "boolean": "Boolean"}
_BOXES |= {"char": "Character", "byte": "Byte"}
_PRIMITIVES = frozenset(_BOXES)


def java_text(value: Value) -> str:
    """Java's `String.valueOf`. Raises LIMIT where the text would be too long."""
    if isinstance(value, str):
        return value
    pieces: list[str] = []
    _write(value, pieces, 0)
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
    EnumValue: lambda value: value.name,
    Entry: lambda value: f"{java_text(value.key)}={java_text(value.value)}",
    Uuid: lambda value: clock_text.uuid_text(value.number),
    LocalDate: lambda value: value.day.isoformat(),
    LocalDateTime: clock_text.local_text,
    Instant: clock_text.instant_text,
    Date: clock_text.date_text,
    Typed: clock_text.type_text,
    Record: lambda value: f"{value.type_name}({value.label})",
    Array: lambda value: f"{value.component}[{len(value.items)}]",
}


def _object_text(value: Value) -> str:
    made = _OBJECT_TEXTS.get(type(value))
    return type_name(value) if made is None else made(value)


def text(value: Value) -> str | None:
    """The converter's text of a value; None of null. Raises CONVERSION for maps, dates, stages and the like."""
    if value is None or isinstance(value, str):
        return value
    if items_of(value) is None:
        return _text_of_one(value)
    pieces: list[str] = []
    _join(value, pieces, 0)
    return "".join(pieces)


def _text_of_one(value: Value) -> str:
    if not has_text(value):
        raise unconvertible(value, "String")
    return java_text(value)


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


def suits(kind: str, value: Value) -> int | None:
    """How well a value suits a parameter of a kind (a Java type's simple name); None: not at all."""
    if value is None:
        return None if kind in _PRIMITIVES else EXACT
    actual = type_name(value)
    if actual == kind:
        return EXACT
    if _BOXES.get(kind) == actual or _is_assignable(kind, value):
        return CLOSE
    return CONVERTED if _is_convertible(kind, value) else None


_ABOVE: dict[str, Callable[[Value], bool]] = {
    "Object": lambda value: True,
    "CharSequence": lambda value: isinstance(value, (str, Status)),
    "Collection": lambda value: isinstance(value, (list, Group)),
    "Iterable": lambda value: isinstance(value, (list, Group)),
    "List": lambda value: isinstance(value, list),
    "Map": is_map,
    "Number": is_number,
    "ChronoLocalDate": lambda value: isinstance(value, LocalDate),
    "ChronoLocalDateTime": lambda value: isinstance(value, LocalDateTime),
    "Temporal": lambda value: isinstance(value, (LocalDate, LocalDateTime, Instant)),
    "TemporalUnit": lambda value: isinstance(value, EnumValue) and value.type == "ChronoUnit",
}
"""Which values belong to the types above their own."""


def _is_assignable(kind: str, value: Value) -> bool:
    test = _ABOVE.get(kind)
    return test is not None and test(value)


def _is_convertible(kind: str, value: Value) -> bool:
    match kind:
        case "String":
            return has_text(value)
        case "int" | "long" | "double" | "float" | "byte" | "Integer" | "Long" | "Double" | "Number":
            return isinstance(value, (str, Char)) or is_number(value) or _is_listlike(value)
        case "boolean" | "Boolean":
            return isinstance(value, str) or _is_listlike(value)
        case "char":
            return isinstance(value, str) or is_number(value) or _is_listlike(value)
        case "List" | "Collection" | "Object[]" | "String[]" | "char[]":
            return True
        case "DayOfWeek" | "ChronoUnit" | "UUID" | "Date":
            return isinstance(value, str)
    return False


def _is_listlike(value: Value) -> bool:
    return isinstance(value, (list, Group, Array))


def convert(kind: str, value: Value) -> Value:
    """A value as a parameter of a kind; `suits` must have said that it can be tried."""
    if value is None:
        return None
    if kind in _WHOLE or kind in ("Integer", "Long"):
        return _whole(kind.lower() if kind != "Integer" else "int", value)
    match kind:
        case "String":
            return text(value)
        case "CharSequence":
            return java_text(value)
        case "double" | "Double" | "float":
            return _real(value)
        case "boolean" | "Boolean":
            return truth(value)
        case "char":
            return _character(value)
        case "Collection" | "List" | "Iterable" | "Object[]":
            return items_of(value) if _is_listlike(value) else [value]
        case "DayOfWeek" | "ChronoUnit":
            return value if isinstance(value, EnumValue) else clock_text.constant(kind, java_text(value))
    return value


def _first(value: Value) -> Value:
    items = items_of(value)
    if items is None:
        return value
    return items[0] if items else None


def _whole(kind: str, value: Value) -> int:
    value = _first(value)
    low, high = _WHOLE[kind]
    if isinstance(value, (str, Char)):
        number = parse_whole(java_text(value).strip(), f"the {kind} parameter", Kind.CONVERSION)
    elif isinstance(value, float):
        if not math.isfinite(value):
            return 0 if math.isnan(value) else (high if value > 0 else low)
        number = int(value)
    elif isinstance(value, int):
        number = int(value)
    else:
        raise unconvertible(value, kind)
    if not low <= number <= high:
        raise ExpressionError(Kind.CONVERSION, f"The number {number} is too large for {kind}.")
    return number


def _real(value: Value) -> float:
    value = _first(value)
    if isinstance(value, (str, Char)):
        return parse_real(java_text(value), Kind.CONVERSION)
    if isinstance(value, (int, float)):
        return as_double(value)
    raise unconvertible(value, "double")


def as_double(value: int | float) -> float:
    """A number as a double; whole numbers that are too large become infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _character(value: Value) -> str:
    value = _first(value)
    if isinstance(value, int):
        return chr(int(value) & 0xFFFF)
    found = java_text(value)
    if len(found) != 1:
        raise ExpressionError(Kind.CONVERSION, f"The text {found[:60]!r} isn't one character.")
    return found


def parse_whole(given: str, what: str, kind: Kind = Kind.JAVA_EXCEPTION, radix: int = 10) -> int:
    """Java's reading of whole numbers: an optional sign and digits, no spaces, no underscores."""
    digits = given[1:] if given[:1] in ("+", "-") else given
    if not digits or len(digits) > 400 or not all(character.isalnum() for character in digits):
        raise ExpressionError(kind, f"{given[:60]!r} isn't a whole number ({what}).")
    try:
        return int(given, radix)
    except ValueError as cause:
        raise ExpressionError(kind, f"{given[:60]!r} isn't a whole number ({what}).") from cause


def parse_real(given: str, kind: Kind = Kind.JAVA_EXCEPTION) -> float:
    """Java's reading of real numbers: surrounding spaces and the suffixes d and f are allowed."""
    word = given.strip()
    if word in ("NaN", "+NaN", "-NaN"):
        return math.nan
    if word.lstrip("+-") == "Infinity" and len(word) <= 9:
        return -math.inf if word[0] == "-" else math.inf
    if word[-1:] in ("d", "D", "f", "F"):
        word = word[:-1]
    if not word or len(word) > 400 or "_" in word or not (word[-1].isdigit() or word[-1] == ".") or "n" in word.lower():
        raise ExpressionError(kind, f"{given[:60]!r} isn't a number.")
    try:
        return float(word)
    except ValueError as cause:
        raise ExpressionError(kind, f"{given[:60]!r} isn't a number.") from cause


MAX_RESULT = 2_000_000
"""Values in one result: a list that holds the same list many times is small but writes out large."""


def to_json(value: Value) -> Json:
    """A result as JSON: what Spinnaker's JSON of the same Java value is. Raises LIMIT or CONVERSION."""
    return _Writer().json(value)


class _Writer:
    """The JSON of one result, with its size."""

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count = 0

    def json(self, value: Value) -> Json:
        self._count += 1
        if self._count > MAX_RESULT:
            raise ExpressionError(Kind.LIMIT, f"The result has more than {MAX_RESULT:,} values.")
        match value:
            case None | bool() | str():
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
                return {java_text(key): self.json(item) for key, item in entries(value).items()}
        return self._holder(value)

    def _holder(self, value: Value) -> Json:
        match value:
            case Array():
                return self._array(value)
            case Entry():
                return {java_text(value.key): self.json(value.value)}
            case NotEvaluable():
                return {"expression": self.json(value.expression)}
        return _object_json(value)

    def _array(self, value: Array) -> Json:
        if value.component == "byte":
            return base64.b64encode(bytes(int(item) & 0xFF for item in value.items if isinstance(item, int))).decode()
        if value.component == "char":
            return "".join(java_text(item) for item in value.items)
        return [self.json(item) for item in value.items]


def _object_json(value: Value) -> Json:
    match value:
        case LocalDate() | LocalDateTime():
            return clock_text.fields(value)
        case Instant():
            return value.second * 1000 + value.nanosecond // 1_000_000
        case Date():
            return value.milliseconds
        case Typed():
            return clock_text.class_name(value)
        case Record():
            return value.raw
    if isinstance(value, (DateFormat, RandomSource)):
        raise ExpressionError(Kind.CONVERSION, f"A value of type {type_name(value)} can't be a result.")
    return java_text(value)
