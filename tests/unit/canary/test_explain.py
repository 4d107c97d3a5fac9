"""Explanations say in words and numbers why a pair got its label."""

import math

import pytest

from gennaker.canary import explain
from gennaker.canary.config import Direction, Measure, Options
from gennaker.canary.explain import Comparison, Explanation, Rule, SideCounts
from gennaker.canary.mann_whitney import Shift

COMPARED = Comparison(shift=Shift(lower=1.0, upper=3.0, estimate=2.0), bound=0.5, deviation=1.2, effect=1.2)
COUNTS = SideCounts(
    received=3,
    compared=2,
    missing_removed=1,
    missing_replaced=0,
    outliers_removed=0,
    lower_fence=None,
    upper_fence=None,
)
UNCOMPARED = (
    Rule.NO_DATA,
    Rule.NO_DATA_BUT_NEEDED,
    Rule.EMPTY_PASSES,
    Rule.IDENTICAL,
    Rule.ONE_VALUE,
    Rule.ALL_TIED,
)


@pytest.mark.parametrize("rule", [rule for rule in Rule if rule not in UNCOMPARED])
def test_a_comparison_is_told_with_its_numbers(rule: Rule) -> None:
    found = explain.sentence(rule, Options(direction=Direction.DECREASE), COMPARED)

    assert not found.startswith(" ")
    assert found.endswith("Shift 2, 98 % interval 1 to 3, tolerance ±0.5, means' ratio 1.2.")


def test_every_other_rule_has_a_sentence_of_its_own() -> None:
    sentences = {explain.sentence(rule, Options(), None) for rule in UNCOMPARED}

    assert len(sentences) == len(UNCOMPARED)
    assert all(sentence.endswith(".") for sentence in sentences)


def test_the_measure_is_named() -> None:
    assert "chance of being higher 1.2" in explain.sentence(Rule.TOO_HIGH, Options(measure=Measure.CLES), COMPARED)


def test_absent_numbers_are_left_out_of_the_json_and_special_ones_are_texts() -> None:
    found = Explanation(
        name="m",
        id="1",
        label="Pass",
        rule=Rule.IDENTICAL,
        sentence="Same.",
        direction="either",
        measure="meanRatio",
        allowed_increase=math.inf,
        allowed_decrease=1.0,
        critical_increase=1.0,
        critical_decrease=1.0,
        control=COUNTS,
        experiment=COUNTS,
        deviation=math.nan,
    ).as_json()

    assert found["allowedIncrease"] == "Infinity"
    assert found["deviation"] == "NaN"
    assert "lower" not in found
    assert "noise" not in found
