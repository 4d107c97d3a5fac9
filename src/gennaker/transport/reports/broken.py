"""The only exception of reading reports, and what is raised for JSON of another shape."""

import re
from typing import TypeVar

import msgspec

from gennaker.model import pointers
from gennaker.model.codec import Json

Shape = TypeVar("Shape")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


class BrokenReport(Exception):
    """A report can't be read; the text says why, as the rest of a sentence about the report."""


def shaped(value: Json, shape: type[Shape], *, at: str) -> Shape:
    """A part of a JSON report as a type, whose fields have no dots in their names. Raises BrokenReport.

    `at` is the part's pointer in the report. What has another shape might hide what the report was made to tell, so
    none of it is passed over.
    """
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        steps = [name or number for name, number in _STEP.findall(path.rstrip("`"))]
        raise BrokenReport(f"{at}{pointers.of(steps)} is wrong: {said[:1].lower()}{said[1:]}") from error
