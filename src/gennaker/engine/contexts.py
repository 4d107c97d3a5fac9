"""Contexts: looking into plain JSON."""

from gennaker.model.codec import Json


def has_expressions(value: Json) -> bool:
    """Some text in it, or some key, holds `${`."""
    return mentions(value, "${")


def mentions(value: Json, part: str) -> bool:
    """Some text in it, or some key, holds this part."""
    waiting: list[Json] = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            if part in current:
                return True
        elif isinstance(current, dict):
            waiting.extend(current.values())
            if any(part in key for key in current):
                return True
        elif isinstance(current, list):
            waiting.extend(current)
    return False
