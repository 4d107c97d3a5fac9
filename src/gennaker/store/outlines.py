"""Outlines: what of an execution's head hardly ever changes, kept apart from what changes with every step.

A head holds the definition, the trigger and the order of all stages; writing these each time would make a step of a
pipeline of 1,000 stages many times dearer than one of ten. So they lie in a row of their own, which is written only when
one of them is another object than before: records are never changed in place.
"""

import operator
from collections.abc import Callable

import msgspec

from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Head

_MOVING = (
    "version",
    "status",
    "is_canceled",
    "canceled_by",
    "cancellation_reason",
    "start_time",
    "end_time",
    "paused",
    "waiting_for",
    "is_submitted",
)
"""What a step may change."""

_FIELDS = {field.name: field for field in msgspec.structs.fields(Head)}
_OUTLINED = tuple(
    sorted((name for name in _FIELDS if name not in _MOVING), key=lambda name: not _FIELDS[name].required)
)
_of_moving: Callable[[Head], tuple[object, ...]] = operator.attrgetter(*_MOVING)
_of_outlined: Callable[[Head], tuple[object, ...]] = operator.attrgetter(*_OUTLINED)


def _record(name: str, members: tuple[str, ...]) -> type[msgspec.Struct]:
    """A record with these fields of a head, positional: one is made at every step."""
    declared = [(member, _FIELDS[member].type, _default(_FIELDS[member])) for member in members]
    return msgspec.defstruct(name, declared, frozen=True, omit_defaults=True)


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return field.default


Moving = _record("Moving", _MOVING)
Outline = _record("Outline", _OUTLINED)


def moving(head: Head) -> msgspec.Struct:
    """What a step may change."""
    return Moving(*_of_moving(head))


def outline(head: Head) -> msgspec.Struct:
    """All the rest."""
    return Outline(*_of_outlined(head))


def is_same(before: Head, after: Head) -> bool:
    """The outlines hold the same objects."""
    return all(map(operator.is_, _of_outlined(before), _of_outlined(after)))


def together(outlined: Json, moved: Json) -> Json:
    """The plain JSON of a head from that of its two rows."""
    # An outline of before the heads were split holds a whole head, with moving fields of that time.
    kept: JsonObject = {key: value for key, value in _object(outlined).items() if key not in _MOVING}
    return {**kept, **_object(moved)}


def _object(value: Json) -> JsonObject:
    assert isinstance(value, dict), "rows of heads hold objects"
    return value
