"""Field managers: who has set a field of a live object last, as its managed fields tell; whether it is still as one has applied it. Pure.

Paths are those of `differences`: items of lists by their name, a list whose items have none as a whole.
"""

from collections.abc import Collection, Iterator

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.plugins.kubernetes import manifests

_FIELD, _ITEM, _VALUE, _SELF = "f:", "k:", "v:", "."
_IDENTITY = frozenset({"name", "namespace"})
"""Of an object's metadata: nobody owns it."""


def owned(live: JsonObject) -> dict[str, frozenset[str]]:
    """The fields that each manager owns, at their greatest depth; one that has applied and updated is one."""
    found: dict[str, frozenset[str]] = {}
    for entry in foreign.mappings_at(manifests.metadata(live), "managedFields"):
        name = foreign.text_at(entry, "manager")
        paths = frozenset(_paths(foreign.mapping(entry.get("fieldsV1")), ""))
        found[name] = found.get(name, frozenset()) | paths
    return found


def of_path(fields: dict[str, frozenset[str]], path: str) -> tuple[str, ...]:
    """Who owns a field or something in it; where nobody does, who owns what it is in."""
    within = [name for name, paths in fields.items() if any(one == path or one.startswith(f"{path}/") for one in paths)]
    around = [name for name, paths in fields.items() if any(path.startswith(f"{one}/") for one in paths)]
    return tuple(sorted(within or around))


def is_as_applied(live: JsonObject, applied: JsonObject, *, manager: str, but: Collection[str]) -> bool:
    """Whether applying this once more certainly changes nothing, without asking the API server; False: that isn't certain.

    So it is where the manager owns each field that it says, and no other, and each has the value that it says. A value that the API server
    writes otherwise (`1000m`), a list in another order, or fields of another version are not compared. `but`: annotations of no account.
    """
    listed = foreign.mappings_at(manifests.metadata(live), "managedFields")
    own = [one for one in listed if (one.get("manager"), one.get("operation")) == (manager, "Apply")]
    if len(own) != 1 or own[0].get("subresource"):
        return False
    if not own[0].get("apiVersion") == live.get("apiVersion") == applied.get("apiVersion"):
        return False
    fields = foreign.mapping(own[0].get("fieldsV1"))
    named = {key: value for key, value in applied.items() if key not in ("apiVersion", "kind", "metadata")}
    metadata = {key: value for key, value in manifests.metadata(applied).items() if key not in _IDENTITY}
    annotations = foreign.mapping(metadata.pop("annotations", None))
    of_metadata = foreign.mapping(fields.get("f:metadata"))
    of_annotations = foreign.mapping(of_metadata.get("f:annotations"))
    rest = {key: below for key, below in fields.items() if key != "f:metadata"}
    of_rest = {key: below for key, below in of_metadata.items() if key != "f:annotations"}
    counted = {key: below for key, below in of_annotations.items() if key.removeprefix(_FIELD) not in but}
    return (
        _is_map_kept(named, live, rest)
        and _is_map_kept(metadata, manifests.metadata(live), of_rest)
        and _is_map_kept(annotations, manifests.annotations(live), counted)
    )


def _is_kept(applied: Json, live: Json, fields: Json) -> bool:
    if not isinstance(fields, dict):
        return False
    if not fields.keys() - {_SELF}:
        return type(applied) is type(live) and applied == live
    if isinstance(applied, dict) and isinstance(live, dict):
        return _is_map_kept(applied, live, fields)
    if isinstance(applied, list) and isinstance(live, list):
        return _is_list_kept(applied, live, fields)
    return False


def _is_map_kept(applied: JsonObject, live: JsonObject | dict[str, str], fields: JsonObject) -> bool:
    if {f"{_FIELD}{key}" for key in applied} != fields.keys() - {_SELF}:
        return False
    return all(key in live and _is_kept(value, live[key], fields[f"{_FIELD}{key}"]) for key, value in applied.items())


def _is_list_kept(applied: list[Json], live: list[Json], fields: JsonObject) -> bool:
    """Items are known by their keys or values, and must stand in the same order."""
    owned_items = [_known_by(key) for key in fields if key != _SELF]
    if len(owned_items) != len(applied) or None in owned_items:
        return False
    after = -1
    for item in applied:
        known = [key for key in fields if key != _SELF and _may_be(item, _known_by(key))]
        places = [place for place, one in enumerate(live) if len(known) == 1 and _is(one, _known_by(known[0]))]
        if len(places) != 1 or places[0] <= after:
            return False
        after = places[0]
        if known[0].startswith(_ITEM) and not _is_kept(item, live[after], fields[known[0]]):
            return False
    return True


def _known_by(key: str) -> Json:
    """What tells an item of a list: its keys, or its value; None: another thing."""
    if not key.startswith((_ITEM, _VALUE)):
        return None
    try:
        found = decode_json(key[len(_ITEM) :])
    except msgspec.DecodeError:
        return None
    return found if key.startswith(_VALUE) or isinstance(found, dict) else None


def _may_be(applied: Json, known: Json) -> bool:
    """Keys that a manifest leaves out have their default."""
    if not isinstance(known, dict):
        return applied == known
    return isinstance(applied, dict) and all(applied.get(key, value) == value for key, value in known.items())


def _is(live: Json, known: Json) -> bool:
    if not isinstance(known, dict):
        return live == known
    return isinstance(live, dict) and all(live.get(key) == value for key, value in known.items())


def _paths(node: JsonObject, path: str) -> Iterator[str]:
    deeper = False
    for key, below in node.items():
        part = _part(key)
        if part is not None:
            deeper = True
            yield from _paths(foreign.mapping(below), f"{path}/{part}")
    if not deeper and path:
        yield path


def _part(key: str) -> str | None:
    """None: it is the node itself, or an item that has no name."""
    if key.startswith(_FIELD):
        return key.removeprefix(_FIELD)
    if not key.startswith(_ITEM):
        return None
    try:
        return foreign.text_at(foreign.mapping(decode_json(key.removeprefix(_ITEM))), "name") or None
    except msgspec.DecodeError:
        return None
