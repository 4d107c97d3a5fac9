"""Scores: groups, weights, the rules that make a score zero, thresholds."""

from typing import Any

import pytest

from gennaker.canary import score
from gennaker.canary.classify import Label
from gennaker.canary.errors import InvalidScore, InvalidThresholds
from gennaker.canary.score import Ballot, Thresholds, Verdict

LIMITS = Thresholds(passing=95, marginal=75)


def ballot(label: Label, *groups: str, critical: bool = False, reason: str | None = None) -> Ballot:
    return Ballot(label=label, critical=critical, reason=reason, groups=groups)


PASSED, FAILED = ballot(Label.PASS, "a"), ballot(Label.HIGH, "a")


def total(ballots: list[Ballot], weights: dict[str, float], limits: Thresholds = LIMITS) -> tuple[float, str, str]:
    found = score.score(ballots, weights, limits)
    return found.score, found.verdict, found.reason


def test_a_group_scores_the_share_that_passed() -> None:
    assert total([PASSED, PASSED, FAILED], {"a": 100}) == (66.67, Verdict.FAIL, "")


def test_a_weighted_group_without_metrics_is_lost() -> None:
    assert total([PASSED], {"a": 40, "b": 60}) == (40.0, Verdict.FAIL, "")


def test_groups_without_weight_share_what_is_left() -> None:
    found = total([PASSED, ballot(Label.LOW, "b"), ballot(Label.PASS, "c")], {"a": 50})

    assert found == (75.0, Verdict.MARGINAL, "")


def test_weights_beyond_100_make_the_rest_negative() -> None:
    assert total([PASSED, ballot(Label.PASS, "b")], {"a": 150})[0] == 100.0
    assert total([PASSED, ballot(Label.LOW, "b")], {"a": 150})[0] == 150.0


def test_a_group_without_usable_labels_counts_in_full() -> None:
    found = score.score([ballot(Label.ERROR, "b"), PASSED], {"a": 50, "b": 50}, LIMITS)

    assert found.score == 100.0
    assert [(group.name, group.score) for group in found.groups] == [("b", 0.0), ("a", 100.0)]


def test_a_critical_failure_makes_the_score_zero_with_its_reason() -> None:
    broken = ballot(Label.LOW, "a", critical=True, reason="it broke")

    assert total([PASSED, broken, FAILED], {"a": 100}) == (0.0, Verdict.FAIL, "Canary Failed: it broke")


def test_a_critical_failure_passes_a_threshold_of_zero() -> None:
    broken = ballot(Label.NODATA, "a", critical=True, reason="none")

    assert total([broken], {}, Thresholds())[1] is Verdict.PASS


@pytest.mark.parametrize(("missing", "failed"), [(1, False), (2, True), (3, True)])
def test_half_of_the_metrics_without_data_fail_the_canary(missing: int, failed: bool) -> None:
    ballots = [ballot(Label.NODATA, "a")] * missing + [PASSED] * (4 - missing)

    assert total(ballots, {"a": 100})[2] == ("Canary Failed: 50% or more metrics returned NODATA" if failed else "")


def test_no_live_results_score_zero() -> None:
    assert total([], {"a": 100}) == (0.0, Verdict.FAIL, "")


def test_thresholds_are_inclusive() -> None:
    assert total([PASSED], {"a": 95})[1] is Verdict.PASS
    assert total([PASSED], {"a": 75})[1] is Verdict.MARGINAL
    assert total([PASSED], {"a": 74.99})[1] is Verdict.FAIL


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(weight: float) -> None:
    with pytest.raises(InvalidScore):
        total([PASSED], {"a": weight})


@pytest.mark.parametrize(
    ("document", "limits"),
    [
        ({"pass": 95, "marginal": 75}, LIMITS),
        ({"pass": "95", "marginal": None}, Thresholds(passing=95)),
        ({}, Thresholds()),
    ],
)
def test_thresholds_are_read_with_zero_for_what_is_absent(document: Any, limits: Thresholds) -> None:
    assert score.read_thresholds(document) == limits


@pytest.mark.parametrize("document", [None, 95, [95, 75], {"pass": "high"}, {"marginal": True}])
def test_unreadable_thresholds_are_refused(document: Any) -> None:
    with pytest.raises(InvalidThresholds):
        score.read_thresholds(document)
