"""The verdict of a whole canary analysis: what the scores of its intervals mean for the stage.

Not the judge's own label: the judge counts a score equal to a threshold as reaching it, the stage fails a score
equal to marginal. Only the last score decides here; earlier ones must merely be above marginal for the analysis to
go on. Two callers, two arithmetics: Orca's `kayentaCanary` stage knows whole numbers only (74.99 is 74), Kayenta's
stand-alone analysis keeps decimals.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gennaker.canary import coercion, numbers
from gennaker.canary.coercion import Unreadable
from gennaker.canary.errors import InvalidScore, InvalidThresholds
from gennaker.model import foreign
from gennaker.model.codec import Json


class StageThresholds(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds of a stage; None where it sets none."""

    passing: float | None = None
    marginal: float | None = None


ORCA_DEFAULTS = StageThresholds(passing=75, marginal=50)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the analysis passed, and Kayenta's sentence about it (`canaryScoreMessage`)."""

    passed: bool
    message: str


def read_thresholds(document: Json, *, otherwise: StageThresholds = ORCA_DEFAULTS) -> StageThresholds:
    """Reads a stage's `scoreThresholds`. Raises `InvalidThresholds`.

    Numeric texts are read, also "75.5", which Orca refuses as a text though it takes the number.
    """
    if document is None:
        return otherwise
    if not isinstance(document, Mapping):
        raise InvalidThresholds(f"The score thresholds must be an object, not {foreign.described(document)}.")
    return StageThresholds(passing=_threshold(document, "pass"), marginal=_threshold(document, "marginal"))


def truncated(value: float) -> int:
    """A score or threshold as Orca holds it: without its decimals. Raises `InvalidScore` for NaN and infinities."""
    if not math.isfinite(value):
        raise InvalidScore(f"A score or threshold must be a finite number, not {numbers.java_text(value)}.")
    return math.trunc(value)


def is_halted(score: float | None, thresholds: StageThresholds) -> bool:
    """Whether an interval's score ends Orca's stage at once: at or below marginal, in whole numbers."""
    return _halted(0 if score is None else truncated(score), _in_whole_numbers(thresholds))


def aggregate(scores: Sequence[float | None], thresholds: StageThresholds) -> Outcome:
    """The outcome of Orca's stage: the last score against the thresholds, decimals cut off; None counts as 0."""
    whole = [0 if score is None else truncated(score) for score in scores]
    return _outcome(whole, _in_whole_numbers(thresholds), lambda score: str(int(score)))


def aggregate_exactly(scores: Sequence[float | None], thresholds: StageThresholds) -> Outcome:
    """The outcome of Kayenta's stand-alone analysis: as `aggregate`, but decimals count."""
    return _outcome([0.0 if score is None else score for score in scores], thresholds, numbers.java_text)


def _outcome(scores: Sequence[float], thresholds: StageThresholds, written: Callable[[float], str]) -> Outcome:
    if not scores:
        return Outcome(passed=False, message="There were no successful canary judgements to aggregate")
    if thresholds.passing is None and thresholds.marginal is None:
        return Outcome(passed=True, message="No score thresholds were specified.")
    last = scores[-1]
    subject = f"Final canary score {written(last)}"
    if _halted(last, thresholds):
        return Outcome(passed=False, message=f"{subject} is not above the marginal score threshold.")
    if thresholds.passing is None:
        return Outcome(passed=True, message="No pass score threshold was specified.")
    if last < thresholds.passing:
        return Outcome(passed=False, message=f"{subject} is below the pass score threshold.")
    return Outcome(passed=True, message=f"{subject} met or exceeded the pass score threshold.")


def _halted(score: float, thresholds: StageThresholds) -> bool:
    return thresholds.marginal is not None and score <= thresholds.marginal


def _in_whole_numbers(thresholds: StageThresholds) -> StageThresholds:
    return StageThresholds(
        passing=None if thresholds.passing is None else truncated(thresholds.passing),
        marginal=None if thresholds.marginal is None else truncated(thresholds.marginal),
    )


def _threshold(document: Mapping[str, Json], key: str) -> float | None:
    try:
        return coercion.double(document.get(key))
    except Unreadable as error:
        raise InvalidThresholds(f"The threshold '{key}' must be a number, not {error}.", pointer=f"/{key}") from error
