"""Missing samples and outliers are removed or replaced before anything is compared."""

import math

import numpy as np
import pytest

from gennaker.canary import preprocessing
from gennaker.canary.config import NanStrategy, Options, OutlierStrategy

REMOVING = Options(outlier_strategy=OutlierStrategy.REMOVE, outlier_factor=3.0)


def test_missing_samples_are_removed_and_counted() -> None:
    found = preprocessing.prepare(np.array([1.0, math.nan, math.inf, math.nan]), Options())

    assert found.values.tolist() == [1.0, math.inf]
    assert (found.missing_removed, found.missing_replaced, found.outliers_removed) == (2, 0, 0)


def test_missing_samples_are_replaced_by_zero_when_asked() -> None:
    found = preprocessing.prepare(np.array([1.0, math.nan]), Options(nan_strategy=NanStrategy.REPLACE))

    assert found.values.tolist() == [1.0, 0.0]
    assert (found.missing_removed, found.missing_replaced) == (0, 1)


def test_outliers_are_removed_in_place_of_the_order() -> None:
    bulk = [float(value % 10) for value in range(300)]
    found = preprocessing.prepare(np.array([1000.0, *bulk, -1000.0]), REMOVING)

    assert found.values.tolist() == bulk
    assert found.outliers_removed == 2


def test_fences_are_never_inside_the_first_and_last_percent() -> None:
    ordered = np.array([0.0] * 98 + [50.0, 100.0])

    fences = preprocessing.outlier_fences(ordered, 3.0)

    assert fences.lower == 0.0
    assert fences.upper == pytest.approx(50.5)


def test_a_fence_of_infinite_samples_removes_nothing() -> None:
    found = preprocessing.prepare(np.array([math.inf, math.inf, 1.0]), REMOVING)

    assert found.outliers_removed == 0


def test_an_empty_side_stays_empty() -> None:
    assert preprocessing.prepare(np.array([]), REMOVING).values.tolist() == []
