"""Time zones by their names, as `ZoneId.of` takes them: offsets, UTC and its like, regions."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gennaker.expressions.failures import bad

_OFFSET = re.compile(r"([+-])(\d{1,2}|\d\d:\d\d(?::\d\d)?|\d{4}|\d{6})", re.ASCII)
_ZERO = ("UTC", "GMT", "UT")
_MOST = 18 * 3600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fixed_offset(name: str | None) -> int:
    """Seconds ahead of UTC, from `Z` or `+02:00`. Raises JAVA_EXCEPTION."""
    if name == "Z":
        return 0
    match = _OFFSET.fullmatch(name or "")
    if match is None:
        raise bad(f"{(name or '')[:60]!r} isn't an offset such as +02:00.")
    digits = match[2].replace(":", "").rjust(2, "0").ljust(6, "0")
    hours, minutes, seconds = (int(digits[index : index + 2]) for index in (0, 2, 4))
    ahead = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or ahead > _MOST:
        raise bad(f"The offset {name} is too large.")
    return ahead if match[1] == "+" else -ahead


def offset_at(name: str | None, second: int) -> int:
    """Seconds ahead of UTC that a zone is at an epoch second. Raises JAVA_EXCEPTION."""
    given = name or ""
    if given in _ZERO:
        return 0
    prefix = next((zero for zero in _ZERO if given.startswith((f"{zero}+", f"{zero}-"))), "")
    if given == "Z" or given[:1] in ("+", "-") or prefix:
        return fixed_offset(given.removeprefix(prefix))
    try:
        at = (_EPOCH + timedelta(seconds=second)).astimezone(ZoneInfo(given))
    except (ZoneInfoNotFoundError, ValueError, OSError, OverflowError) as cause:
        raise bad(f"There is no time zone {given[:60]!r}. Use a name such as Europe/Berlin, UTC or +02:00.") from cause
    ahead = at.utcoffset()
    return int(ahead.total_seconds()) if ahead else 0
