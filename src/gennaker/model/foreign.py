"""Reading foreign JSON: documents of other people, whose shape nobody promises.

What isn't there, or isn't what was asked for, reads as nothing (an empty map, list or text): most of it is optional, and what
must be there is refused by whoever needs it. Nothing is copied.
"""

from gennaker.model.codec import Json, JsonObject


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


def needed(value: Json, key: str) -> JsonObject:
    """The map under a key of a map. Raises KeyError where there is none."""
    found = mapping(value)[key]
    if not isinstance(found, dict):
        raise KeyError(key)
    return found
