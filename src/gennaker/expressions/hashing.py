"""Java's hashCode, of the types whose hash doesn't depend on the process."""

import struct
from collections.abc import Iterable
from datetime import date

from gennaker.expressions import work
from gennaker.expressions.failures import ExpressionError, Kind
from gennaker.expressions.values import (
    Char,
    Date,
    Entry,
    Float,
    Group,
    Instant,
    LocalDate,
    LocalDateTime,
    Uuid,
    Value,
    entries,
    is_map,
    type_name,
)

MAX_HASHED = 1_000_000
_MASK = 0xFFFFFFFF


def java_hash(value: Value) -> int:
    """The hash as an int. Raises UNSUPPORTED, or LIMIT for values that only look small."""
    hashing = _Hashing()
    found = hashing.of(value)
    work.spend(hashing.count)
    return _signed(found)


def text_hash(text: str) -> int:
    """String.hashCode, unsigned."""
    found = 0
    for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"):
        found = (31 * found + unit) & _MASK
    return found


def in_table_order(keys: Iterable[Value], copied: int = 0) -> list[Value]:
    """The keys in the order of a HashMap to which they were added in this order, the first `copied` when it was made.

    Where Java's order changes from process to process (keys whose hash is their address) they stay as they are.
    """
    listed = list(keys)
    size = 16 if not copied else 1 << int(copied / 0.75).bit_length()
    while len(listed) > size * 3 // 4:
        size *= 2

    def place(key: Value) -> int:
        found = _Hashing().of(key)
        return (found ^ (found >> 16)) & (size - 1)

    try:
        return sorted(listed, key=place)
    except ExpressionError as error:
        if error.kind is not Kind.UNSUPPORTED:
            raise
        return listed


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


def _folded(number: int) -> int:
    """A 64-bit number's two halves."""
    return (number ^ (number >> 32)) & _MASK


class _Hashing:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def of(self, value: Value) -> int:
        self.count += 1 + (len(value) >> 2 if isinstance(value, str) else 0)
        if self.count > MAX_HASHED:
            raise ExpressionError(Kind.LIMIT, "The value is too large for hashCode.")
        if value is None:
            return 0
        if isinstance(value, str):
            return text_hash(value)
        if isinstance(value, list):
            found = 1
            for item in value:
                found = (31 * found + self.of(item)) & _MASK
            return found
        if is_map(value):
            return sum(self.of(key) ^ self.of(item) for key, item in entries(value).items()) & _MASK
        if isinstance(value, Group) and value.kind == "Set":
            return sum(map(self.of, value.items)) & _MASK
        if isinstance(value, Entry):
            return self.of(value.key) ^ self.of(value.value)
        return _simple(value)


def _simple(value: Value) -> int:
    match value:
        case bool():
            return 1231 if value else 1237
        case Float():
            return int(struct.unpack("<I", struct.pack("<f", value))[0])
        case float():
            return _folded(struct.unpack("<Q", struct.pack("<d", value))[0])
        case int():
            return _whole(value)
        case Char():
            return ord(value.text)
    return _of_time(value)


def _of_time(value: Value) -> int:
    match value:
        case Date():
            return _folded(value.milliseconds)
        case Instant():
            return (_folded(value.second) + 51 * value.nanosecond) & _MASK
        case LocalDate():
            return _day(value.day)
        case LocalDateTime():
            at = value.at
            nanos = ((at.hour * 60 + at.minute) * 60 + at.second) * 1_000_000_000 + value.nanosecond
            return _day(at.date()) ^ _folded(nanos)
        case Uuid():
            return _folded((value.number >> 64) ^ (value.number & (2**64 - 1)))
    raise ExpressionError(Kind.UNSUPPORTED, f"hashCode of {type_name(value)} isn't offered.")


def _day(day: date) -> int:
    return ((day.year & 0xFFFFF800) ^ ((day.year << 11) + (day.month << 6) + day.day)) & _MASK


def _whole(value: int) -> int:
    kind = type_name(value)
    if kind == "BigInteger":
        return _big(int(value))
    return _folded(int(value)) if kind == "Long" else int(value) & _MASK


def _big(number: int) -> int:
    found, rest = 0, abs(number)
    words = []
    while rest:
        words.append(rest & _MASK)
        rest >>= 32
    for word in reversed(words):
        found = (31 * found + word) & _MASK
    return found if number >= 0 else -found & _MASK
