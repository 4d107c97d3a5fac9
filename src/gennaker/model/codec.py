"""JSON: the types of foreign documents, and reading and writing of our own records.

Contexts, outputs and triggers stay plain JSON all the way through. They are never changed in place:
whoever wants another value makes another map.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
else:
    # A recursive alias can't be resolved from the modules that only import JsonObject; msgspec reads Any as any JSON.
    Json = Any
JsonObject: TypeAlias = dict[str, Json]

Record = TypeVar("Record")
Value = TypeVar("Value")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encoder = msgspec.json.Encoder()
_sorting_encoder = msgspec.json.Encoder(order="sorted")


def encode(value: object) -> bytes:
    """JSON of a record or of plain JSON, without spaces, keys in the order in which they are held."""
    return _encoder.encode(value)


def encode_lines(values: Sequence[object]) -> bytes:
    """JSON of each as by `encode`, each in a line of its own, in one call: no JSON that is written here holds a line's end."""
    return _encoder.encode_lines(values)


def encode_sorted(value: object) -> bytes:
    """Canonical JSON: keys sorted, for hashes and comparisons."""
    return _sorting_encoder.encode(value)


def decode(text: bytes | str, kind: type[Record]) -> Record:
    """Reads a record of the given type. Raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    try:
        return msgspec.json.decode(text, type=kind)
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from error
    except RecursionError as error:
        raise TooDeep from error


def decode_json(text: bytes | bytearray | str) -> Json:
    """Reads plain JSON. Raises `msgspec.DecodeError` for text that isn't JSON."""
    try:
        value: Json = msgspec.json.decode(text)
    except UnicodeDecodeError as error:
        raise _not_utf8(error) from error
    except RecursionError as error:
        raise TooDeep from error
    return value


class TooDeep(msgspec.DecodeError, RecursionError):
    """JSON that is nested more than some 1,000 deep. A DecodeError, for whom every reader of what others send is ready."""

    def __init__(self) -> None:
        super().__init__("it is nested too deeply")


def _not_utf8(error: UnicodeDecodeError) -> msgspec.DecodeError:
    """Whoever reads JSON is ready for one kind of error."""
    return msgspec.DecodeError(f"a text in it is not UTF-8 ({error.reason})")


def why_not_json(error: Exception | str, text: bytes = b"") -> str:
    """What is wrong with a text that isn't JSON, to follow "it isn't JSON:"; with its text also in which line."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    try:
        json.loads(text)
    except json.JSONDecodeError as found:
        if text.strip() and found.pos < len(text.decode(errors="replace").rstrip()):
            return f"{found.msg} (line {found.lineno}, column {found.colno})".replace(" starting at", "", 1)
        return f"it ends in line {found.lineno} before it is complete" if text.strip() else "it is empty"
    except (ValueError, RecursionError):
        pass  # what was found first says it: text that isn't UTF-8, a number of thousands of digits
    return str(error)


_PLAIN = frozenset({str, int, float, bool, NoneType})


def to_json(value: object) -> Json:
    """The plain JSON form of a record, as reading it back from the store would give it."""
    # Not `msgspec.to_builtins`: it leaves tuples, which are no lists to those who look at a state that was never stored.
    return decode_json(_encoder.encode(value))


def distinct(values: Iterable[Value]) -> list[Value]:
    """Each value once, where it stands first. 1, 1.0 and true differ, as in Java."""
    found: dict[bytes, Value] = {}
    for one in values:
        found.setdefault(encode_sorted(one), one)
    return [*found.values()]


def is_json(value: object) -> bool:
    """Whether it is made of what JSON is made of, with text as keys."""
    waiting: list[object] = [value]
    while waiting:
        current = waiting.pop()
        kind = type(current)
        if kind is dict:
            assert isinstance(current, dict)
            if not all(type(key) is str for key in current):
                return False
            waiting.extend(current.values())
        elif kind is list:
            assert isinstance(current, list)
            waiting.extend(current)
        elif kind not in _PLAIN:
            return False
    return True


def plain(told: JsonObject) -> JsonObject:
    """The same as JSON: a plugin may give numbers as keys, tuples, dates. Raises TypeError, ValueError."""
    if is_json(told):
        return told
    made = to_json(told)
    assert isinstance(made, dict)
    return made


def merged(first: Mapping[str, Json], second: Mapping[str, Json]) -> JsonObject:
    """A new map with the keys of both, the second's values winning."""
    return {**first, **second}


def milliseconds(at: datetime | None) -> int | None:
    """Epoch milliseconds, as Spinnaker's JSON has them."""
    return None if at is None else (at - _EPOCH) // timedelta(milliseconds=1)


def microseconds(at: datetime) -> int:
    """Epoch microseconds, as the store has them."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_milliseconds(value: float) -> datetime:
    """The instant of epoch milliseconds, aware and in UTC."""
    return _EPOCH + timedelta(milliseconds=value)


def from_microseconds(value: int) -> datetime:
    """The instant of epoch microseconds, aware and in UTC."""
    return _EPOCH + timedelta(microseconds=value)
