"""Large values: JSON values above 32 KB lie once in the table `blobs`, under the SHA-256 of their JSON.

Theory of operation. A row holds the JSON of a record (an execution's head, a stage, an event, an effect). Where one of
the record's plain JSON values is large, the row's JSON has `null` in its place and the column `blobs` says which value
belongs there: `[{"at": ["context", "report"], "digest": "sha256:…"}]`. The reference is outside the JSON on purpose: no
pipeline can hold something that looks like one. Callers never see any of it.

A step carries the values of the step before by reference, so a value is encoded and hashed when it is seen first and
recognised by its identity afterwards (contexts are never changed in place; the memory of seen values keeps them alive,
so that an identity can't be used again). Only records that are large as a whole are looked into.
"""

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from gennaker.model import codec
from gennaker.model.codec import Json

LARGE_BYTES = 32 * 1024
_DEPTH = 3
"""How deep in a JSON map values are looked at one by one; deeper down they are part of the value around them."""
_CHARACTERS = 32
"""So many characters cost about as much as a value of their own."""
_LONG = LARGE_BYTES // 6
"""Characters of a text whose JSON may be large: of one it has six at most."""
_NESTED = (dict, list)
_SEEN_AT_MOST = 32
_SEEN_BYTES = 64_000_000


class Reference(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where a value that lies in `blobs` belongs."""

    at: tuple[str | int, ...]
    digest: str


class Packed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A record ready for its row."""

    body: str
    references: str | None = None
    """JSON of the references; None: there are none."""
    blobs: dict[str, bytes] = {}
    """Contents by digest that the store may not have yet."""


class _Seen(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    value: object
    digest: str
    size_bytes: int


class TooMuch(Exception):
    """Packing would take longer than was allowed."""


class Large:
    """Splits records and remembers which large values the store has; used by several threads."""

    def __init__(self) -> None:
        """Knows no value yet."""
        self._seen: OrderedDict[int, _Seen] = OrderedDict()
        self._seen_bytes = 0
        self._lock = threading.Lock()

    def pack(
        self, record: msgspec.Struct, budget: float = math.inf, beside: "dict[int, tuple[object, str]] | None" = None
    ) -> Packed:
        """The record with its large values taken out. May take many milliseconds for megabytes it sees first.

        Raises TooMuch when it has looked at `budget` values or `budget` times 32 characters: before a millisecond is
        over with a budget of 1,000. `beside`: the large values of records that are packed for the same commit by their
        identities, with digests; those of this record are added, and what is there isn't taken out once more.
        """
        taken = _Taken(budget, {} if beside is None else beside)
        slim = self._walk(record, (), 0, taken)
        return Packed(
            body=codec.encode(slim).decode(),
            references=codec.encode(taken.references).decode() if taken.references else None,
            blobs=taken.blobs,
        )

    def remember(self, stored: Iterable[tuple[msgspec.Struct, Packed]]) -> None:
        """What these records hold is stored now: it needn't be hashed nor written again."""
        with self._lock:
            for record, its in stored:
                if not its.blobs:
                    continue
                for reference in references(its.references):
                    self._note(_at(record, reference.at), reference.digest, its.blobs)

    def _note(self, value: object, digest: str, blobs: dict[str, bytes]) -> None:
        if id(value) in self._seen or digest not in blobs:
            return
        seen = _Seen(value=value, digest=digest, size_bytes=len(blobs[digest]))
        self._seen[id(value)] = seen
        self._seen_bytes += seen.size_bytes
        while len(self._seen) > _SEEN_AT_MOST or self._seen_bytes > _SEEN_BYTES:
            self._seen_bytes -= self._seen.popitem(last=False)[1].size_bytes

    def _known(self, value: object) -> str | None:
        with self._lock:
            seen = self._seen.get(id(value))
            if seen is None or seen.value is not value:
                return None
            self._seen.move_to_end(id(value))
            return seen.digest

    def _walk(self, value: object, at: tuple[str | int, ...], depth: int, taken: "_Taken") -> object:
        """The value without its large parts. Depth 0: not in plain JSON yet."""
        if isinstance(value, msgspec.Struct):
            return self._walk_record(value, at, taken)
        if isinstance(value, tuple):
            return tuple(self._walk(item, (*at, index), depth, taken) for index, item in enumerate(value))
        known = (taken.known(value) or self._known(value)) if depth else None
        if known is not None:
            taken.references.append(Reference(at=at, digest=known))
            return None
        if isinstance(value, str | dict | list):
            taken.spend(len(value) / _CHARACTERS if isinstance(value, str) else len(value))
        if isinstance(value, dict | list) and depth < _DEPTH:
            slim = self._walk_container(value, at, depth, taken)
            if slim is not value:
                return slim
        if not depth:
            return value
        encoded = codec.encode(value)
        if len(encoded) <= LARGE_BYTES:
            return value
        taken.out(at, encoded, value)
        return None

    def _walk_record(self, record: msgspec.Struct, at: tuple[str | int, ...], taken: "_Taken") -> msgspec.Struct:
        changed: dict[str, object] = {}
        for name, wire in zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True):
            value = getattr(record, name)
            if isinstance(value, msgspec.Struct | tuple | dict | list):
                slim = self._walk(value, (*at, wire), 0, taken)
                if slim is not value:
                    changed[name] = slim
        return msgspec.structs.replace(record, **changed) if changed else record

    def _walk_container(
        self, value: dict[str, object] | list[object], at: tuple[str | int, ...], depth: int, taken: "_Taken"
    ) -> object:
        """The container without what of it is large; itself, where nothing is."""
        changed: dict[str | int, object] = {}
        # Those that can't be large are passed over in the comprehension: a walk of each would cost ten times as much.
        for key, item in [
            one
            for one in _items(value)
            if isinstance(one[1], _NESTED) or (isinstance(one[1], str) and len(one[1]) > _LONG)
        ]:
            slim = self._walk(item, (*at, key), depth + 1, taken)
            if slim is not item:
                changed[key] = slim
        if not changed:
            return value
        parts = {**dict(_items(value)), **changed}
        return parts if isinstance(value, dict) else list(parts.values())


class _Taken:
    """What was taken out of one record."""

    def __init__(self, budget: float, beside: dict[int, tuple[object, str]]) -> None:
        self._beside = beside
        self.references: list[Reference] = []
        self.blobs: dict[str, bytes] = {}
        self._budget = budget

    def spend(self, cost: float) -> None:
        self._budget -= cost
        if self._budget < 0:
            raise TooMuch

    def known(self, value: object) -> str | None:
        """The digest of what was taken out before; holding the value keeps its identity its own."""
        found = self._beside.get(id(value))
        return found[1] if found is not None else None

    def out(self, at: tuple[str | int, ...], encoded: bytes, value: object) -> None:
        digest = "sha256:" + hashlib.sha256(encoded).hexdigest()
        self._beside[id(value)] = value, digest
        self.references.append(Reference(at=at, digest=digest))
        self.blobs[digest] = encoded


def whole(encoded: bytes) -> Packed:
    """A record's JSON as one large value."""
    taken = _Taken(math.inf, {})
    taken.out((), encoded, encoded)
    return Packed(body="null", references=codec.encode(taken.references).decode(), blobs=taken.blobs)


def references(column: str | None) -> tuple[Reference, ...]:
    """What a `blobs` column says."""
    return () if column is None else codec.decode(column, tuple[Reference, ...])


def unpacked(body: str, its_references: Sequence[Reference], value_of: Callable[[str], Json]) -> Json:
    """The plain JSON of a record with its large values, by their digests, back in their places."""
    plain = codec.decode_json(body)
    for reference in its_references:
        value = value_of(reference.digest)
        if not reference.at:
            return value
        _put(plain, reference.at, value)
    return plain


def _items(value: dict[str, object] | list[object]) -> Iterable[tuple[str | int, object]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def _put(whole: Json, at: Sequence[str | int], value: Json) -> None:
    place = whole
    for key in at[:-1]:
        place = place[key]  # type: ignore[index] # the walk that made the reference came the same way
    place[at[-1]] = value  # type: ignore[index] # as above


def _at(record: object, at: Sequence[str | int]) -> object:
    """The object at a reference's place in the record as the caller holds it."""
    for key in at:
        if isinstance(record, msgspec.Struct):
            record = getattr(record, record.__struct_fields__[record.__struct_encode_fields__.index(str(key))])
        else:
            record = record[key]  # type: ignore[index] # a dict, list or tuple: the walk came the same way
    return record
