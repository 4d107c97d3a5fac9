"""Methods of lists, maps, sets, their entries and arrays."""

from gennaker.expressions.conversions import java_text
from gennaker.expressions.failures import bad
from gennaker.expressions.hashing import java_hash
from gennaker.expressions.methods import Table, merged, table
from gennaker.expressions.values import (
    Entry,
    Group,
    Inheriting,
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
)


def _items(value: Value) -> list[Value]:
    found = items_of(value)
    assert found is not None
    return found


def _others(value: Value) -> list[Value]:
    if value is None:
        raise bad("The other collection is null.")
    return _items(value)


def _index_of(target: Value, wanted: Value) -> int:
    return next((index for index, item in enumerate(_items(target)) if equal(item, wanted)), -1)


def _last_index_of(target: Value, wanted: Value) -> int:
    items = _items(target)
    return next((index for index in reversed(range(len(items))) if equal(items[index], wanted)), -1)


def _sub_list(target: list[Value], start: int, end: int) -> list[Value]:
    if not 0 <= start <= end <= len(target):
        raise bad(f"The range {start} to {end} lies outside a list of {len(target)} elements.")
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
    blocked="stream() parallelStream() iterator() spliterator() toArray() toArray(Object[]) toArray(IntFunction)",
    mutating="add(Object) addAll(Collection) clear() remove(Object) removeAll(Collection) retainAll(Collection)"
    " removeIf(Predicate)",
    others="forEach(Consumer)",
)
SET: Table = merged(_COLLECTION, OBJECT)
GROUP: Table = merged(_COLLECTION, table({"toString()": java_text}))
"""A collection of a map's values: its class isn't public, so that only what the interface declares can be called."""
ARRAY: Table = table({"toString()": java_text})
LIST: Table = merged(
    table(
        {"indexOf(Object)": _index_of, "lastIndexOf(Object)": _last_index_of, "subList(int,int)": _sub_list},
        blocked="get(int) set(int,Object) listIterator() listIterator(int) clone()",
        mutating="sort(Comparator) replaceAll(UnaryOperator) ensureCapacity(int) trimToSize() add(int,Object)"
        " addAll(int,Collection)",
    ),
    SET,
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
        blocked="get(Object) getOrDefault(Object,Object) put(Object,Object) putIfAbsent(Object,Object) clone()"
        " compute(Object,BiFunction) computeIfAbsent(Object,Function) computeIfPresent(Object,BiFunction)"
        " merge(Object,Object,BiFunction) remove(Object) replace(Object,Object)",
        mutating="clear() putAll(Map) replaceAll(BiFunction) remove(Object,Object) replace(Object,Object,Object)",
        others="forEach(BiConsumer)",
    ),
    OBJECT,
)


def _all_of(target: LookupMap, key: Value) -> Value:
    names = target.names
    if key is None:
        raise bad("The key is null.")
    return names.all_of(java_text(key)) if isinstance(names, Inheriting) else []


CONTEXT: Table = merged(table({"getAll(Object)": _all_of}, blocked="getCurrentOnly(Object,Object)"), MAP)
"""Of the context of a stage."""
ENTRY: Table = merged(table({}, blocked="getKey() getValue() setValue(Object)"), OBJECT)
