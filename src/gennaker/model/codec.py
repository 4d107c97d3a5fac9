"""JSON: the types of foreign documents, and reading and writing of our own records.

Contexts, outputs and triggers stay plain JSON all the way through. They are never changed in place:
whoever wants another value makes another map.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
else:
    # A recursive alias can't be resolved from the modules that only import JsonObject; msgspec reads Any as any JSON.
    Json = Any
JsonObject: TypeAlias = dict[str, Json]

Record = TypeVar("Record")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encoder = msgspec.json.Encoder()


def encode(value: object) -> bytes:
    """JSON of a record or of plain JSON, without spaces, keys in the order in which they are held."""
    return _encoder.encode(value)


def encode_sorted(value: object) -> bytes:
    """Canonical JSON: keys sorted, for hashes and comparisons."""
    return msgspec.json.encode(value, order="sorted")


def decode(text: bytes | str, kind: type[Record]) -> Record:
    """Reads a record of the given type. Raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return msgspec.json.decode(text, type=kind)


def decode_json(text: bytes | str) -> Json:
    """Reads plain JSON. Raises `msgspec.DecodeError` for text that isn't JSON."""
    value: Json = msgspec.json.decode(text)
    return value


def to_json(value: object) -> Json:
    """The plain JSON form of a record, as reading it back from the store would give it."""
    # Not `msgspec.to_builtins`: it leaves tuples, which are no lists to those who look at a state that was never stored.
    return decode_json(_encoder.encode(value))


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
