"""What calls cost beyond one step: a step is about a microsecond."""

from collections.abc import Sequence

from gennaker.expressions.values import Typed, Value, entries, is_map, items_of
from gennaker.patterns import java

_PARSED_OR_PRINTED = 16
"""Of `String.format`, and of days and instants that are read or written by a pattern."""
LONG = 4_096
"""Characters of a text from which on what looks at all of it is counted."""

_BY_PATTERN = frozenset({"matches", "replaceAll", "replaceFirst", "split"})
_PIECEWISE = frozenset({"replaceAll", "split"})
"""They make something of each match."""
_COMPARING = frozenset({"contains", "containsAll", "containsValue", "indexOf", "lastIndexOf", "equals", "hashCode"})
"""Methods of lists and maps that compare or hash what is in them."""
_BY_CHARACTER = frozenset(
    [
        "hashCode",
        "compareTo",
        "compareToIgnoreCase",
        "equalsIgnoreCase",
        "regionMatches",
        "getBytes",
        "bytes",
        "toCharArray",
        "translateEscapes",
        "stripIndent",
        "indent",
        "codePointCount",
        "offsetByCodePoints",
        "formatted",
        "format",
        "parse",
    ]
)
"""Methods of text that look at one character after the other; the others take their time in C."""


def of_call(target: Value, name: str, arguments: Sequence[Value]) -> int:
    """Steps that a method needs beyond one."""
    if isinstance(target, str):
        return _of_text(target, name, arguments)
    given = sum(map(_size, arguments))
    if isinstance(target, Typed):
        return given + (_PARSED_OR_PRINTED if name in _BY_CHARACTER else 0)
    if not is_map(target) and name in _BY_CHARACTER:
        return given + _PARSED_OR_PRINTED
    items = items_of(target)
    if items is None:
        return given + (len(entries(target)) >> (0 if name in _COMPARING else 3) if is_map(target) else 0)
    others = items_of(arguments[0]) if arguments else None
    looked_at = len(items) * (1 if others is None else len(others))
    return (0 if others is not None else given) + (looked_at if name in _COMPARING else looked_at >> 2)


def _of_text(target: str, name: str, arguments: Sequence[Value]) -> int:
    given = sum(len(value) >> 8 for value in arguments if isinstance(value, str))
    if name in _BY_PATTERN and arguments and isinstance(arguments[0], str):
        return given + java.steps(arguments[0], target) + (len(target) if name in _PIECEWISE else 0)
    return given + (len(target) >> (2 if name in _BY_CHARACTER else 8))


def _size(value: Value) -> int:
    """What it costs to look at an argument."""
    if isinstance(value, str):
        return len(value) >> 2
    items = items_of(value)
    return 0 if items is None else len(items) << 2
