"""Values of an expression: JSON, plus the few types that Java has and JSON hasn't.

Null, booleans, text, lists (`list`) and maps (`dict`, keys in order) are Python's own. Numbers: an `int` is an
Integer, or a Long or BigInteger where it is too large for that, as a JSON reader in Java would have made it; `Long`,
`BigInteger` and `Byte` mark whole numbers whose type their size doesn't tell; a `float` is a Double, `Float` one of
32 bits. Everything else is a class of this room. Nothing here is ever changed in place, and no attribute of a value
is reached by name: what an expression can read is listed in the tables of methods and properties.
"""

import math
from collections.abc import Callable, Iterable
from datetime import date, datetime
from enum import Enum
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

from gennaker.expressions import work
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.number_text import single
from gennaker.model.codec import JsonObject

Value: TypeAlias = object

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1


class Missing(Enum):
    """The one value that says that a key doesn't exist (null is a value)."""

    MISSING = "missing"


MISSING = Missing.MISSING


class Long(int):
    """A 64-bit whole number."""

    __slots__ = ()


class BigInteger(int):
    """A whole number of any size."""

    __slots__ = ()


class Byte(int):
    """An 8-bit whole number."""

    __slots__ = ()


class Short(int):
    """A 16-bit whole number."""

    __slots__ = ()


class Float(float):
    """A 32-bit real number, held as the double of the same value."""

    __slots__ = ()

    @classmethod
    def of(cls, value: float) -> "Float":
        """The nearest 32-bit number."""
        return cls(single(value))


class Char(msgspec.Struct, frozen=True):
    """A character; not text: `'a'.charAt(0) == 'a'` is false."""

    text: str


class Array(msgspec.Struct, frozen=True):
    """A Java array: has `length`, no methods."""

    component: str
    """Simple name of the items' type, e.g. `String`, `int`, `int[]`."""
    items: list[Value]


class Group(msgspec.Struct, frozen=True):
    """A collection that isn't a list: `keySet()`, `values()`."""

    kind: str
    """`Set` or `Collection`."""
    items: list[Value]


class Objects(list[Value]):
    """A list of which Java knows that its elements are objects without text: it has none itself, even when empty."""

    __slots__ = ()


class Entry(msgspec.Struct, frozen=True):
    """An entry of a map, as selections and projections of maps see it."""

    key: Value
    value: Value


class Status(msgspec.Struct, frozen=True):
    """An execution status: an enum that is also text-like."""

    name: str


class Typed(msgspec.Struct, frozen=True):
    """A type itself: `T(String)`."""

    name: str
    """Simple name, e.g. `String`, `LocalDate`, `int`."""
    dimensions: int = 0


class LocalDate(msgspec.Struct, frozen=True):
    """A day without zone."""

    day: date


class LocalDateTime(msgspec.Struct, frozen=True):
    """A day and time without zone, to the nanosecond."""

    at: datetime
    nanosecond: int = 0
    """Of the second; `at` holds whole seconds."""


class Instant(msgspec.Struct, frozen=True):
    """A point in time."""

    second: int
    nanosecond: int = 0


class Date(msgspec.Struct, frozen=True):
    """java.util.Date: epoch milliseconds."""

    milliseconds: int


class EnumValue(msgspec.Struct, frozen=True):
    """A constant of DayOfWeek or ChronoUnit."""

    type: str
    name: str
    ordinal: int


class Uuid(msgspec.Struct, frozen=True):
    """128 bits."""

    number: int


class DateFormat(msgspec.Struct, frozen=True):
    """A SimpleDateFormat."""

    pattern: str


class RandomSource:
    """A java.util.Random: what it gives next is in its state alone."""

    __slots__ = ("spare", "state")

    def __init__(self, seed: int) -> None:
        self.state = (seed ^ 0x5DEECE66D) & (2**48 - 1)
        self.spare: float | None = None
        """The second of two normally distributed numbers, which are made together."""


class NotEvaluable(msgspec.Struct, frozen=True):
    """What `#doNotEval` gives."""

    expression: Value


class Names(Protocol):
    """Keys of a stage's context, falling back to the outputs of ancestors."""

    def get(self, key: str) -> Value:
        """The value of a key, own or inherited, or MISSING."""
        ...

    def own_keys(self) -> Iterable[str]:
        """The keys that the context has itself."""
        ...


@runtime_checkable
class Inheriting(Protocol):
    """Names that can also give all values of a key, and all keys."""

    def all_keys(self) -> Iterable[str]:
        """Own keys and those of ancestors' outputs."""
        ...

    def all_of(self, key: str) -> list[Value]:
        """Own value first, then those of ancestors."""
        ...


class LookupMap:
    """A map whose reads may see more than its own keys; extra entries win."""

    __slots__ = ("extras", "names")

    def __init__(self, names: Names, extras: dict[str, Value]) -> None:
        """`extras` are entries that hide those of `names`."""
        self.names = names
        self.extras = extras

    def get(self, key: Value) -> Value:
        """The value of a key or MISSING."""
        if not isinstance(key, str):
            return MISSING
        found = self.extras.get(key, MISSING)
        return self.names.get(key) if found is MISSING else found

    def entries(self) -> dict[Value, Value]:
        """The own entries as a plain map."""
        own: dict[Value, Value] = {key: self.names.get(key) for key in self.names.own_keys()}
        own.update(self.extras)
        return own

    def __eq__(self, other: object) -> bool:
        """By content, as Java's maps."""
        return isinstance(other, (dict, LookupMap)) and equal(self, other)

    def __hash__(self) -> int:
        """By identity; never a key."""
        return id(self)


class PlainNames:
    """Names over a plain map: a root without execution."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, Value]) -> None:
        """The map isn't copied."""
        self._values = values

    def get(self, key: str) -> Value:
        """The value of a key or MISSING."""
        return self._values.get(key, MISSING)

    def own_keys(self) -> Iterable[str]:
        """All keys."""
        return self._values.keys()


class Record:
    """An object of the execution: its readable properties, blocked ones and methods; equal by identity."""

    __slots__ = ("_label", "_raw", "bean", "blocked", "methods", "properties", "type_name")

    def __init__(  # noqa: PLR0913 - the parts of an object; the last three are optional
        self,
        type_name: str,
        label: str | Callable[[], str],
        raw: JsonObject | Callable[[], JsonObject],
        properties: dict[str, Callable[[], Value]],
        *,
        blocked: frozenset[str] = frozenset(),
        methods: dict[str, Callable[..., Value]] | None = None,
        bean: Callable[[], JsonObject] | None = None,
    ) -> None:
        """`label` is its text, `raw` its JSON form, `bean` that of `#toJson`; properties are computed when read; `blocked` may not be."""
        self.type_name = type_name
        self._label = label
        self._raw = raw
        self.properties = properties
        self.blocked = blocked
        self.methods = methods or {}
        self.bean = bean or self._plain

    def text(self) -> str:
        """Its `toString()`."""
        return (self._label() if callable(self._label) else self._label) or self.type_name

    @property
    def raw(self) -> JsonObject:
        """Its JSON form."""
        return self._raw() if callable(self._raw) else self._raw

    def _plain(self) -> JsonObject:
        return self.raw


def is_number(value: Value) -> bool:
    """A Java Number (booleans aren't)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_map(value: Value) -> bool:
    """A java.util.Map."""
    return isinstance(value, (dict, LookupMap))


def entries(value: Value) -> dict[Value, Value]:
    """The entries of a map of either form."""
    if isinstance(value, LookupMap):
        return value.entries()
    assert isinstance(value, dict)
    return value


def items_of(value: Value) -> list[Value] | None:
    """The items of a list, array, set or collection; None for anything else."""
    if isinstance(value, list):
        return value
    return value.items if isinstance(value, (Array, Group)) else None


_SIMPLE = {
    bool: "Boolean",
    str: "String",
    Long: "Long",
    BigInteger: "BigInteger",
    Byte: "Byte",
    Short: "Short",
    Float: "Float",
    float: "Double",
    list: "ArrayList",
    Objects: "ArrayList",
    dict: "LinkedHashMap",
    Char: "Character",
    Entry: "Entry",
    Status: "ExecutionStatus",
    Typed: "Class",
    RandomSource: "Random",
    DateFormat: "SimpleDateFormat",
    Uuid: "UUID",
}


def type_name(value: Value) -> str:
    """The simple name of a value's Java type, as failures and `instanceof` have it."""
    if type(value) is int:
        return "Integer" if INT_MIN <= value <= INT_MAX else "Long" if LONG_MIN <= value <= LONG_MAX else "BigInteger"
    simple = _SIMPLE.get(type(value))
    if simple is not None:
        return simple
    if value is None:
        return "null"
    if isinstance(value, Array):
        return f"{value.component}[]"
    if isinstance(value, Group):
        return value.kind
    if isinstance(value, EnumValue):
        return value.type
    if isinstance(value, Record):
        return value.type_name
    if isinstance(value, LookupMap):
        return "HashMap"
    return type(value).__name__


def value_at(target: dict[Value, Value], key: Value) -> Value:
    """Of a key of Java's: 1, 1L, 1.0 and true are four, and one to Python."""
    found = target.get(key, MISSING)
    if type(key) is str or found is MISSING:
        return found
    return found if any(equal(key, known) for known in target if known == key) else MISSING


MAX_COMPARED = 1_000_000
"""Pairs of values looked at by one comparison: lists that hold the same list many times are small but look endless."""


def equal(left: Value, right: Value) -> bool:
    """Java's equals: of numbers also the type must be the same, lists and maps by content."""
    if not isinstance(left, _HOLDERS) and not isinstance(right, _HOLDERS):
        return left is right or _equal_simple(left, right)
    comparison = _Equality()
    try:
        return comparison.holds(left, right)
    finally:
        work.spend(comparison.count)


class _Equality:
    """One comparison, with its count."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def holds(self, left: Value, right: Value) -> bool:
        if left is right:
            return True
        self.count += 1
        if self.count > MAX_COMPARED:
            raise ExpressionError(Kind.LIMIT, "The values are too large to be compared.")
        if is_map(left) and is_map(right):
            ours, theirs = entries(left), entries(right)
            return len(ours) == len(theirs) and all(
                key in theirs and self.holds(value, theirs[key]) for key, value in ours.items()
            )
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and self._all_hold(left, right)
        if isinstance(left, Group) and isinstance(right, Group) and left.kind == right.kind == "Set":
            mine, others = left.items, right.items
            return len(mine) == len(others) and all(any(self.holds(one, two) for two in others) for one in mine)
        return _equal_simple(left, right)

    def _all_hold(self, left: list[Value], right: list[Value]) -> bool:
        for one, two in zip(left, right, strict=True):
            if one is two or (type(one) is type(two) and type(one) in _PLAIN and one == two):
                self.count += 1
            elif not self.holds(one, two):
                return False
        return True


_PLAIN = (int, str)
"""Types whose values are equal to Java where they are to Python."""


def _equal_simple(left: Value, right: Value) -> bool:
    if isinstance(left, (int, float)) or isinstance(right, (int, float)):
        return type_name(left) == type_name(right) and (left == right or (_is_nan(left) and _is_nan(right)))
    if isinstance(left, _BY_IDENTITY) or isinstance(right, _BY_IDENTITY):
        return False
    return type(left) is type(right) and left == right


_HOLDERS = (Group, LookupMap, list, dict)
_BY_IDENTITY = (Array, Group, Record, LookupMap, NotEvaluable, list, dict)


def can_be_key(value: Value) -> bool:
    """It can be a key of a map here: Java also allows lists and maps, which nobody looks up."""
    return not isinstance(value, (list, dict, Array, Group, Entry, NotEvaluable))


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and math.isnan(value)


def contains(items: Iterable[Value], wanted: Value) -> bool:
    """One of the items equals the wanted value in Java's sense."""
    return any(equal(item, wanted) for item in items)
