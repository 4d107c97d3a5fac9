"""Explanations: why a pair got its label, beside Kayenta's result and never inside it.

Kayenta's result holds a label, one ratio and statistics. Whoever is asked why a canary failed needs the interval, the
tolerance, the effect and the thresholds it was held against, what was thrown away before, and whether chance played
a part. `judge` fills one `Explanation` per pair; UI and reports show it, clients of Kayenta's API never see it.
"""

from enum import StrEnum
from typing import assert_never

import msgspec

from gennaker.canary import numbers
from gennaker.canary.config import Measure, Options
from gennaker.canary.mann_whitney import Shift
from gennaker.canary.preprocessing import Prepared
from gennaker.model.codec import JsonObject


class Rule(StrEnum):
    """The rule that decided a pair's label."""

    NO_DATA = "no-data"
    NO_DATA_BUT_NEEDED = "no-data-but-needed"
    EMPTY_PASSES = "empty-passes"
    IDENTICAL = "identical"
    ONE_VALUE = "one-value"
    NOT_ABOVE_TOLERANCE = "not-above-tolerance"
    EFFECT_ALLOWED = "effect-allowed"
    WRONG_DIRECTION = "wrong-direction"
    TOO_HIGH = "too-high"
    TOO_LOW = "too-low"
    CRITICALLY_HIGH = "critically-high"
    CRITICALLY_LOW = "critically-low"
    ALL_TIED = "all-tied"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers that a pair's label was decided by."""

    shift: Shift
    bound: float
    """How far the interval must lie from zero to count: a quarter of the estimate's size."""
    deviation: float
    """Mean of the experiment over mean of the control; NaN where either is 0."""
    effect: float
    """What is held against the allowed and critical thresholds, by the metric's measure."""


class SideCounts(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one side's samples before they were compared."""

    received: int
    compared: int
    missing_removed: int
    missing_replaced: int
    outliers_removed: int
    lower_fence: float | None
    upper_fence: float | None


class Noise(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Both sides were constant, so random noise was added to tell them apart; Kayenta does so without a seed."""

    seed: int
    """Of the judgement's generator (java.util.Random), which all its pairs draw from in their order."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why one pair got its label."""

    name: str | None
    id: str | None
    label: str
    rule: Rule
    sentence: str
    direction: str
    measure: str
    allowed_increase: float
    allowed_decrease: float
    critical_increase: float
    critical_decrease: float
    control: SideCounts
    experiment: SideCounts
    lower: float | None = None
    """Ends of the 98 % interval of the shift, in the metric's unit; None where nothing was compared."""
    upper: float | None = None
    estimate: float | None = None
    bound: float | None = None
    deviation: float | None = None
    effect: float | None = None
    noise: Noise | None = None

    def as_json(self) -> JsonObject:
        """The explanation as JSON, NaN and infinities as texts, absent numbers left out."""
        return {key: value for key, value in numbers.record(self).items() if value is not None}


def counts(received: int, prepared: Prepared) -> SideCounts:
    """What preparation did to one side."""
    fences = prepared.fences
    return SideCounts(
        received=received,
        compared=len(prepared.values),
        missing_removed=prepared.missing_removed,
        missing_replaced=prepared.missing_replaced,
        outliers_removed=prepared.outliers_removed,
        lower_fence=None if fences is None else fences.lower,
        upper_fence=None if fences is None else fences.upper,
    )


def sentence(rule: Rule, options: Options, comparison: Comparison | None) -> str:
    """One sentence for a person that says why the rule fired."""
    if comparison is not None:
        return f"{_compared(rule, options, comparison)} {_numbers(options, comparison)}"
    match rule:
        case Rule.NO_DATA:
            return "One side has no samples, so nothing was compared."
        case Rule.NO_DATA_BUT_NEEDED:
            return "One side has no samples, and the metric must have data."
        case Rule.EMPTY_PASSES:
            return "One side is empty; with nanStrategy replace that passes."
        case Rule.IDENTICAL:
            return "Both sides hold the same values."
        case Rule.ONE_VALUE:
            return "Both sides hold one and the same constant."
        case _:
            return "All samples are tied, so ranks say nothing; the metric is left out of the score."


def _compared(rule: Rule, options: Options, comparison: Comparison) -> str:
    match rule:
        case Rule.TOO_HIGH:
            return "The canary is higher than the baseline by more than is allowed."
        case Rule.TOO_LOW:
            return "The canary is lower than the baseline by more than is allowed."
        case Rule.CRITICALLY_HIGH:
            return "The canary is higher than the baseline by a critical amount."
        case Rule.CRITICALLY_LOW:
            return "The canary is lower than the baseline by a critical amount."
        case Rule.EFFECT_ALLOWED:
            return f"The shift is significant, but the effect {comparison.effect:.6g} is allowed."
        case Rule.WRONG_DIRECTION:
            return f"The shift is significant, but only a change of direction {options.direction} counts."
        case Rule.NOT_ABOVE_TOLERANCE:
            return "The shift is within the tolerance."
        case (
            Rule.NO_DATA | Rule.NO_DATA_BUT_NEEDED | Rule.EMPTY_PASSES | Rule.IDENTICAL | Rule.ONE_VALUE | Rule.ALL_TIED
        ):
            return ""
        case _:
            assert_never(rule)


def _numbers(options: Options, comparison: Comparison) -> str:
    shift = comparison.shift
    measure = "means' ratio" if options.measure is Measure.MEAN_RATIO else "chance of being higher"
    return (
        f"Shift {shift.estimate:.6g}, 98 % interval {shift.lower:.6g} to {shift.upper:.6g}, "
        f"tolerance ±{comparison.bound:.6g}, {measure} {comparison.effect:.6g}."
    )
