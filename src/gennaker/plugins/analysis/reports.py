"""Reports: what a judgement and a whole analysis say to people and programs. Pure.

An interval's report is kept whole as evidence: Kayenta's judge result with the explanations beside it. What stages hold
and pages show is bounded: one row a metric, those that failed first.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from gennaker.canary import numbers
from gennaker.canary.explain import Explanation
from gennaker.canary.judge import Judgement, PairResult
from gennaker.canary.mixing import MetricSetPair
from gennaker.canary.verdict import StageThresholds
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem

FEW_POINTS = 50
FEW_POINTS_WARNING = (
    "One of the metrics returned fewer than 50 data points, which can reduce confidence in the final canary score."
)
"""Kayenta's text."""
_MOST_ROWS = 40
_SHOWN_FAILURES = 5
_WITHOUT_DATA = ("Nodata", "NodataFailMetric")


class Sides(msgspec.Struct, frozen=True, kw_only=True):
    """Who was compared, and since when."""

    control: str
    experiment: str
    start: datetime
    control_start: datetime
    end: datetime


def interval(judgement: Judgement, sides: Sides, *, number: int, warnings: Sequence[str]) -> JsonObject:
    """What the stage holds of one judgement."""
    result = judgement.result
    said: list[Json] = list(warnings)
    return {
        "number": number,
        "start": instant(sides.start),
        "end": instant(sides.end),
        "baseline": sides.control,
        "canary": sides.experiment,
        "score": numbers.wire(result.score.score),
        "classification": result.score.classification,
        "classificationReason": result.score.classification_reason,
        "groups": [{"name": one.name, "score": numbers.wire(one.score)} for one in result.group_scores],
        "metrics": _rows(judgement, sides),
        "warnings": said,
    }


def document(
    judgement: Judgement, held: JsonObject, *, config: JsonObject, thresholds: StageThresholds, duration: str
) -> JsonObject:
    """What is kept as evidence: Kayenta's result, the explanations, and by which config it was judged."""
    explanations: list[Json] = [one.as_json() for one in judgement.explanations]
    return {
        "result": {"canaryDuration": duration, "judgeResult": judgement.judge_result()},
        "explanations": explanations,
        "thresholds": thresholds_json(thresholds),
        "canaryConfig": config,
        **{key: held[key] for key in ("number", "start", "end", "baseline", "canary", "warnings")},
    }


def warnings(judgement: Judgement, lost: str) -> list[str]:
    """What lowers the trust in a judgement."""
    few = any(one.control_metadata["stats"].count < FEW_POINTS for one in judgement.result.results)
    return [*([lost] if lost else []), *([FEW_POINTS_WARNING] if few else [])]


def pairs_json(pairs: Sequence[MetricSetPair]) -> list[JsonObject]:
    """Kayenta's metric set pair list."""
    return [one.as_json() for one in pairs]


def whole(
    intervals: Sequence[JsonObject], *, passed: bool, message: str, thresholds: StageThresholds, deployed: JsonObject
) -> JsonObject:
    """`canaryReport`: the analysis as pages show it; the metrics are the last interval's."""
    last = intervals[-1] if intervals else {}
    shown: list[Json] = [
        {key: value for key, value in one.items() if key not in ("metrics", "groups")} for one in intervals
    ]
    said = [warning for one in intervals if isinstance(found := one.get("warnings"), list) for warning in found]
    return {
        "didPassThresholds": passed,
        "score": last.get("score"),
        "scores": [one.get("score") for one in intervals],
        "message": message,
        "thresholds": thresholds_json(thresholds),
        "baseline": last.get("baseline"),
        "canary": last.get("canary"),
        **deployed,
        "intervals": shown,
        "groups": last.get("groups", []),
        "metrics": last.get("metrics", []),
        "hasWarnings": bool(said),
        "warnings": list(dict.fromkeys(map(str, said))),
    }


def low_score(message: str, last: JsonObject) -> Problem:
    """Why the analysis failed: the message about the score, then each metric that failed, with its numbers."""
    rows = last.get("metrics")
    failed = [row for row in rows if isinstance(row, dict) and not row.get("passed")] if isinstance(rows, list) else []
    sentences = [sentence(row) for row in failed[:_SHOWN_FAILURES]]
    if len(failed) > _SHOWN_FAILURES:
        sentences.append(f"And {len(failed) - _SHOWN_FAILURES} more metrics.")
    reason = last.get("classificationReason")
    if reason and not failed:
        sentences.append(f"{reason}.")
    metrics: list[Json] = list(failed)
    return Problem(
        code="canary.failed",
        message=" ".join([message, *sentences]),
        remedy="Production keeps the version that it had; baseline and canary are removed.",
        details={"score": last.get("score"), "interval": last.get("number"), "metrics": metrics},
    )


def sentence(row: JsonObject) -> str:
    """One metric's failure in a sentence."""
    name = f"{row.get('name')}{' (critical)' if row.get('critical') else ''}"
    if row.get("classification") in _WITHOUT_DATA:
        return f"{name}: {row.get('missing')}"
    means = f"baseline {_short(row.get('baselineMean'))}, canary {_short(row.get('canaryMean'))}"
    ratio = row.get("ratio")
    times = f", ratio {_short(ratio)}" if isinstance(ratio, int | float) else ""
    if row.get("lower") is None:
        return f"{name} is {row.get('classification')}: {means}{times}."
    return (
        f"{name} is {row.get('classification')}: {means}{times}; shift {_short(row.get('lower'))} to "
        f"{_short(row.get('upper'))} with 98 % confidence, tolerance ±{_short(row.get('bound'))}."
    )


def thresholds_json(thresholds: StageThresholds) -> JsonObject:
    """Thresholds as Kayenta's clients know them."""
    return {"pass": thresholds.passing, "marginal": thresholds.marginal}


def instant(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


def _rows(judgement: Judgement, sides: Sides) -> list[Json]:
    rows = [_row(*both, sides) for both in zip(judgement.result.results, judgement.explanations, strict=True)]
    rows.sort(key=lambda row: row["passed"] is True)
    return [*rows[:_MOST_ROWS]]


def _row(result: PairResult, why: Explanation, sides: Sides) -> JsonObject:
    control, experiment = result.control_metadata["stats"], result.experiment_metadata["stats"]
    row: JsonObject = {
        "name": result.name,
        "groups": list(result.groups or ()),
        "classification": str(result.classification),
        "reason": result.classification_reason,
        "critical": result.critical,
        "muted": result.muted,
        "passed": result.muted or str(result.classification) in ("Pass", "Error"),
        "baselineMean": control.mean,
        "canaryMean": experiment.mean,
        "ratio": None if result.result_metadata is None else result.result_metadata.ratio,
        "baselineCount": control.count,
        "canaryCount": experiment.count,
        "lower": why.lower,
        "upper": why.upper,
        "estimate": why.estimate,
        "bound": why.bound,
        "rule": str(why.rule),
        "sentence": why.sentence,
    }
    if result.tags:
        row["tags"] = dict(result.tags)
    if str(result.classification) in _WITHOUT_DATA:
        row["missing"] = _missing(why, sides)
    return {key: numbers.wire(value) for key, value in row.items() if value is not None}


def _missing(why: Explanation, sides: Sides) -> str:
    without = [
        f"the {side} {name} since {since:%Y-%m-%d %H:%M:%S} UTC"
        for side, name, since, counts in (
            ("baseline", sides.control, sides.control_start, why.control),
            ("canary", sides.experiment, sides.start, why.experiment),
        )
        if not counts.compared
    ]
    return f"there were no samples of {' and of '.join(without)}."


def _short(value: Json) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)
