"""Reading foreign JSON: documents of other people, whose shape nobody promises.

What isn't there, or isn't what was asked for, reads as nothing (an empty map, list or text): most of it is optional, and what
must be there is refused by whoever needs it. Nothing is copied.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import date

from gennaker.model.codec import Json, JsonObject

_SHOWN = 40
"""Characters of a text that a sentence repeats."""
_LONG_NUMBER = 1e18


def mapping(value: Json) -> JsonObject:
    """The map, or an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: Json) -> list[JsonObject]:
    """The maps of a list; what else is in it is left out."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def mappings_at(value: Json, key: str) -> list[JsonObject]:
    """The maps of the list under a key of a map."""
    return mappings(mapping(value).get(key))


def items(value: Json) -> list[Json]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: Json) -> str:
    """The text, or an empty one: a number is none."""
    return value if isinstance(value, str) else ""


def text_at(value: Json, key: str) -> str:
    """The text under a key of a map."""
    return text(mapping(value).get(key))


def said_at(value: Json, key: str) -> str:
    """Whatever is under a key of a map, as text: here a number says something as well."""
    found = mapping(value).get(key)
    return "" if found is None else str(found)


def flag(value: Json) -> bool:
    """Whether it is true, also as text: what Spinnaker reads into a Boolean by Jackson."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def needed(value: Json, key: str) -> JsonObject:
    """The map under a key of a map. Raises KeyError where there is none."""
    found = mapping(value)[key]
    if not isinstance(found, dict):
        raise KeyError(key)
    return found


def written(value: Json) -> str:
    """A plain value as text, as Java writes it: `true`, `5`, `null`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def of_yaml(value: object) -> Json:
    """A document of YAML as JSON has it: keys and dates are text, as whoever makes JSON of YAML writes them."""
    match value:
        case Mapping():
            return {_key(key): of_yaml(item) for key, item in value.items()}
        case str() | int() | float() | None:
            return value
        case list() | tuple() | set():
            return [of_yaml(item) for item in value]
        case date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case _:
            return str(value)


def _key(key: object) -> str:
    return written(key) if isinstance(key, str | int | float | None) else str(of_yaml(key))


def described(value: object) -> str:
    """What a JSON value is, for the end of a sentence: `the text "1.1"`, `a list`."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value if abs(value) < _LONG_NUMBER else _short(value)}"
        case str():
            return f'the text "{value if len(value) <= _SHOWN else value[:_SHOWN] + "…"}"'
        case Mapping():
            return "an object"
        case Sequence():
            return "a list"
        case _:
            return "something that isn't JSON"


def _short(value: float) -> str:
    """A number of many digits by its size."""
    try:
        return str(float(value))
    except OverflowError:
        return "inf" if value > 0 else "-inf"
