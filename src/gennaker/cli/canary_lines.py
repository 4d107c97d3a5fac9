"""Canaries in a terminal: how far each is judged, its scores, and in the end why it passed or failed."""

from collections.abc import Iterator

from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mapping, mappings_at, text_at

_CANARY, _JUDGES = "kayentaCanary", "runCanary"
_WORST = 3
"""Metrics that are told of a canary that didn't pass."""


def of(stages: list[JsonObject]) -> list[str]:
    """A line for each canary that has begun, and one for each metric that spoke against it."""
    parents = {text_at(one, "id"): text_at(one, "parentId") for one in stages}
    found: list[str] = []
    for canary in stages:
        if text_at(canary, "type") == _CANARY and canary.get("startTime"):
            judged = [one for one in stages if text_at(one, "type") == _JUDGES and _is_in(one, canary, parents)]
            found += [_scored(canary, judged), *_against(mapping(_report(canary)))]
    return found


def _is_in(stage: JsonObject, canary: JsonObject, parents: dict[str, str]) -> bool:
    parent = text_at(stage, "parentId")
    while parent and parent != text_at(canary, "id"):
        parent = parents.get(parent, "")
    return bool(parent)


def _scored(canary: JsonObject, judged: list[JsonObject]) -> str:
    scores = [_number(mapping(one.get("outputs")).get("canaryScore")) for one in judged]
    known = [one for one in scores if one]
    thresholds = mapping(mapping(judged[0].get("context")).get("scoreThresholds")) if judged else {}
    needed = ", ".join(f"{key} {_number(thresholds[key])}" for key in ("pass", "marginal") if key in thresholds)
    said = f"canary {text_at(canary, 'name')}: {len(known)} of {len(judged)} judged"
    said += f", score {', '.join(known)}" if known else ""
    said += f" ({needed})" if needed else ""
    message = text_at(_report(canary), "message")
    return f"{said}. {message}" if message else said


def _against(report: JsonObject) -> Iterator[str]:
    bad = [one for one in mappings_at(report, "metrics") if one.get("passed") is False]
    for one in bad[:_WORST]:
        means = f"baseline {_number(one.get('baselineMean'))}, canary {_number(one.get('canaryMean'))}"
        yield f"  {text_at(one, 'name')}: {text_at(one, 'classification')} ({means})"
    if len(bad) > _WORST:
        yield f"  and {len(bad) - _WORST} more metrics"


def _report(canary: JsonObject) -> JsonObject:
    return mapping(mapping(canary.get("outputs")).get("canaryReport"))


def _number(value: Json) -> str:
    """In four digits; nothing, where it is none."""
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else ""
