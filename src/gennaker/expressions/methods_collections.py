"""Methods of lists, maps, sets, their entries and arrays; and of numbers and booleans."""

import math

from gennaker.expressions.conversions import as_double, java_text
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.methods import Table, java_hash, merged, table
from gennaker.expressions.operators import compare, wrap
from gennaker.expressions.values import (
    Byte,
    Entry,
    Float,
    Group,
    Long,
    LookupMap,
    Value,
    can_be_key,
    contains,
    entries,
    equal,
    items_of,
)

OBJECT: Table = table(
    {"toString()": java_text, "equals(Object)": equal, "hashCode()": java_hash},
    blocked="wait notify notifyAll finalize clone",
)


def _items(value: Value) -> list[Value]:
    found = items_of(value)
    assert found is not None
    return found


def _others(value: Value) -> list[Value]:
    if value is None:
        raise ExpressionError(Kind.JAVA_EXCEPTION, "The other collection is null.")
    return _items(value)


def _index_of(target: Value, wanted: Value) -> int:
    return next((index for index, item in enumerate(_items(target)) if equal(item, wanted)), -1)


def _last_index_of(target: Value, wanted: Value) -> int:
    items = _items(target)
    return next((index for index in reversed(range(len(items))) if equal(items[index], wanted)), -1)


def _sub_list(target: list[Value], start: int, end: int) -> list[Value]:
    if not 0 <= start <= end <= len(target):
        message = f"The range {start} to {end} lies outside a list of {len(target)} elements."
        raise ExpressionError(Kind.JAVA_EXCEPTION, message)
    return target[start:end]


_COLLECTION = table(
    {
        "size()": lambda target: len(_items(target)),
        "isEmpty()": lambda target: not _items(target),
        "contains(Object)": lambda target, wanted: contains(_items(target), wanted),
        "containsAll(Collection)": lambda target, wanted: all(
            contains(_items(target), item) for item in _others(wanted)
        ),
    },
    blocked="stream parallelStream iterator spliterator toArray",
    mutating="add addAll clear remove removeAll retainAll removeIf",
)
GROUP: Table = merged(_COLLECTION, OBJECT)
LIST: Table = merged(
    table(
        {"indexOf(Object)": _index_of, "lastIndexOf(Object)": _last_index_of, "subList(int,int)": _sub_list},
        blocked="get set listIterator",
        mutating="sort replaceAll ensureCapacity trimToSize",
    ),
    GROUP,
)


def _contains_key(target: Value, key: Value) -> bool:
    if not isinstance(target, LookupMap):
        return can_be_key(key) and key in entries(target)
    return isinstance(key, str) and (key in target.extras or key in target.names.own_keys())


MAP: Table = merged(
    table(
        {
            "size()": lambda target: len(entries(target)),
            "isEmpty()": lambda target: not entries(target),
            "containsKey(Object)": _contains_key,
            "containsValue(Object)": lambda target, wanted: contains(entries(target).values(), wanted),
            "keySet()": lambda target: Group("Set", list(entries(target))),
            "values()": lambda target: Group("Collection", list(entries(target).values())),
            "entrySet()": lambda target: Group("Set", [Entry(key, item) for key, item in entries(target).items()]),
        },
        blocked="get getOrDefault put putIfAbsent compute computeIfAbsent computeIfPresent merge",
        mutating="clear putAll replaceAll",
    ),
    OBJECT,
)
ENTRY: Table = merged(table({}, blocked="getKey getValue setValue"), OBJECT)


def _cut(value: int | float, low: int, high: int) -> int:
    """A real number cut to a whole one that stays in range; a whole one wrapped."""
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        return int(max(min(value, high), low)) if math.isfinite(value) else (high if value > 0 else low)
    return wrap(int(value), (high + 1).bit_length())


def _int_value(value: int | float) -> int:
    return _cut(value, -(2**31), 2**31 - 1)


def _compared(value: Value, other: Value) -> int:
    if other is None:
        raise ExpressionError(Kind.JAVA_EXCEPTION, "A value can't be compared with null.")
    order = compare(value, other)
    return (order > 0) - (order < 0)


_ANY_NUMBER = table(
    {
        "intValue()": _int_value,
        "longValue()": lambda value: Long(_cut(value, -(2**63), 2**63 - 1)),
        "shortValue()": lambda value: wrap(_int_value(value), 16),
        "byteValue()": lambda value: Byte(wrap(_int_value(value), 8)),
        "doubleValue()": as_double,
        "floatValue()": lambda value: Float.of(as_double(value)),
    }
)
_REAL = table({"isNaN()": math.isnan, "isInfinite()": math.isinf})

NUMBERS: dict[str, Table] = {
    "Integer": merged(table({"compareTo(Integer)": _compared}), _ANY_NUMBER, OBJECT),
    "Long": merged(table({"compareTo(Long)": _compared}), _ANY_NUMBER, OBJECT),
    "Byte": merged(table({"compareTo(Byte)": _compared}), _ANY_NUMBER, OBJECT),
    "BigInteger": merged(table({"bitLength()": lambda value: int(value).bit_length()}), _ANY_NUMBER, OBJECT),
    "Double": merged(table({"compareTo(Double)": _compared}), _REAL, _ANY_NUMBER, OBJECT),
    "Float": merged(table({"compareTo(Float)": _compared}), _REAL, _ANY_NUMBER, OBJECT),
    "Boolean": merged(table({"booleanValue()": lambda value: value, "compareTo(Boolean)": _compared}), OBJECT),
    "Character": merged(table({"charValue()": lambda value: value}), OBJECT),
}
