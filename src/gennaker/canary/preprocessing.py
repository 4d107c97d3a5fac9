"""Preprocessing: missing samples and outliers of one side, before anything is compared.

Each side is prepared by itself, so a spike in the experiment alone can be cut away; that is how Kayenta does it.
"""

import math

import msgspec
import numpy as np

from gennaker.canary import statistics
from gennaker.canary.config import NanStrategy, Options, OutlierStrategy
from gennaker.canary.samples import Samples


class Fences(msgspec.Struct, frozen=True, kw_only=True):
    """Samples beyond either are outliers; a NaN fence lets everything pass."""

    lower: float
    upper: float


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """One side ready to be compared, and what was done to it."""

    values: Samples
    missing_removed: int = 0
    missing_replaced: int = 0
    outliers_removed: int = 0
    fences: Fences | None = None
    """None where outliers are kept."""


def prepare(values: Samples, options: Options) -> Prepared:
    """Removes or replaces missing samples, then removes outliers if asked to; the order of samples is kept."""
    missing = np.isnan(values)
    count = int(missing.sum())
    replaces = options.nan_strategy is NanStrategy.REPLACE
    kept = np.where(missing, 0.0, values) if replaces else values[~missing]
    prepared = Prepared(
        values=kept, missing_replaced=count if replaces else 0, missing_removed=0 if replaces else count
    )
    if options.outlier_strategy is OutlierStrategy.KEEP:
        return prepared
    fences = outlier_fences(kept, options.outlier_factor)
    inside = kept[~((kept > fences.upper) | (kept < fences.lower))]
    return msgspec.structs.replace(prepared, values=inside, outliers_removed=len(kept) - len(inside), fences=fences)


def outlier_fences(values: Samples, factor: float) -> Fences:
    """Tukey's fences at `factor` interquartile ranges, never inside the 1st and 99th percentiles."""
    ordered = np.sort(values)
    low, first, third, high = (statistics.percentile(ordered, percent) for percent in (1.0, 25.0, 75.0, 99.0))
    reach = factor * (third - first)
    return Fences(lower=_least(low, first - reach), upper=-_least(-high, -(third + reach)))


def _least(one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else min(one, other)
