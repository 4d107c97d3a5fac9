"""Durations and instants in a canary's settings: ISO-8601 texts, minutes and hours as numbers or numeric texts."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from gennaker.canary import coercion
from gennaker.canary.coercion import Unreadable
from gennaker.canary.errors import InvalidPlan
from gennaker.model import foreign
from gennaker.model.codec import Json

# The form of Java's Duration.parse: days of 24 hours, no months or years; at least one part, none empty after T.
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=.)(?:(?P<days>[+-]?\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>[+-]?\d+)H)?(?:(?P<minutes>[+-]?\d+)M)?(?:(?P<seconds>[+-]?\d+(?:[.,]\d{0,9})?)S)?)?",
    re.ASCII | re.IGNORECASE,
)
_LONGEST = timedelta(days=3660)


def iso(document: Mapping[str, Json], key: str) -> timedelta | None:
    """An ISO-8601 duration such as `PT40S`; None where absent, null or empty. Raises `InvalidPlan`."""
    value = document.get(key)
    if value is None or value == "":
        return None
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        message = f"'{key}' must be a duration such as PT1H or PT40S, not {foreign.described(value)}."
        raise InvalidPlan(message, pointer=f"/{key}")
    parts = {unit: float((found[unit] or "0").replace(",", ".")) for unit in ("days", "hours", "minutes", "seconds")}
    seconds = parts["days"] * 86400 + parts["hours"] * 3600 + parts["minutes"] * 60 + parts["seconds"]
    return _within_bounds(-seconds if found["sign"] == "-" else seconds, key)


def minutes(document: Mapping[str, Json], key: str) -> timedelta | None:
    """A number of whole minutes (decimals are cut off, as in Orca); None where absent or null."""
    value = _number(document, key)
    return None if value is None else _within_bounds(float(int(value)) * 60, key)


def hours(document: Mapping[str, Json], key: str) -> timedelta | None:
    """A number of hours; None where absent or null."""
    value = _number(document, key)
    return None if value is None else _within_bounds(value * 3600, key)


def instant(document: Mapping[str, Json], key: str, pointer: str) -> datetime | None:
    """An ISO-8601 instant with its offset; None where absent, null or empty. Raises `InvalidPlan`."""
    value = document.get(key)
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        described = foreign.described(value)
        message = f"'{key}' must be an instant such as 2024-05-01T12:00:00Z, not {described}."
        raise InvalidPlan(message, pointer=f"{pointer}/{key}")
    return found


def _number(document: Mapping[str, Json], key: str) -> float | None:
    try:
        value = coercion.double(document.get(key))
    except Unreadable as error:
        raise InvalidPlan(f"'{key}' must be a number, not {error}.", pointer=f"/{key}") from error
    if value is not None and not abs(value) < 1e12:
        raise InvalidPlan(f"'{key}' must be a finite number of a sensible size.", pointer=f"/{key}")
    return value


def _within_bounds(seconds: float, key: str) -> timedelta:
    if seconds < 0:
        raise InvalidPlan(f"'{key}' must not be negative.", pointer=f"/{key}")
    if seconds > _LONGEST.total_seconds():
        raise InvalidPlan(f"'{key}' must not be longer than ten years.", pointer=f"/{key}")
    return timedelta(seconds=seconds)
