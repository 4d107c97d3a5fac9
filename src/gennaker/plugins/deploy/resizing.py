"""Resizing: the arithmetic of Orca's resize actions. Pure."""

import math

from gennaker.interfaces.clouds import Capacity
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused

ACTIONS = ("scale_exact", "scale_up", "scale_down")


def target(now: Capacity, stage: JsonObject) -> Capacity:
    """The capacity that a resizeServerGroup stage asks for. Raises Refused."""
    action = str(stage.get("action") or "scale_exact").lower()
    if action == "scale_exact":
        wanted = stage.get("capacity")
        exact = _exact(now, wanted if isinstance(wanted, dict) else {})
        percent = _number(stage.get("scalePct"))
        return exact if percent is None else _scaled(exact, exact.desired * percent / 100)
    if action not in ACTIONS:
        raise Refused(_unknown(action))
    sign = 1 if action == "scale_up" else -1
    percent, count = _number(stage.get("scalePct")), _number(stage.get("scaleNum"))
    if percent is None and count is None:
        raise Refused(_by_how_much(action))
    factor = None if percent is None else 1 + sign * percent / 100
    return _scaled(now, now.desired * factor if factor is not None else now.desired + sign * (count or 0))


def _exact(now: Capacity, wanted: JsonObject) -> Capacity:
    """Absent fields follow from the present capacity (Orca's mergeConfiguredCapacityWithCurrent)."""
    low, high, desired = (_count(wanted.get(key)) for key in ("min", "max", "desired"))
    if low is None and high is None and desired is None:
        return now
    low_filled = low if low is not None else min(now.min, high if high is not None else now.min)
    high_filled = high if high is not None else max(low_filled, now.max, desired or 0)
    if low is None and desired is not None:
        low_filled = min(low_filled, desired)
    desired = min(max(now.desired, low_filled), high_filled) if desired is None else desired
    if not low_filled <= desired <= high_filled:
        raise Refused(_disordered(low_filled, desired, high_filled))
    return Capacity(min=low_filled, max=high_filled, desired=desired)


def _scaled(now: Capacity, desired: float) -> Capacity:
    whole = max(0, math.ceil(round(desired, 9)))
    return Capacity(min=min(now.min, whole), max=max(now.max, whole), desired=whole)


def _number(value: Json) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) and value != "" else None
    except ValueError as error:
        raise Refused(_no_number(value)) from error


def _count(value: Json) -> int | None:
    found = _number(value)
    if found is not None and (found < 0 or found != int(found)):
        raise Refused(_no_number(value))
    return None if found is None else int(found)


def _no_number(value: Json) -> Problem:
    return Problem(code="resize.number", message=f"{value!r} is no number of instances.", remedy="Correct the stage.")


def _disordered(low: int, desired: int, high: int) -> Problem:
    return Problem(
        code="resize.order",
        message=f"min {low}, desired {desired}, max {high} are not in order.",
        remedy="Correct `capacity`.",
        pointer="/capacity",
    )


def _unknown(action: str) -> Problem:
    return Problem(
        code="resize.action",
        message=f"There is no action {action!r}.",
        remedy=f"Use one of {', '.join(ACTIONS)}.",
        pointer="/action",
    )


def _by_how_much(action: str) -> Problem:
    return Problem(
        code="resize.amount", message=f"{action} doesn't say by how much.", remedy="Give `scalePct` or `scaleNum`."
    )
