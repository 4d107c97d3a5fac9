"""Classification of one pair: Pass, High, Low, Nodata, NodataFailMetric or Error, and by which rule.

The order of the rules and every strict or inclusive comparison are Kayenta's (its Mann-Whitney classifier, tolerance
0.25, confidence 0.98, neither of which can be set there). The decision is pure except for the generator that it is
given: when both sides are constant, noise in proportion to the constants is drawn from it.
"""

import math
from enum import StrEnum

import msgspec
import numpy as np

from gennaker.canary import mann_whitney, statistics
from gennaker.canary.config import Direction, Measure, NanStrategy, Options
from gennaker.canary.explain import Comparison, Rule
from gennaker.canary.java_random import JavaRandom
from gennaker.canary.samples import Samples

TOLERANCE = 0.25
NOISE = 1e-5
IDENTICAL_REASON = "The Canary and Baseline data are identical"
FAILED_REASON = "Metric Classification Failed"


class Label(StrEnum):
    """What a pair is found to be."""

    PASS = "Pass"
    HIGH = "High"
    LOW = "Low"
    NODATA = "Nodata"
    NODATA_FAIL = "NodataFailMetric"
    ERROR = "Error"


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """A pair's label and what led to it."""

    label: Label
    rule: Rule
    reason: str | None = None
    critical: bool = False
    ratio: float | None = 1.0
    """None for Error alone."""
    comparison: Comparison | None = None
    noisy: bool = False


def classify(
    name: str, *, experiment: Samples, control: Samples, options: Options, chance: JavaRandom
) -> Classification:
    """Classifies two prepared sides, which hold no NaN."""
    if not len(experiment) or not len(control):
        return _without_samples(name, options)
    if np.array_equal(np.sort(experiment), np.sort(control)):
        return Classification(label=Label.PASS, rule=Rule.IDENTICAL, reason=IDENTICAL_REASON)
    both_constant = statistics.constant(experiment) and statistics.constant(control)
    if both_constant and experiment[0] == control[0]:
        return Classification(label=Label.PASS, rule=Rule.ONE_VALUE)
    if both_constant:
        experiment, control = _noisy(experiment, chance), _noisy(control, chance)
    try:
        comparison = _compare(experiment, control, options.measure)
    except mann_whitney.AllTied:
        return Classification(
            label=Label.ERROR, rule=Rule.ALL_TIED, reason=FAILED_REASON, ratio=None, noisy=both_constant
        )
    return _decided(name, comparison, options, noisy=both_constant)


def effect_size(experiment: Samples, control: Samples) -> float:
    """The common-language effect size, with the reference's 32-bit integers that overflow for large samples."""
    m, n = len(experiment), len(control)
    numerator = 2 * mann_whitney.rank_sum(experiment, control) - _int32(m * (m + 1))
    divisor = _int32(2 * n * m)
    if divisor == 0:
        return math.nan if numerator == 0 else math.copysign(math.inf, numerator)
    return numerator / divisor


def _without_samples(name: str, options: Options) -> Classification:
    if options.nan_strategy is NanStrategy.REPLACE:
        return Classification(label=Label.PASS, rule=Rule.EMPTY_PASSES)
    reason = f"Missing data for {name}"
    if options.must_have_data and not options.critical:
        return Classification(label=Label.NODATA_FAIL, rule=Rule.NO_DATA_BUT_NEEDED, reason=reason)
    return Classification(label=Label.NODATA, rule=Rule.NO_DATA, reason=reason, critical=options.critical)


def _noisy(values: Samples, chance: JavaRandom) -> Samples:
    scale = float(values[0]) * NOISE
    with np.errstate(all="ignore"):
        return values + np.array([chance.next_gaussian() for _ in values], dtype=np.float64) * scale


def _compare(experiment: Samples, control: Samples, measure: Measure) -> Comparison:
    shift = mann_whitney.shift(experiment, control)
    means = statistics.mean(experiment), statistics.mean(control)
    deviation = math.nan if 0 in means else means[0] / means[1]
    effect = effect_size(experiment, control) if measure is Measure.CLES else deviation
    return Comparison(shift=shift, bound=TOLERANCE * abs(shift.estimate), deviation=deviation, effect=effect)


def _decided(name: str, comparison: Comparison, options: Options, *, noisy: bool) -> Classification:
    effect = comparison.effect
    above = comparison.shift.lower > comparison.bound
    below = comparison.shift.upper < -comparison.bound
    up_counts = options.direction is not Direction.DECREASE
    down_counts = options.direction is not Direction.INCREASE

    label, rule = Label.PASS, _passing_rule((above and up_counts) or (below and down_counts), above or below)
    critical = False
    if above and up_counts and not effect < options.allowed_increase:
        critical = options.critical and not effect < options.critical_increase
        label, rule = Label.HIGH, Rule.CRITICALLY_HIGH if critical else Rule.TOO_HIGH
    elif below and down_counts and not effect > options.allowed_decrease:
        critical = options.critical and not effect > options.critical_decrease
        label, rule = Label.LOW, Rule.CRITICALLY_LOW if critical else Rule.TOO_LOW
    return Classification(
        label=label,
        rule=rule,
        reason=_reason(name, label, critical=critical),
        critical=critical,
        ratio=comparison.deviation,
        comparison=comparison,
        noisy=noisy,
    )


def _passing_rule(counts: bool, significant: bool) -> Rule:
    if counts:
        return Rule.EFFECT_ALLOWED
    return Rule.WRONG_DIRECTION if significant else Rule.NOT_ABOVE_TOLERANCE


def _reason(name: str, label: Label, *, critical: bool) -> str | None:
    if label is Label.PASS:
        return None
    return (
        f"The metric {name} was classified as {label} (Critical)" if critical else f"{name} was classified as {label}"
    )


def _int32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31
