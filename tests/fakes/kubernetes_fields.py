"""Fields of an object as server-side apply tells them apart: leaves by path, items of lists by their merge key."""

from typing import Any

Object = dict[str, Any]
_MERGE_KEYS = ("name", "containerPort", "type", "uid", "ip")


def owned(body: Object) -> Object:
    """What managers own: not what the server writes itself."""
    metadata = {key: value for key, value in body.get("metadata", {}).items() if key in ("labels", "annotations")}
    rest = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": metadata}


def flat(value: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    """Leaves by path; items of lists by their merge key, where they have one."""
    if isinstance(value, dict) and value:
        found: dict[tuple[Any, ...], Any] = {}
        for key, one in value.items():
            found |= flat(one, (*path, key))
        return found
    if isinstance(value, list) and value and (merge := merge_key(value)):
        found = {}
        for one in value:
            found |= flat(one, (*path, (merge, one[merge])))
        return found
    return {path: value}


def merge_key(items: list[Any]) -> str:
    """By which the items of a list are told apart; empty: by none."""
    if not all(isinstance(one, dict) for one in items):
        return ""
    return next((key for key in _MERGE_KEYS if all(key in one for one in items)), "")


def nested(leaves: dict[tuple[Any, ...], Any]) -> Any:
    """The object that has these leaves."""
    if list(leaves) == [()]:
        return leaves[()]
    groups: dict[Any, dict[tuple[Any, ...], Any]] = {}
    for path, value in leaves.items():
        if not path:
            continue  # it was empty, and isn't any more
        groups.setdefault(path[0], {})[path[1:]] = value
    if all(isinstance(key, tuple) for key in groups):
        return [nested(group) for group in groups.values()]
    return {key: nested(group) for key, group in groups.items()}


def written(path: tuple[Any, ...]) -> str:
    """As the API server writes it."""
    return "".join(f'[{one[0]}="{one[1]}"]' if isinstance(one, tuple) else f".{one}" for one in path)
