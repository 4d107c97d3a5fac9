"""The stage's verdict: the last score against thresholds, in whole numbers for Orca and in decimals alone."""

from typing import Any

import pytest

from gennaker.canary import verdict
from gennaker.canary.errors import InvalidScore, InvalidThresholds
from gennaker.canary.verdict import ORCA_DEFAULTS, Outcome, StageThresholds

LIMITS = StageThresholds(passing=75, marginal=50)


@pytest.mark.parametrize(
    ("scores", "thresholds", "outcome"),
    [
        ([], LIMITS, Outcome(passed=False, message="There were no successful canary judgements to aggregate")),
        ([1.0], StageThresholds(), Outcome(passed=True, message="No score thresholds were specified.")),
        (
            [50.0],
            LIMITS,
            Outcome(passed=False, message="Final canary score 50 is not above the marginal score threshold."),
        ),
        (
            [51.0],
            StageThresholds(marginal=50),
            Outcome(passed=True, message="No pass score threshold was specified."),
        ),
        ([74.99], LIMITS, Outcome(passed=False, message="Final canary score 74 is below the pass score threshold.")),
        (
            [75.0],
            StageThresholds(passing=75.9, marginal=50),
            Outcome(passed=True, message="Final canary score 75 met or exceeded the pass score threshold."),
        ),
        (
            [100.0, None],
            LIMITS,
            Outcome(passed=False, message="Final canary score 0 is not above the marginal score threshold."),
        ),
    ],
)
def test_orcas_stage_judges_the_last_score_in_whole_numbers(
    scores: list[float | None], thresholds: StageThresholds, outcome: Outcome
) -> None:
    assert verdict.aggregate(scores, thresholds) == outcome


def test_the_stand_alone_analysis_keeps_decimals() -> None:
    assert verdict.aggregate_exactly([10.0, 50.5], LIMITS) == Outcome(
        passed=False, message="Final canary score 50.5 is below the pass score threshold."
    )
    assert verdict.aggregate([50.5], LIMITS).message.endswith("50 is not above the marginal score threshold.")


@pytest.mark.parametrize(("score", "halted"), [(50.99, True), (51.0, False), (None, True)])
def test_a_score_not_above_marginal_ends_the_stage_early(score: float | None, halted: bool) -> None:
    assert verdict.is_halted(score, LIMITS) is halted


def test_without_a_marginal_threshold_nothing_ends_early() -> None:
    assert verdict.is_halted(0.0, StageThresholds(passing=75)) is False


def test_decimals_are_cut_off_towards_zero() -> None:
    assert [verdict.truncated(value) for value in (74.99, -0.5, 75.0)] == [74, 0, 75]


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidScore):
        verdict.aggregate([float("nan")], LIMITS)


@pytest.mark.parametrize(
    ("document", "limits"),
    [
        (None, ORCA_DEFAULTS),
        ({"pass": "95", "marginal": 75.5}, StageThresholds(passing=95, marginal=75.5)),
        ({"marginal": 1}, StageThresholds(marginal=1)),
    ],
)
def test_stage_thresholds_are_read_from_numbers_and_texts(document: Any, limits: StageThresholds) -> None:
    assert verdict.read_thresholds(document) == limits


@pytest.mark.parametrize("document", [[], "75", {"pass": "many"}])
def test_unreadable_stage_thresholds_are_refused(document: Any) -> None:
    with pytest.raises(InvalidThresholds):
        verdict.read_thresholds(document)
