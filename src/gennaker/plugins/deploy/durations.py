"""Durations: ISO-8601 texts such as `PT1H`, and plain seconds, as stages write them."""

import re
from datetime import timedelta

from gennaker.model import foreign
from gennaker.model.codec import Json
from gennaker.model.problems import Problem, Refused

_ISO = re.compile(
    r"P(?=.)(?:(?P<days>\d+)D)?(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII | re.IGNORECASE,
)
_SECONDS = re.compile(r"\d{1,15}(\.\d+)?", re.ASCII)
_UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_LONGEST = timedelta(days=3660)


def read(value: Json, *, key: str) -> timedelta:
    """An ISO-8601 duration or a number of seconds, also as text. Raises Refused."""
    if isinstance(value, str) and _SECONDS.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LONGEST.total_seconds():
        return timedelta(seconds=value)
    found = _ISO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Refused(_wrong(value, key))
    seconds = sum(float(found[unit] or 0) * length for unit, length in _UNITS.items())  # infinite by many digits
    if seconds > _LONGEST.total_seconds():
        raise Refused(_wrong(value, key))
    return timedelta(seconds=seconds)


def _wrong(value: Json, key: str) -> Problem:
    return Problem(
        code="stage.field_wrong",
        message=f"`{key}` is {foreign.described(value)}, which is no duration of at most ten years.",
        remedy="Write it like PT30S, PT1H or P7D.",
        pointer=f"/{key}",
    )
