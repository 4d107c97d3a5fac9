"""Field managers: who has set a field of a live object last, as its managed fields tell. Pure.

Paths are those of `differences`: items of lists by their name, a list whose items have none as a whole.
"""

from collections.abc import Iterator

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode_json
from gennaker.plugins.kubernetes import manifests

_FIELD, _ITEM = "f:", "k:"


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
