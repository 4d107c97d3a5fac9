"""Reading foreign JSON: documents of other people, whose shape nobody promises.

What isn't there, or isn't what was asked for, reads as nothing (an empty map, list or text): most of it is optional, and what
must be there is refused by whoever needs it. Nothing is copied.
"""

from collections.abc import Mapping, Sequence

from gennaker.model.codec import Json, JsonObject

_SHOWN = 40
"""Characters of a text that a sentence repeats."""
_LONG_NUMBER = 1e18
_DIGITS = 100
"""Of a number, with its zeros."""


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


def natural(value: str, *, most: int = 10**18 - 1) -> int | None:
    """The number that a text of ASCII digits writes; None: it is no such text, or the number is larger than `most`."""
    if not (value.isascii() and value.isdigit()) or len(value) > _DIGITS:
        return None  # Python reads ² as a digit, but not as a number, and no number of more than some thousand digits
    return number if (number := int(value)) <= most else None


def port(value: str) -> int | None:
    """The TCP port that a text names; None: it names none."""
    return natural(value, most=65_535) or None


def written(value: Json) -> str:
    """A plain value as text, as Java writes it: `true`, `5`, `null`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


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
