"""Execution windows: the times of day and days of the week in which a stage may begin. Pure.

Orca's rules: minutes count, both ends belong to a window; days are 1 (Sunday) to 7 (Saturday), none: every day; no
times but days: the whole day; a window whose end hour is before its start hour goes on after midnight, as a part of
its own that belongs to the next day (hours alone are compared: 10:30 to 10:15 is never open).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gennaker.model import records
from gennaker.model.codec import Json
from gennaker.model.problems import Problem, Refused
from gennaker.model.stage_keys import ExecutionWindow

_LAST_MINUTE = time(23, 59)
_SUNDAY, _SATURDAY = 1, 7
_WEEK = 8
"""Days to look at: today's windows may all be over, then the same day next week is the next one."""


def read(raw: Json) -> ExecutionWindow:
    """The window that is meant; raises Refused with everything that is wrong with it."""
    if not isinstance(raw, dict):
        raise Refused(_wrong("The stage has no `restrictedExecutionWindow`", ""))
    window = records.read(raw, ExecutionWindow)
    if isinstance(window, tuple):
        raise Refused(*(_wrong(f"`{one.name}` {one.said}", one.pointer) for one in window))
    problems = [*_wrong_times(window), *_wrong_days(window), *_wrong_jitter(window)]
    if not window.whitelist and not window.days:
        problems.append(_wrong("It names neither times nor days", ""))
    if problems:
        raise Refused(*problems)
    return window


def opening(window: ExecutionWindow, at: datetime, zone: ZoneInfo) -> datetime | None:
    """The instant at which a stage may begin: now if it is open, else the next opening; None: it never opens."""
    spans = sorted(_spans(window))
    local = at.astimezone(zone)
    minute = local.time().replace(second=0, microsecond=0)
    if _is_allowed(window, local) and any(start <= minute <= end for start, end in spans):
        return at
    for ahead in range(_WEEK):
        day = local.date() + timedelta(days=ahead)
        starts = [datetime.combine(day, start, tzinfo=zone) for start, _ in spans]
        if not starts or not _is_allowed(window, starts[0]):
            continue
        later = [one for one in (start.astimezone(UTC) for start in starts) if one > at]
        if later:
            return later[0]
    return None


def _spans(window: ExecutionWindow) -> Iterator[tuple[time, time]]:
    """The open parts of a day."""
    if not window.whitelist:
        yield time(0), _LAST_MINUTE
    for one in window.whitelist or ():
        start, end = time(one.start_hour, one.start_min), time(one.end_hour, one.end_min)
        if one.start_hour > one.end_hour:
            yield start, _LAST_MINUTE
            yield time(0), end
        elif start <= end:
            yield start, end


def _is_allowed(window: ExecutionWindow, local: datetime) -> bool:
    return not window.days or local.isoweekday() % 7 + 1 in window.days


def _wrong_times(window: ExecutionWindow) -> list[Problem]:
    found = []
    for place, one in enumerate(window.whitelist or ()):
        try:
            time(one.start_hour, one.start_min)
            time(one.end_hour, one.end_min)
        except (ValueError, OverflowError) as error:
            found.append(_wrong(f"Its window number {place + 1} is no time of day: {error}", f"/whitelist/{place}"))
    return found


def _wrong_days(window: ExecutionWindow) -> list[Problem]:
    return [
        _wrong(f"{day} is no day: 1 is Sunday, 7 Saturday", f"/days/{place}")
        for place, day in enumerate(window.days or ())
        if not _SUNDAY <= day <= _SATURDAY
    ]


def _wrong_jitter(window: ExecutionWindow) -> list[Problem]:
    jitter = window.jitter
    if jitter is None or not jitter.enabled or 0 <= jitter.min_delay <= max(jitter.max_delay, 0):
        return []
    if jitter.max_delay == 0 and jitter.min_delay >= 0:
        return []  # no delay at all, whatever the least one says
    return [_wrong(f"No delay is between {jitter.min_delay} and {jitter.max_delay} seconds", "/jitter")]


def _wrong(said: str, where: str) -> Problem:
    return Problem(
        code="window.wrong",
        message=f"The execution window can't be used. {said.rstrip('.')}.",
        remedy="Give `days` (1 Sunday to 7 Saturday), or times in `whitelist` (startHour, startMin, endHour, endMin).",
        pointer=f"/restrictedExecutionWindow{where}",
    )
