"""Payload constraints: maps of key (or JSONPath) to regular expression that an event must satisfy, all of them.

Source: Echo's two evaluators. A constraint that isn't text is turned into Java's text of it: the list `["a","b"]` becomes
`[a, b]`, which as a regular expression is a character class. Pipelines rely on that.
"""

from collections.abc import Mapping

from gennaker.model.codec import Json
from gennaker.triggers import json_paths, patterns


def hold_flat(constraints: Mapping[str, Json], payload: Mapping[str, Json]) -> bool:
    """Every key exists with a value that isn't null, and the constraint's pattern is found in its text."""
    return all(_holds(wanted, payload.get(key)) for key, wanted in constraints.items())


def hold(constraints: Mapping[str, Json], payload: Mapping[str, Json]) -> bool:
    """As `hold_flat`; a key that the payload doesn't have is read as a JSONPath."""
    return all(
        _holds(wanted, payload[key]) if key in payload else _holds_at(key, wanted, payload)
        for key, wanted in constraints.items()
    )


def java_text(value: Json) -> str:
    """The text that Java gives a value: `true`, `[a, b]`, `{k=v}`."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case list():
            return "[" + ", ".join(java_text(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{key}={java_text(item)}" for key, item in value.items()) + "}"
        case number:
            return str(number)


def _holds(wanted: Json, found: Json) -> bool:
    if found is None:
        return False
    return wanted is None or patterns.is_found(java_text(wanted), java_text(found))


def _holds_at(path: str, wanted: Json, payload: Mapping[str, Json]) -> bool:
    try:
        query = json_paths.compiled(path)
        values = json_paths.found(query, dict(payload))
    except json_paths.NoPath:
        return False
    found: Json = values[0] if values and json_paths.is_of_one(query) else values
    match found:
        case list() if found and all(isinstance(item, str) for item in found):
            return wanted is None or any(patterns.is_found(java_text(wanted), str(item)) for item in found)
        case str() | bool() | int() | float():
            return _holds(wanted, found)
        case _:
            return False
