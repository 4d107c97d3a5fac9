"""Lengths of time from numbers that people wrote: bounded, so that none of them leads out of the calendar."""

from datetime import timedelta
from typing import Annotated, TypeAlias

import msgspec

_ISO = r"^[Pp](?=.)(\d+[Dd])?([Tt](?=.)(\d+[Hh])?(\d+[Mm])?(\d+(\.\d+)?[Ss])?)?$"

Duration: TypeAlias = (
    Annotated[str, msgspec.Meta(pattern=_ISO, extra={"wanted": "a duration such as PT30S, PT1H or P7D"})]
    | Annotated[float, msgspec.Meta(ge=0, extra={"wanted": "a number of seconds"})]
)
"""A length of time as our own keys have it."""

LONGEST = timedelta(days=3660)
"""Ten years: no wait and no limit is longer."""


def of_seconds(seconds: float) -> timedelta:
    """So many seconds: nothing for what isn't positive (or isn't a number), at most `LONGEST`."""
    if not seconds > 0:
        return timedelta()
    return timedelta(seconds=min(seconds, LONGEST.total_seconds()))


def of_milliseconds(milliseconds: float) -> timedelta:
    """So many milliseconds, bounded alike."""
    if not milliseconds > 0:
        return timedelta()
    return timedelta(milliseconds=min(milliseconds, LONGEST / timedelta(milliseconds=1)))
