"""Numbers on the wire: NaN and infinities as texts, doubles written the way Java writes them.

JSON has no NaN; Kayenta writes and reads the texts "NaN", "Infinity" and "-Infinity".
"""

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

import msgspec

from gennaker.model.codec import Json, JsonObject

_CENT = Decimal("0.01")


def wire(value: Json) -> Json:
    """The same JSON with every NaN and infinity as Kayenta's text for it."""
    match value:
        case float():
            return value if math.isfinite(value) else _special(value)
        case str():
            return value
        case Mapping():
            return {key: wire(item) for key, item in value.items()}
        case Sequence():
            return [wire(item) for item in value]
        case _:
            return value


def record(value: object) -> JsonObject:
    """The JSON object of a record, NaN and infinities as texts."""
    # Not by way of JSON text, where NaN would be null.
    built = wire(msgspec.to_builtins(value))
    assert isinstance(built, dict)
    return built


def rounded(value: float) -> float:
    """Two decimals, half up, of the shortest decimal text of a finite double."""
    # Of the text and not of the exact binary value: 1.005 is 1.00499…, yet Java's text makes it 1.01.
    return float(Decimal(repr(value)).quantize(_CENT, rounding=ROUND_HALF_UP))


def java_text(value: float) -> str:
    """A double as Java's `Double.toString` writes it: `75.0`, `1.0E7`, `NaN`."""
    if not math.isfinite(value):
        return _special(value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return _plain(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    first, rest = digits[0], "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{first}.{rest}E{exponent + len(digits) - 1}"


def _plain(value: float) -> str:
    text = format(Decimal(repr(value)), "f")
    return text if "." in text else f"{text}.0"


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
