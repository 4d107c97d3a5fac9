"""Coercion: reads JSON values the way Kayenta's JSON library and its option reader do.

Two kinds of places exist in a Kayenta document, with different manners:

* *Typed* fields (metric names, groups, weights, thresholds, samples) are filled by Jackson, which bends values: a
  numeric string is a number, a number is a text, an empty string is null.
* *Untyped* options (`analysisConfigurations.canary`) stay as they were parsed and are cast when the judge asks for
  them. There a 32-bit integer or a decimal is a number and nothing else is; null is 0.0 or false.

Both raise `Unreadable` with a short description of what was found; callers know the pointer and the sentence.
"""

import re
from collections.abc import Mapping

from gennaker.model.codec import Json
from gennaker.model.foreign import described, written

INT32_MINIMUM = -(2**31)
INT32_MAXIMUM = 2**31 - 1

_SPECIAL = {
    "NaN": float("nan"),
    "+NaN": float("nan"),
    "-NaN": float("nan"),
    "Infinity": float("inf"),
    "+Infinity": float("inf"),
    "INF": float("inf"),
    "-Infinity": float("-inf"),
    "-INF": float("-inf"),
}
# What Java's Double.parseDouble takes besides the special words and hexadecimal; Python's float() would also take
# underscores and `inf`, which Java refuses.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fFdD]?", re.ASCII)
_HEXADECIMAL = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+[fFdD]?", re.ASCII)

_TRIMMED = "".join(map(chr, range(0x21)))  # what Java's String.trim cuts off; Python's strip also takes others


class Unreadable(ValueError):
    """A value isn't what its place wants; the text says what it is instead. Never leaves the room."""


def double(value: Json) -> float | None:
    """The number that a typed field holds; None for null and for an empty string."""
    if value is None:
        return None
    if isinstance(value, bool):
        raise Unreadable(described(value))
    if isinstance(value, int | float):
        return as_float(value)
    if isinstance(value, str):
        return _parsed(value)
    raise Unreadable(described(value))


def as_float(value: float) -> float:
    """The double nearest to a JSON number; integers beyond a double's range become infinite, as in Java."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def text(value: Json) -> str | None:
    """The text that a typed field holds; numbers and booleans are written out, null is None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return written(value)
    raise Unreadable(described(value))


def option(document: Json, *path: str) -> tuple[bool, Json]:
    """Follows keys into an untyped document: (found, value).

    A list on the way stands for the list of what its items hold there, as in Kayenta. Anything else that isn't an
    object holds nothing.
    """
    if not path:
        return True, document
    if isinstance(document, Mapping):
        if path[0] not in document:
            return False, None
        return option(document[path[0]], *path[1:])
    if isinstance(document, list):
        answers = [option(item, *path) for item in document]
        return True, [value for found, value in answers if found]
    return False, None


def option_number(document: Json, *path: str, default: float) -> float:
    """A number among the options; null is 0.0. Strings, lists and integers beyond 32 bits are unreadable."""
    found, value = option(document, *path)
    if not found:
        return default
    if value is None:
        return 0.0
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if INT32_MINIMUM <= value <= INT32_MAXIMUM:
            return float(value)
        raise Unreadable("an integer beyond 32 bits (write it as a decimal)")
    raise Unreadable(described(value))


def option_boolean(document: Json, *path: str, default: bool) -> bool:
    """A boolean among the options; null is false, nothing but true and false is readable."""
    found, value = option(document, *path)
    if not found:
        return default
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    raise Unreadable(described(value))


def option_text(document: Json, *path: str, default: str) -> str:
    """A text among the options; any other value is written out, only null is unreadable."""
    found, value = option(document, *path)
    if not found:
        return default
    if value is None:
        raise Unreadable("null")
    return written(value)


def _parsed(value: str) -> float | None:
    trimmed = value.strip(_TRIMMED)
    if trimmed in ("", "null"):
        return None
    if trimmed in _SPECIAL:
        return _SPECIAL[trimmed]
    if _DECIMAL.fullmatch(trimmed):
        return float(trimmed.rstrip("fFdD"))
    if _HEXADECIMAL.fullmatch(trimmed):
        return _from_hexadecimal(trimmed)
    raise Unreadable(described(value))


def _from_hexadecimal(value: str) -> float:
    digits, _, exponent = value.lower().partition("p")
    try:
        return float.fromhex(f"{digits}p{exponent.rstrip('fd')}")
    except OverflowError:
        return float("-inf") if value.startswith("-") else float("inf")
