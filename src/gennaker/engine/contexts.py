"""Contexts: looking into plain JSON."""

from collections.abc import Iterable
from typing import Final

from gennaker.model.codec import Json

_NESTED: Final = (dict, list)
"""Not `dict | list`, which would be made anew for each value."""


def has_expressions(value: Json) -> bool:
    """Some text in it, or some key, holds `${`."""
    return mentions(value, "${")


def mentions(value: Json, part: str) -> bool:
    """Some text in it, or some key, holds this part."""
    if isinstance(value, str):
        return part in value
    waiting: list[Json] = [value]
    while waiting:
        current = waiting.pop()
        inner: Iterable[Json] = ()
        if isinstance(current, dict):
            # The keys as one text: a search in it costs a tenth of one in each. No part that is asked for holds NUL.
            if part in "\x00".join(current):
                return True
            inner = current.values()
        elif isinstance(current, list):
            inner = current
        for one in inner:
            if isinstance(one, str):
                if part in one:
                    return True
            elif isinstance(one, _NESTED):
                waiting.append(one)
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
