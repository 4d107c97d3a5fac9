"""JSONPath in the answers of webhooks: one value where the path names one, else the list of all that it finds.

A path may end in one of the functions that Orca's library (Jayway's JsonPath) has beside the standard:
`concat("https://ci/api/builds/", $.id)`, `$.steps.length()`, `$.parts.max()`.
"""

import statistics
from collections.abc import Callable, Sequence

import msgspec

from gennaker.model.codec import Json, decode_json
from gennaker.model.foreign import written
from gennaker.triggers import json_paths

_CONCAT = "$.concat("
_SHOWN = 200


class NotFound(Exception):
    """The path leads nowhere, or is none; the text says which."""


def find(path: str, document: Json) -> Json:
    """What is at the path. Raises NotFound."""
    missing = f"JSON property '{path}' not found in response body"
    if not isinstance(document, dict | list):
        raise NotFound(missing)
    whole = path.strip() if path.strip().startswith("$") else f"$.{path.strip()}"
    path_of, name, arguments = _call(whole)
    if not name:
        return _read(whole, document, path, missing)
    on = _read(path_of, document, path, missing)
    found = _called(name, on, [_argument(one, document) for one in arguments])
    if found is None:
        raise NotFound(missing)
    return found


def _call(whole: str) -> tuple[str, str, list[str]]:
    """The path before a function at the end, the function's name, and its arguments; without a name: there is none."""
    if not whole.endswith(")"):
        return whole, "", []
    if whole.startswith(_CONCAT):
        return "$", "concat", _split(whole[len(_CONCAT) : -1])
    head, _, arguments = whole[:-1].rpartition("(")
    path, _, name = head.rpartition(".")
    is_known = name in _OF_NUMBERS or name in _OF_LISTS or name in ("concat", "length", "size")
    return (path, name, _split(arguments)) if is_known else (whole, "", [])


def _split(text: str) -> list[str]:
    """The arguments: what stands between commas that are in no quotes."""
    parts, quote, start = [], "", 0
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[place - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char == ",":
            parts.append(text[start:place])
            start = place + 1
    return [one.strip() for one in (*parts, text[start:]) if one.strip()]


def _read(whole: str, document: Json, path: str, missing: str) -> Json:
    try:
        query = json_paths.compiled(whole)
        values = json_paths.found(query, document)
    except json_paths.NoPath as error:
        raise NotFound(f"'{path[:_SHOWN]}' is no JSONPath: {error}") from error
    if json_paths.is_of_one(query):
        if not values:
            raise NotFound(missing)
        return values[0]
    return values


def _argument(text: str, document: Json) -> Json:
    """A literal, or what is at a path."""
    if text.startswith("$"):
        return _read(text, document, text, f"JSON property '{text}' not found in response body")
    if text.startswith("'"):
        return text[1:-1]
    try:
        return decode_json(text)
    except msgspec.DecodeError as error:
        raise NotFound(f"{text[:_SHOWN]!r} is neither a path nor a text in quotes nor a number") from error


def _called(name: str, on: Json, arguments: Sequence[Json]) -> Json:
    """What the function makes of what is at the path; None: nothing."""
    listed = on if isinstance(on, list) else []
    if name == "concat":
        texts = [one for one in listed if isinstance(one, str)]
        return "".join([*texts, *map(_text, arguments)])
    if name in _OF_LISTS:
        return _OF_LISTS[name](listed) if listed else None
    if name in _OF_NUMBERS:
        numbers = [float(one) for one in (*listed, *arguments) if isinstance(one, int | float)]
        return _OF_NUMBERS[name](numbers) if numbers else None
    return len(on) if isinstance(on, list | dict) else None


def _text(value: Json) -> str:
    return value if isinstance(value, str) else written(value) if isinstance(value, int | float) else ""


_OF_NUMBERS: dict[str, Callable[[list[float]], float]] = {
    "min": min,
    "max": max,
    "sum": sum,
    "avg": statistics.fmean,
    "stddev": statistics.pstdev,
}
_OF_LISTS: dict[str, Callable[[list[Json]], Json]] = {
    "first": lambda listed: listed[0],
    "last": lambda listed: listed[-1],
}
