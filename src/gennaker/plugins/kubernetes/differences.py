"""Differences between a live object and what applying would make of it: for people, before anything is applied. Pure.

What the API server keeps for itself isn't shown, nor what a Secret holds. Items of lists are told apart by their name where
they have one.
"""

from collections.abc import Iterator

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.kubernetes import annotations, confidential, manifests

_AT_MOST = 200
"""Changes of one object that are listed."""
_SERVERS = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
_HIDDEN = "(not shown)"
_SECRETS = ("/data/", "/stringData/")
_ABSENT = object()


def between(live: JsonObject | None, after: JsonObject) -> JsonObject:
    """`{name, namespace, change: created | changed | unchanged, changes: [{path, before, after}]}`."""
    what: JsonObject = {"name": manifests.full_name(after), "namespace": manifests.namespace(after)}
    if live is None:
        return {**what, "change": "created", "changes": []}
    is_secret = confidential.is_secret(after)
    found = [_shown(*one, is_secret=is_secret) for one in _changes(_own(live), _own(after), "")]
    left: JsonObject = {"more": len(found) - _AT_MOST} if len(found) > _AT_MOST else {}
    return {**what, "change": "changed" if found else "unchanged", "changes": [*found[:_AT_MOST]], **left}


def _own(found: JsonObject) -> JsonObject:
    """Without what isn't a manifest's."""
    kept = {key: value for key, value in found.items() if key != "status"}
    metadata = {key: value for key, value in manifests.metadata(found).items() if key not in _SERVERS}
    own = {key: value for key, value in manifests.annotations(found).items() if key not in annotations.COPIES}
    return {**kept, "metadata": {**metadata, "annotations": {**own}}}


def _changes(before: object, after: object, path: str) -> Iterator[tuple[str, object, object]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _changes(before.get(key, _ABSENT), after.get(key, _ABSENT), f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and _is_named(before) and _is_named(after):
        yield from _changes(_by_name(before), _by_name(after), path)
    elif before != after:
        yield path, before, after


def _is_named(items: list[Json]) -> bool:
    names = [foreign.text_at(one, "name") for one in items]
    return all(names) and len(set(names)) == len(names)


def _by_name(items: list[Json]) -> JsonObject:
    return {foreign.text_at(one, "name"): one for one in items}


def _shown(path: str, before: object, after: object, *, is_secret: bool) -> JsonObject:
    change: JsonObject = {"path": path}
    for key, value in (("before", before), ("after", after)):
        if value is not _ABSENT:
            is_hidden = is_secret and f"{path}/".startswith(_SECRETS)
            change[key] = _HIDDEN if is_hidden else value  # type: ignore[assignment]  # JSON, or absent
    return change
