"""Mann-Whitney: the confidence interval and estimate of the shift between two samples, as Kayenta computes them.

Theory of operation. For a supposed shift μ let W(μ) be the standardised rank sum of the experiment's samples minus μ,
pooled with the control's, with continuity and tie corrections: the large-sample branch of R's two-sided
`wilcox.test(conf.int = TRUE)`, used for small samples too. W falls in steps as μ grows. The interval's ends are where
it passes the normal quantiles of 98 % confidence, the estimate where it passes zero; `brent` looks for each between
the least and the greatest difference of samples, with an absolute tolerance of 1e-4.

Bit-exactness. Ranks are multiples of one half and all sums of them exact below 2**53, so the sums may be taken in
any order: both sides are sorted once and merged per μ. What must stay as written is the subtraction x - μ per
sample, whose rounding makes and breaks ties, and the order of ties: by bits, -0.0 before 0.0, NaN as +∞.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from gennaker.canary import brent
from gennaker.canary.errors import CanaryError
from gennaker.canary.samples import Samples

QUANTILE = -2.326347874040841
"""Φ⁻¹((1 - 0.98) / 2) as the reference's library computes it; the confidence level can't be set there either."""

_LOW_BITS = np.int64(0x7FFF_FFFF_FFFF_FFFF)


class AllTied(CanaryError):
    """Every sample equals every other at some shift, so ranks say nothing. Caught where pairs are classified."""

    code = "canary.all_tied"


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """By how much the experiment lies above the control, in the samples' unit.

    The solver's tolerance can put the estimate outside the interval, or the interval's ends in the wrong order.
    """

    lower: float
    upper: float
    estimate: float


def shift(experiment: Samples, control: Samples) -> Shift:
    """The 98 % interval and the estimate. Both sides hold at least one sample. Raises `AllTied`."""
    with np.errstate(all="ignore"):
        least = _least(experiment) - _greatest(control)
        greatest = _greatest(experiment) - _least(control)
        rank = _RankStatistic(experiment, control)
        at_least, at_greatest = rank.at(least), rank.at(greatest)

        def crossing(quantile: float) -> float:
            return brent.root(
                lambda point: rank.at(point) - quantile,
                start=least,
                end=greatest,
                at_start=at_least - quantile,
                at_end=at_greatest - quantile,
            )

        def clamped(quantile: float) -> float:
            if at_least - quantile <= 0:
                return least
            if at_greatest - quantile >= 0:
                return greatest
            return crossing(quantile)

        return Shift(lower=clamped(-QUANTILE), upper=clamped(QUANTILE), estimate=crossing(0.0))


def rank_sum(first: Samples, second: Samples) -> float:
    """The sum of the first side's ranks in the pooled samples, ties averaged."""
    ordered = np.sort(_ordered_bits(first))
    others = np.sort(_ordered_bits(second))
    return _twice_wins(ordered, others) / 2 + len(first) * (len(first) + 1) / 2


class _RankStatistic:
    """W(μ) for two samples that are sorted once."""

    def __init__(self, experiment: Samples, control: Samples) -> None:
        bits = _ordered_bits(experiment)
        # Sorted by bits, so that subtracting a number leaves it sorted: equal zeros of both signs included.
        self._experiment = experiment[np.argsort(bits, kind="stable")]
        self._control = np.sort(_ordered_bits(control))
        m, n = float(len(experiment)), float(len(control))
        self._expected = m * n / 2
        self._scale = m * n / 12
        self._count = m + n
        self._pooled = np.empty(len(experiment) + len(control), dtype=np.int64)

    def at(self, shift: float) -> float:
        """The standardised rank sum at a shift. Raises `AllTied` where its deviation is zero."""
        shifted = _ordered_bits(self._experiment - shift)
        difference = _twice_wins(shifted, self._control) / 2 - self._expected
        correction = 0.5 * ((difference > 0) - (difference < 0))
        spread = self._scale * ((self._count + 1) - self._tie_term(shifted) / (self._count * (self._count - 1)))
        deviation = math.sqrt(spread) if spread > 0 else 0.0
        if deviation == 0:
            raise AllTied("All samples are tied, so there is no confidence interval.")
        return (difference - correction) / deviation

    def _tie_term(self, shifted: NDArray[np.int64]) -> float:
        pooled = self._pooled
        pooled[: len(shifted)] = shifted
        pooled[len(shifted) :] = self._control
        pooled.sort(kind="stable")  # timsort: merges the two sorted runs
        changes = np.flatnonzero(pooled[1:] != pooled[:-1])
        if len(changes) == len(pooled) - 1:
            return 0.0
        ends = np.append(changes, len(pooled) - 1)
        ties = np.diff(ends, prepend=-1).astype(np.float64)
        return float((ties * ties * ties - ties).sum())


def _twice_wins(ordered: NDArray[np.int64], others: NDArray[np.int64]) -> int:
    """Twice the number of couples in which the first side is greater, ties counting half."""
    below = np.searchsorted(others, ordered, side="left")
    not_above = np.searchsorted(others, ordered, side="right")
    return int(below.sum()) + int(not_above.sum())


def _ordered_bits(values: Samples) -> NDArray[np.int64]:
    """Integers that stand in the order of the doubles: -0.0 directly below 0.0, NaN as +∞."""
    bits = np.where(np.isnan(values), np.inf, values).view(np.int64)
    return np.where(bits < 0, bits ^ _LOW_BITS, bits)


def _least(values: Samples) -> float:
    return _first_among_equals(values, float(values.min()))


def _greatest(values: Samples) -> float:
    return _first_among_equals(values, float(values.max()))


def _first_among_equals(values: Samples, extreme: float) -> float:
    # Of zeros of both signs the first counts; numpy leaves open which of them it returns.
    return float(values[np.flatnonzero(values == 0)[0]]) if extreme == 0 else extreme
