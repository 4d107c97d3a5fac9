"""Resizing: the arithmetic of Orca's resize actions. Pure."""

import math
from collections.abc import Iterable

from msgspec.structs import replace

from gennaker.interfaces.clouds import Capacity
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused

TO_CLUSTER = "scale_to_cluster"
TO_SERVER_GROUP = "scale_to_server_group"
_MOST = 1e9
"""Instances, and percent: what is beyond is a slip, or infinite."""
ACTIONS = ("scale_exact", "scale_up", "scale_down", TO_CLUSTER, TO_SERVER_GROUP)


def action_of(stage: JsonObject) -> str:
    """What a resizeServerGroup stage does."""
    return str(stage.get("action") or "scale_exact").lower()


def target(now: Capacity, stage: JsonObject, *, like: Capacity | None = None) -> Capacity:
    """The capacity that a resizeServerGroup stage asks for; `like`: that of the cluster or server group which it names.

    Raises Refused.
    """
    return pinned(_target(now, stage, like or now), stage)


def largest(capacities: Iterable[Capacity]) -> Capacity:
    """The largest of a cluster's numbers, each by itself."""
    found = list(capacities)
    return Capacity(
        min=max(one.min for one in found), max=max(one.max for one in found), desired=max(one.desired for one in found)
    )


def pinned(capacity: Capacity, stage: JsonObject) -> Capacity:
    """Orca's `pinCapacity` (min = max = desired), `pinMinimumCapacity` (min = desired) and `unpinMinimumCapacity`."""
    if foreign.flag(stage.get("unpinMinimumCapacity")):
        low = _original_minimum(stage)
        if low is not None and low <= capacity.min:
            capacity = replace(capacity, min=low)
    if foreign.flag(stage.get("pinCapacity")):
        return Capacity(min=capacity.desired, max=capacity.desired, desired=capacity.desired)
    return replace(capacity, min=capacity.desired) if foreign.flag(stage.get("pinMinimumCapacity")) else capacity


def _original_minimum(stage: JsonObject) -> int | None:
    source = stage.get("source")
    name = source.get("serverGroupName") if isinstance(source, dict) else stage.get("serverGroupName")
    for key in (f"originalCapacity.{name}", "savedCapacity"):
        found = stage.get(key)
        if isinstance(found, dict) and found.get("min") is not None:
            return _count(found["min"])
    return None


def _target(now: Capacity, stage: JsonObject, like: Capacity) -> Capacity:
    action = action_of(stage)
    if action == TO_SERVER_GROUP:
        percent = _number(stage.get("scalePct"))
        return like if percent is None else _scaled(like, percent)
    if action == TO_CLUSTER:
        return _beyond(like, stage)
    if action == "scale_exact":
        wanted = stage.get("capacity")
        exact = _exact(now, wanted if isinstance(wanted, dict) else {})
        percent = _number(stage.get("scalePct"))
        return exact if percent is None else _scaled(exact, percent)
    if action not in ACTIONS:
        raise Refused(_unknown(action))
    sign = 1 if action == "scale_up" else -1
    percent, count = _number(stage.get("scalePct")), _number(stage.get("scaleNum"))
    if percent is None and count is None:
        raise Refused(_by_how_much(action))

    def moved(size: int) -> int:
        return max(0, size + sign * (_share(size, percent) if percent else math.ceil(count or 0)))

    return Capacity(min=moved(now.min), max=moved(now.max), desired=moved(now.desired))


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


def _beyond(cluster: Capacity, stage: JsonObject) -> Capacity:
    """As large as the cluster's largest, and so much more, within its maximum."""
    percent, count = _number(stage.get("scalePct")), _number(stage.get("scaleNum"))
    more = _share(cluster.desired, abs(percent)) if percent else math.ceil(abs(count or 0))
    high = max(cluster.max, cluster.min)
    desired = min(max(cluster.desired, cluster.min) + more, high)
    return Capacity(min=min(cluster.min, desired), max=high, desired=desired)


def _share(size: int, percent: float) -> int:
    """Rounded up as Orca's doubles are: 7 % of 100 are 8."""
    return math.ceil(size * (percent / 100))


def _scaled(now: Capacity, percent: float) -> Capacity:
    """Of the desired size alone; the others give way to it."""
    whole = max(0, _share(now.desired, percent))
    return Capacity(min=min(now.min, whole), max=max(now.max, whole), desired=whole)


def _number(value: Json) -> float | None:
    if not isinstance(value, int | float | str) or value == "":
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise Refused(_no_number(value)) from error
    if abs(found) > _MOST or math.isnan(found):
        raise Refused(_no_number(value))
    return found


def _count(value: Json) -> int | None:
    found = _number(value)
    if found is not None and (found < 0 or found != int(found)):
        raise Refused(_no_number(value))
    return None if found is None else int(found)


def _no_number(value: Json) -> Problem:
    return Problem(
        code="resize.number",
        message=f"{foreign.described(value)} is no number of instances.",
        remedy="Correct the stage.",
    )


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
