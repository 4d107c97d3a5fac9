"""JSON texts: where in one a value stands, and where one stops being JSON. Reading is `codec`'s business."""

import json
import re

import msgspec

from gennaker.model import codec, pointers

_SPACE = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r"[-+.\w]+")
"""Numbers and words."""
_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"')


class Place(msgspec.Struct, frozen=True):
    """Where in a text, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        """As people say it."""
        return f"line {self.line}, column {self.column}"


def end_of_json(content: bytes) -> Place:
    """Where a text that isn't JSON stops being it; `codec.why_not_json` says why."""
    try:
        text = content.decode()
        json.loads(text)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        return _place(before, len(before))
    except json.JSONDecodeError as error:
        return _place(text, min(error.pos, len(text.rstrip())))
    except RecursionError:
        pass  # the whole is too much
    return Place(1, 1)


def places(text: str) -> dict[str, Place]:
    """The place of every value by its JSON pointer. The text is JSON, and not nested too deeply."""
    found: dict[str, int] = {}
    _scan(text, _after_space(text, 0), "", found)
    starts = [0, *(one.end() for one in re.finditer("\n", text))]
    placed: dict[str, Place] = {}
    line = 0
    # Values begin in the order in which they are found: one walk through the lines is enough.
    for pointer, offset in sorted(found.items(), key=lambda one: one[1]):
        while line + 1 < len(starts) and starts[line + 1] <= offset:
            line += 1
        placed[pointer] = Place(line + 1, offset - starts[line] + 1)
    return placed


def nearest(found: dict[str, Place], pointer: str) -> Place:
    """The place of a value, or of what it would be in where it is missing."""
    while pointer and pointer not in found:
        pointer = pointer.rpartition("/")[0]
    return found.get(pointer, Place(1, 1))


def _place(text: str, offset: int) -> Place:
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _scan(text: str, at: int, pointer: str, found: dict[str, int]) -> int:
    """Notes the value that begins at an offset with all in it; returns the offset after it."""
    found[pointer] = at
    match text[at]:
        case "{":
            return _object(text, at + 1, pointer, found)
        case "[":
            return _array(text, at + 1, pointer, found)
        case '"':
            return _end(_TEXT, text, at)
        case _:
            return _end(_PLAIN, text, at)


def _object(text: str, at: int, pointer: str, found: dict[str, int]) -> int:
    at = _after_space(text, at)
    while text[at] != "}":
        end = _end(_TEXT, text, at)
        key = codec.decode(text[at:end], str)
        at = _after_space(text, _after_space(text, end) + 1)
        at = _after_space(text, _scan(text, at, f"{pointer}/{pointers.escaped(key)}", found))
        if text[at] == ",":
            at = _after_space(text, at + 1)
    return at + 1


def _array(text: str, at: int, pointer: str, found: dict[str, int]) -> int:
    at, place = _after_space(text, at), 0
    while text[at] != "]":
        at = _after_space(text, _scan(text, at, f"{pointer}/{place}", found))
        place += 1
        if text[at] == ",":
            at = _after_space(text, at + 1)
    return at + 1


def _after_space(text: str, at: int) -> int:
    return _end(_SPACE, text, at)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None
    return found.end()
