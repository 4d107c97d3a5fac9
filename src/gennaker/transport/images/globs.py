"""Globs of Go's filepath.Match, with `**`, for whole relative paths, in a time that grows with the path alone.

Not a regular expression: `*a*a*a*a*b` of somebody else's .dockerignore would take Python's until the end of days, and all of
the server with it, as it lets no other thread run meanwhile. Theory of operation: a pattern is a row of places, each of which
takes one character or, for a star, any number. While a path is read, a number holds as bits all places at which it can be;
where a character leads from there is looked up, and kept, as few such numbers ever occur.
"""

import re
from collections.abc import Callable

_Takes = Callable[[str], object]
_KEPT = 10_000
"""Steps; common patterns and paths have some hundred."""


def _anything(_: str) -> bool:
    return True


def _nothing(_: str) -> bool:
    return False


def _within(character: str) -> bool:
    """Within one folder or name."""
    return character != "/"


class Glob:
    """One pattern."""

    def __init__(self, glob: str) -> None:
        """Raises ValueError."""
        self._takes: list[_Takes] = []
        self._stars = 0
        """Places that take any number of characters, none, too: bits."""
        self._optional = 0
        """Places that take nothing, and from which a star and the slash behind it can be left out: bits."""
        self._parse(glob)
        self._end = 1 << len(self._takes)
        self._next: dict[tuple[int, str], int] = {}

    def matches(self, path: str) -> bool:
        """Whether the whole path is like it."""
        places = self._spread(1)
        for character in path:
            places = self._after(places, character)
            if not places:
                return False
        return bool(places & self._end)

    def _after(self, places: int, character: str) -> int:
        key = (places, character)
        found = self._next.get(key)
        if found is None:
            if len(self._next) >= _KEPT:
                self._next.clear()
            found = 0
            for place, takes in enumerate(self._takes):
                if places >> place & 1 and takes(character):
                    found |= 1 << place if self._stars >> place & 1 else 1 << place + 1
            found = self._next[key] = self._spread(found)
        return found

    def _spread(self, places: int) -> int:
        """With the places that are reached without another character."""
        for place in range(len(self._takes)):
            if places >> place & 1:
                if self._optional >> place & 1:
                    places |= 1 << place + 1 | 1 << place + 3
                if self._stars >> place & 1:
                    places |= 1 << place + 1
        return places

    def _parse(self, glob: str) -> None:
        at = 0
        while at < len(glob):
            if glob.startswith("**/", at):
                self._optional |= 1 << len(self._takes)
                self._takes.append(_nothing)
                self._star(_anything)
                self._takes.append("/".__eq__)
                at += 3
            elif glob.startswith("**", at):
                self._star(_anything)
                at += 2
            elif glob[at] == "*":
                self._star(_within)
                at += 1
            elif glob[at] == "[":
                end = glob.find("]", at + 2)
                if end < 0:
                    raise ValueError(f"the pattern {glob!r} has a [ that is not closed")
                self._takes.append(_one_of(glob, glob[at + 1 : end]))
                at = end + 1
            elif glob[at] == "\\" and at + 1 < len(glob):
                self._takes.append(glob[at + 1].__eq__)
                at += 2
            else:
                self._takes.append(_within if glob[at] == "?" else glob[at].__eq__)
                at += 1

    def _star(self, takes: _Takes) -> None:
        self._stars |= 1 << len(self._takes)
        self._takes.append(takes)


def _one_of(glob: str, inner: str) -> _Takes:
    escaped = inner.replace("\\", "\\\\")
    try:
        return re.compile(f"[{escaped}]", re.DOTALL).match
    except re.error as error:
        raise ValueError(f"the pattern {glob!r} makes no sense: {error}") from error
