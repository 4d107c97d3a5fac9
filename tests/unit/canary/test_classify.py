"""Labels follow Kayenta's rules to the letter, 32-bit overflow included."""

import math

import numpy as np
import pytest

from gennaker.canary import classify
from gennaker.canary.classify import Label
from gennaker.canary.config import Direction, Measure, Options
from gennaker.canary.java_random import JavaRandom

LOW = np.array([float(value) for value in range(100, 130)])
HIGH = LOW + 100


def label(experiment: object, control: object, options: Options) -> tuple[Label, bool, str | None]:
    found = classify.classify(
        "m",
        experiment=np.asarray(experiment, dtype=np.float64),
        control=np.asarray(control, dtype=np.float64),
        options=options,
        chance=JavaRandom(0),
    )
    return found.label, found.critical, found.reason


def test_a_rise_is_high_and_a_fall_is_low() -> None:
    assert label(HIGH, LOW, Options()) == (Label.HIGH, False, "m was classified as High")
    assert label(LOW, HIGH, Options()) == (Label.LOW, False, "m was classified as Low")


def test_only_the_direction_asked_for_counts() -> None:
    assert label(HIGH, LOW, Options(direction=Direction.DECREASE))[0] is Label.PASS
    assert label(LOW, HIGH, Options(direction=Direction.INCREASE))[0] is Label.PASS


def test_an_effect_equal_to_the_threshold_counts() -> None:
    ratio = float(HIGH.mean() / LOW.mean())

    assert label(HIGH, LOW, Options(allowed_increase=ratio))[0] is Label.HIGH
    assert label(HIGH, LOW, Options(allowed_increase=math.nextafter(ratio, 9)))[0] is Label.PASS


def test_a_critical_metric_below_its_critical_threshold_fails_ordinarily() -> None:
    options = Options(critical=True, critical_increase=5.0)

    assert label(HIGH, LOW, options) == (Label.HIGH, False, "m was classified as High")


def test_a_critical_metric_beyond_its_critical_threshold_fails_critically() -> None:
    wanted = (Label.HIGH, True, "The metric m was classified as High (Critical)")

    assert label(HIGH, LOW, Options(critical=True)) == wanted


def test_an_effect_that_is_no_number_stops_nothing() -> None:
    centred = HIGH - HIGH.mean()

    assert label(centred + 1, centred - 1000, Options(allowed_increase=1e9))[0] is Label.PASS
    assert label(HIGH, LOW - LOW.mean(), Options(allowed_increase=1e9, critical=True))[:2] == (Label.HIGH, True)


def test_missing_data_of_a_critical_metric_are_critical() -> None:
    assert label([], LOW, Options(critical=True)) == (Label.NODATA, True, "Missing data for m")
    assert label([], LOW, Options(critical=True, must_have_data=True))[:2] == (Label.NODATA, True)


def test_missing_data_of_a_metric_that_must_have_them_fail_it() -> None:
    assert label(LOW, [], Options(must_have_data=True)) == (Label.NODATA_FAIL, False, "Missing data for m")


def test_the_common_language_effect_is_the_chance_of_being_higher() -> None:
    assert classify.effect_size(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == 0.875
    assert label(HIGH, LOW, Options(measure=Measure.CLES, allowed_increase=1.0))[0] is Label.HIGH


@pytest.mark.parametrize("size", [32_769, 46_341])
def test_the_effect_size_overflows_as_32_bit_integers_do(size: int) -> None:
    ranks = size * (size + 1) // 2 + size * size  # every sample of the first side is above the second's
    first, second = size * (size + 1), 2 * size * size
    wrapped = [(value + 2**31) % 2**32 - 2**31 for value in (first, second)]

    found = classify.effect_size(np.arange(size, 2 * size, dtype=np.float64), np.arange(size, dtype=np.float64))

    assert wrapped[1] != second
    assert found == (2.0 * ranks - wrapped[0]) / wrapped[1]


def test_a_divisor_that_overflows_to_zero_gives_an_infinite_effect() -> None:
    found = classify.effect_size(np.arange(65_536, 2 * 65_536, dtype=np.float64), np.arange(32_768, dtype=np.float64))

    assert found == math.inf
