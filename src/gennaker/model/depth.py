"""Depth: documents that are nested so deeply that nobody can have meant it are refused at the door.

Whoever walks such a document later (expressions, validation) runs into the interpreter's limit somewhere in the midst.
"""

from typing import Final

from gennaker.model.codec import Json
from gennaker.model.problems import Problem

_NESTED: Final = (dict, list)
DEEPEST = 200
"""Levels of lists and maps in each other; pipelines of real life have about ten."""


def is_too_deep(value: Json) -> bool:
    """Looks level by level, so that it can't run into a limit itself."""
    level: list[Json] = [value]
    for _ in range(DEEPEST):
        below: list[Json] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list):
                below += one
        level = [inner for inner in below if isinstance(inner, _NESTED)]
        if not level:
            return False
    return True


def problem(what: str) -> Problem:
    """Of a pipeline, a trigger."""
    return Problem(
        code="request.too_deep",
        message=f"The {what} is nested too deeply: more than {DEEPEST} lists and maps in each other.",
        remedy="Send a flatter one.",
    )
