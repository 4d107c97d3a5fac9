"""Contexts: looking into plain JSON."""

from collections.abc import Iterable
from typing import Final

from gennaker.model.codec import Json

_NESTED: Final = (dict, list)
"""Not `dict | list`, which would be made anew for each value."""


_looked: Final[list[tuple[Json, tuple[str, ...]]]] = [(None, ())]
"""What was looked at last, and what was found: planning and starting a stage look at the same context, one after the other.

Found again by its identity: a value must not be changed in place once it was looked at, as an expression put into it would
stay unseen. The engine makes new contexts.
"""


def has_expressions(value: Json) -> bool:
    """Some text in it, or some key, holds `${`."""
    return bool(expressions(value))


def expressions(value: Json) -> tuple[str, ...]:
    """The texts in it, keys too, that hold `${`."""
    looked_at, found = _looked[0]
    if value is not looked_at:
        found = tuple(_texts(value, "${"))
        _looked[0] = (value, found)
    return found


def mentions(value: Json, part: str) -> bool:
    """Some text in it, or some key, holds this part."""
    return bool(_texts(value, part))


def _texts(value: Json, part: str) -> list[str]:
    """The texts in it, keys too, that hold the part. A list, as a generator would cost more than most contexts do."""
    found: list[str] = []
    waiting: list[Json] = [value if isinstance(value, _NESTED) else [value]]
    while waiting:
        current = waiting.pop()
        inner: Iterable[Json] = ()
        if isinstance(current, dict):
            # The keys as one text: a search in it costs a tenth of one in each. No part that is asked for holds NUL.
            if part in "\x00".join(current):
                found += [key for key in current if part in key]
            inner = current.values()
        elif isinstance(current, list):
            inner = current
        for one in inner:
            if isinstance(one, str):
                if part in one:
                    found.append(one)
            elif isinstance(one, _NESTED):
                waiting.append(one)
    return found


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
