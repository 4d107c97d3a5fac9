"""Reckoning: what the answers and logs of the demo say, as numbers and texts. Pure but for reading the load's log."""

import json
from datetime import datetime
from pathlib import Path

import msgspec

from gennaker.demo import watching
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused

NEEDED_PER_GROUP = 60.0
USUAL_RATE = 600.0
"""Requests a second."""
MOST_SHARE = 40.0
DELIVERY_AIM_SECONDS = 60.0
"""From a push to all of production, on a machine that has nothing else to do."""
LEAST_RATE = 100 * NEEDED_PER_GROUP / MOST_SHARE
"""Requests a second that baseline and canary each must see for the judge to have power."""
_UNAVAILABLE = (502, 503, 504)


class LoadLog(msgspec.Struct, frozen=True, kw_only=True):
    """What the visitors saw."""

    requests: int
    requests_per_second: float
    broken: tuple[JsonObject, ...]
    """Transport errors."""
    unavailable: tuple[JsonObject, ...]
    """Answers 502, 503 or 504."""
    failed: tuple[JsonObject, ...]
    """All other errors, each with the version that made it."""


def load_log(file: Path) -> LoadLog:
    """Reads the whole log of a load generator that has ended."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    errors = [line for line in lines if "error" in line]
    return LoadLog(
        requests=int(lines[-1].get("total", {}).get("requests", 0)),
        requests_per_second=float(lines[-1].get("requests_per_second", 0)),
        broken=tuple(line for line in lines if "transport_error" in line),
        unavailable=tuple(line for line in errors if line["error"] in _UNAVAILABLE),
        failed=tuple(line for line in errors if line["error"] not in _UNAVAILABLE),
    )


def rate_of(log: Path) -> float:
    """Requests a second in the last whole second."""
    seconds = [json.loads(line) for line in log.read_text().splitlines()]
    counted = [line["second"].get("requests", 0) for line in seconds if "second" in line]
    return float(counted[-1]) if counted else 0.0


def check_rate(rate: float) -> None:
    """Raises Refused if a canary would see too little of it to be judged."""
    if not rate >= LEAST_RATE:
        raise Refused(
            Problem(
                code="demo.rate",
                message=f"With {rate:g} requests a second baseline and canary see too little to be judged.",
                remedy=f"Give --rate {LEAST_RATE:g} or more.",
            )
        )


def share_needed(rate: float) -> float:
    """10 %, or as much as baseline and canary need to see enough; never more than 40 % each."""
    needed = 100 * NEEDED_PER_GROUP / rate if rate else MOST_SHARE
    return min(MOST_SHARE, max(10.0, float(int(needed + 0.999))))


def seconds(ended: JsonObject) -> float:
    """How long an execution or a stage ran, by its own times."""
    first, last = (datetime.fromisoformat(str(ended[key])) for key in ("startTime", "endTime"))
    return (last - first).total_seconds()


def against_aim(took: float, *, busy: float, processors: int) -> str:
    """How long the good change took beside how long it should; `busy`: how many programs have wanted a processor meanwhile."""
    aim = f"{DELIVERY_AIM_SECONDS:.0f} s"
    said = f"The good change took {took:.0f} s from its push to production"
    if took <= DELIVERY_AIM_SECONDS:
        return f"{said}; it should take {aim} at most."
    if busy > processors:
        why = f"on average {busy:.0f} programs wanted the {processors} processors of this machine, the demo's own among them"
    else:
        why = f"the machine wasn't busy (load {busy:.1f}, {processors} processors), so it, its disk or Gennaker is too slow"
    return f"{said}, longer than the {aim} that it should: {why}. That alone doesn't fail the demo."


def rollback_aim(*, busy: float, processors: int) -> float:
    """Seconds in which clients see the old version again: one; ten where many others want the processors."""
    return 1 if busy <= 4 * processors else 10


def image_of(build: JsonObject) -> JsonObject:
    """The image that a build has made. Raises Refused if there is none."""
    stages = build.get("stages")
    for one in stages if isinstance(stages, list) else []:
        outputs = one.get("outputs") if isinstance(one, dict) else None
        image = outputs.get("image") if isinstance(outputs, dict) else None
        if isinstance(image, dict):
            return image
    raise Refused(Problem(code="demo.no_image", message=f"{build['name']} has built no image."))


def scores(execution: JsonObject) -> str:
    """The canary's scores, in words; empty where it has none."""
    try:
        canary = watching.stage(execution, "Canary")
    except KeyError:
        return ""
    found: Json = None
    for place in ("outputs", "context"):
        values = canary.get(place)
        found = found or (values.get("canaryScores") if isinstance(values, dict) else None)
    return ", ".join(str(score) for score in found) if isinstance(found, list) else ""


def text(value: Json, key: str) -> str:
    """A text in an answer."""
    return str(value.get(key)) if isinstance(value, dict) else ""
