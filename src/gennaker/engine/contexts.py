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
            # The keys as one text: a search in it costs a tenth of one in each. No part that is asked for holds NUL.
            if part in "\x00".join(current):
                return True
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
    return False


def most(value: Json, part: str) -> int:
    """How often some text in it, or some key, holds this part at most."""
    found, waiting = 0, [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, str):
            found = max(found, current.count(part))
        elif isinstance(current, dict):
            waiting += [*current, *current.values()]
        elif isinstance(current, list):
            waiting += current
    return found
