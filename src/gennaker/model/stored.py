"""Stored records: reading rows of all released versions. A row that the present records can't read is upcast first.

An upcast turns the plain JSON of an older row into that of the present one. It is only tried where reading fails, so
rows of this version cost nothing. Every upcast has a golden file in tests/golden/stored.
"""

from typing import TypeVar

import msgspec

from gennaker.model import codec
from gennaker.model.codec import Json, JsonObject

Record = TypeVar("Record")

_WAITING = "waiting_for"


def read(text: bytes | str, kind: type[Record]) -> Record:
    """The record of a row's JSON. Raises `msgspec.ValidationError` where no version of the record looks like that."""
    try:
        return codec.decode(text, kind)
    except msgspec.ValidationError:
        return msgspec.convert(_upcast(codec.decode_json(text)), type=kind)


def convert(value: Json, kind: type[Record]) -> Record:
    """As `read`, of JSON that was decoded already."""
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError:
        return msgspec.convert(_upcast(value), type=kind)


def _upcast(value: Json) -> Json:
    """Version 0.1 had only words in `waiting_for`.

    It stands in heads, stages and their tasks, in what a task reported, in Queued, and in events inside events and
    effects; never looked for in contexts, which are other people's JSON.
    """
    if not isinstance(value, dict):
        return value
    changed: JsonObject = dict(value)
    said = changed.get(_WAITING)
    if isinstance(said, str):
        changed[_WAITING] = {"type": "other", "reason": said} if said else None
    for key in ("result", "head", "event"):
        if isinstance(changed.get(key), dict):
            changed[key] = _upcast(changed[key])
    for key in ("tasks", "events", "stages"):  # events and stages: of a recording
        listed = changed.get(key)
        if isinstance(listed, list):
            changed[key] = [_upcast(one) for one in listed]
    return changed
