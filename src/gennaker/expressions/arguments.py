"""Arguments of methods: how well a value suits a parameter, and its conversion to it.

A parameter's type is named by its simple Java name (`int`, `CharSequence`, `String[]`). Whether a value suits depends
on its type only, as with Spring's conversion service; the conversion itself may still fail on the value.
"""

import math
from collections.abc import Callable

from gennaker.expressions import clock_text
from gennaker.expressions.conversions import as_double, java_text, text, truth, unconvertible
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.number_text import parse_real, parse_whole
from gennaker.expressions.operators import cut
from gennaker.expressions.values import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    Array,
    BigInteger,
    Byte,
    Char,
    Date,
    EnumValue,
    Float,
    Group,
    Instant,
    LocalDate,
    LocalDateTime,
    Long,
    Short,
    Status,
    Value,
    is_map,
    is_number,
    items_of,
    type_name,
)

EXACT, CLOSE, CONVERTED = 0, 1, 2
"""How well an argument suits a parameter; smaller is better."""

_WHOLE = {
    "int": (INT_MIN, INT_MAX),
    "long": (LONG_MIN, LONG_MAX),
    "byte": (-128, 127),
    "short": (-32_768, 32_767),
}
BOXES = {
    "int": "Integer",
    "long": "Long",
    "double": "Double",
    "float": "Float",
    "boolean": "Boolean",
    "char": "Character",
    "byte": "Byte",
    "short": "Short",
}
_PRIMITIVES = {box: name for name, box in BOXES.items()}
_NUMBERS = frozenset({"Integer", "Long", "Double", "Float", "Byte", "Short", "BigInteger", "Number"})
_COLLECTIONS = frozenset({"Collection", "List", "Set"})
_ENUMS = frozenset({"DayOfWeek", "ChronoUnit", "ExecutionStatus", "Month", "TextStyle"})
_NAMED_BY_TEXT = frozenset({"UUID", "Date", "Charset", "Locale", "TimeZone", "ZoneId", "ZoneOffset", "StringBuffer"})
"""Types that Spring's converters make of text."""


def suits(kind: str, value: Value) -> int | None:
    """How well a value suits a parameter of a kind; None: not at all."""
    if value is None:
        return None if kind in BOXES else EXACT
    actual = type_name(value)
    if actual == kind:
        return EXACT
    if BOXES.get(kind) == actual or _is_assignable(kind, value):
        return CLOSE
    return CONVERTED if _is_convertible(kind, value, actual) else None


_ABOVE: dict[str, Callable[[Value], bool]] = {
    "Object": lambda value: True,
    "CharSequence": lambda value: isinstance(value, (str, Status)),
    "Collection": lambda value: isinstance(value, (list, Group)),
    "Iterable": lambda value: isinstance(value, (list, Group)),
    "List": lambda value: isinstance(value, list),
    "Set": lambda value: isinstance(value, Group) and value.kind == "Set",
    "Map": is_map,
    "Number": is_number,
    "Enum": lambda value: isinstance(value, (EnumValue, Status)),
    "ChronoLocalDate": lambda value: isinstance(value, LocalDate),
    "ChronoLocalDateTime": lambda value: isinstance(value, LocalDateTime),
    "Temporal": lambda value: isinstance(value, (LocalDate, LocalDateTime, Instant)),
    "TemporalAccessor": lambda value: isinstance(value, (LocalDate, LocalDateTime, Instant)) or _is_day(value),
    "TemporalAdjuster": lambda value: isinstance(value, (LocalDate, LocalDateTime, Instant)) or _is_day(value),
    "TemporalUnit": lambda value: isinstance(value, EnumValue) and value.type == "ChronoUnit",
    "Object[]": lambda value: isinstance(value, Array) and value.component not in BOXES,
}
"""Which values belong to the types above their own."""


def _is_day(value: Value) -> bool:
    return isinstance(value, EnumValue) and value.type == "DayOfWeek"


def _is_assignable(kind: str, value: Value) -> bool:
    test = _ABOVE.get(kind)
    return test is not None and test(value)


def _is_convertible(kind: str, value: Value, actual: str) -> bool:
    if isinstance(value, Array):
        return _holds_convertible(kind, value.component)
    if isinstance(value, (list, Group)):
        return True  # by its first element, whose type isn't known from the collection's
    if kind.endswith("[]"):
        return _can_be_item(kind[:-2], value, actual)
    if kind in _COLLECTIONS:
        return True
    return _is_one_convertible(kind, actual)


def _holds_convertible(kind: str, component: str) -> bool:
    """An array can become the kind: a collection, an array, or what its first element can become."""
    if kind in _COLLECTIONS:
        return True
    wanted = kind.removesuffix("[]") if kind.endswith("[]") else kind
    own, boxed = BOXES.get(component, component), BOXES.get(wanted, wanted)
    return own == boxed or (wanted == "CharSequence" and own == "String") or _is_one_convertible(wanted, own)


def _can_be_item(kind: str, value: Value, actual: str) -> bool:
    return BOXES.get(kind, kind) == actual or _is_assignable(kind, value) or _is_one_convertible(kind, actual)


def _is_one_convertible(kind: str, actual: str) -> bool:
    """Of a single value's type, as Spring's default converters go."""
    boxed = BOXES.get(kind, kind)
    if actual == "String":
        return boxed in _NUMBERS or boxed in ("Character", "Boolean") or boxed in _ENUMS or boxed in _NAMED_BY_TEXT
    if boxed == "String":
        return actual in _NUMBERS or actual in _ENUMS or actual in ("Boolean", "Character", "UUID", "Date", "Random")
    if actual in _NUMBERS:
        return boxed in _NUMBERS or boxed == "Character" or (actual == "Integer" and boxed in _ENUMS)
    if actual == "Character":
        return boxed in _NUMBERS
    if actual in _ENUMS:
        return boxed == "Integer"
    return (actual, boxed) in (("Date", "Instant"), ("Instant", "Date"), ("LocalDateTime", "LocalDate"))


_SUPERCLASSES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_NUMBERS, ("Number", "Object")),
    **dict.fromkeys(_ENUMS, ("Enum", "Object")),
    "ArrayList": ("AbstractList", "AbstractCollection", "Object"),
    "LinkedHashMap": ("HashMap", "AbstractMap", "Object"),
    "HashMap": ("AbstractMap", "Object"),
}
_INTERFACES = frozenset(_ABOVE) - {"Object", "Number", "Enum", "Object[]"}
_IMPLEMENTED = {
    "AbstractList": ("List", "Collection", "Iterable"),
    "AbstractCollection": ("Collection", "Iterable"),
    "HashMap": ("Map",),
    "AbstractMap": ("Map",),
}


def distance(kind: str, value: Value) -> int:
    """How far a parameter's type is above the argument's, as Spring counts it; only close ones are compared."""
    if value is None:
        return 0
    target = "Object" if kind in BOXES else kind
    total = 0
    for above in _SUPERCLASSES.get(type_name(value), ("Object",)):
        if above == target:
            total += 2
            break
        if target != "Object" and target not in _IMPLEMENTED.get(above, ()):
            break
        total += 2
    return total + (target in _INTERFACES)


def convert(kind: str, value: Value) -> Value:
    """A value as a parameter of a kind; `suits` must have said that it can be tried."""
    if value is None or kind in ("Object", "Number") or _is_assignable(kind, value) or type_name(value) == kind:
        return _as_held(kind, value)
    if kind in _COLLECTIONS:
        return _collection(value)
    if kind.endswith("[]"):
        component = kind.removesuffix("[]")
        wanted = "Character" if component == "char" else component
        return Array(component, [_required(component, convert(wanted, item)) for item in _collection(value)])
    if kind == "String":
        return text(value)
    items = items_of(value)
    if items is not None:
        return _required(kind, convert(kind, items[0]) if items else None)
    return _as_held(kind, _required(kind, _one(kind, value)))


def _as_held(kind: str, value: Value) -> Value:
    """A value that is what the parameter wants, in the form that the code of methods takes."""
    if kind == "CharSequence" and value is not None:
        return java_text(value)
    return value.text if kind == "char" and isinstance(value, Char) else value


def _required(kind: str, value: Value) -> Value:
    if value is None and kind in BOXES:
        raise ExpressionError(Kind.CONVERSION, f"There is no {kind} in an empty value.")
    return value


def _collection(value: Value) -> list[Value]:
    items = items_of(value)
    if items is not None:
        return items
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")] if value else []
    return [value]


def _one(kind: str, value: Value) -> Value:
    boxed = BOXES.get(kind, kind)
    if boxed in ("Double", "Float"):
        return _real(boxed, value)
    if boxed == "BigInteger" and is_number(value):
        return BigInteger(cut(value, 64) if isinstance(value, float) else value)  # type: ignore[call-overload]  # whole
    if boxed in _NUMBERS:
        return _whole(_PRIMITIVES.get(boxed, "int"), value)
    match boxed:
        case "Boolean":
            return truth(value)
        case "Character":
            return _character(value)
        case "DayOfWeek" | "ChronoUnit" | "ExecutionStatus" | "Month" | "TextStyle":
            return _enum(boxed, value)
        case "UUID" if isinstance(value, str):
            return clock_text.uuid_of(value)
        case "Charset" | "Locale" | "ZoneId" | "ZoneOffset" if isinstance(value, str):
            if boxed == "Locale" and not all(letter.isalnum() or letter in " _-#" for letter in value):
                raise ExpressionError(Kind.CONVERSION, f"The text {value[:60]!r} names no locale.")
            return value or None
    return _moment(kind, value)


def _moment(kind: str, value: Value) -> Value:
    match kind, value:
        case "Instant", Date():
            return Instant(value.milliseconds // 1000, value.milliseconds % 1000 * 1_000_000)
        case "Date", Instant():
            return Date(value.second * 1000 + value.nanosecond // 1_000_000)
        case "LocalDate", LocalDateTime():
            return LocalDate(value.at.date())
    raise unconvertible(value, kind)


def _enum(kind: str, value: Value) -> Value:
    if isinstance(value, int):
        names = clock_text.CONSTANTS.get(kind, ())
        if not 0 <= value < len(names):
            raise ExpressionError(Kind.CONVERSION, f"{kind} has no constant number {value}.")
        return EnumValue(kind, names[value], int(value))
    return clock_text.constant(kind, java_text(value).strip())


def _number_in(value: Value, kind: str) -> int | float | None:
    """The number that a text, character, enum or number stands for; None of empty text."""
    if isinstance(value, str):
        word = "".join(value.split()) if value.isascii() else _without_whitespace(value)
        if not word:
            return None
        if kind in ("Double", "Float"):
            return parse_real(word, Kind.CONVERSION)
        sign, digits = ("-", word[1:]) if word[0] == "-" else ("", word)
        for prefix in ("0x", "0X", "#"):
            if digits.startswith(prefix):
                return parse_whole(sign + digits.removeprefix(prefix), kind, Kind.CONVERSION, radix=16)
        return parse_whole(word, f"the {kind} parameter", Kind.CONVERSION)
    if isinstance(value, Char):
        return ord(value.text)
    if isinstance(value, EnumValue):
        return value.ordinal
    if isinstance(value, Status):
        return clock_text.STATUSES.index(value.name) if value.name in clock_text.STATUSES else 0
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise unconvertible(value, kind)


def _without_whitespace(value: str) -> str:
    """Without what is whitespace to Java, which spaces that don't break aren't."""
    return "".join(character for character in value if character in "\xa0\u2007\u202f" or not character.isspace())


def _whole(kind: str, value: Value) -> int | None:
    number = _number_in(value, kind)
    if number is None:
        return None
    low, high = _WHOLE[kind]
    if isinstance(number, float):
        if math.isnan(number):
            return 0
        number = max(min(int(max(min(number, 1e19), -1e19)), LONG_MAX), LONG_MIN)
    if not low <= number <= high:
        raise ExpressionError(Kind.CONVERSION, f"The number {number} is too large for {kind}.")
    made = int(number)
    return Long(made) if kind == "long" else Byte(made) if kind == "byte" else Short(made) if kind == "short" else made


def _real(kind: str, value: Value) -> float | None:
    number = _number_in(value, kind)
    if number is None:
        return None
    return Float.of(as_double(number)) if kind == "Float" else as_double(number)


def _character(value: Value) -> Char | None:
    if is_number(value):
        assert isinstance(value, (int, float))
        number = _whole("long", value if not isinstance(value, BigInteger) else int(value) & LONG_MAX)
        return Char(chr((number or 0) & 0xFFFF))
    found = java_text(value)
    if len(found) > 1:
        raise ExpressionError(Kind.CONVERSION, f"The text {found[:60]!r} isn't one character.")
    return Char(found) if found else None
