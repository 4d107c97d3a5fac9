"""Score: from the labels of all pairs to one score per group, one for the canary, and its verdict.

Kayenta's weighted sum with all its edges: a critical failure or half of the metrics without data make it 0; a group
without usable labels counts as 100; a weighted group without metrics is lost and nothing is renormalised, so the best
possible score can be under or over 100. Thresholds are inclusive here, unlike in Orca's stage (see `verdict`).
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from gennaker.canary import coercion, numbers
from gennaker.canary.classify import Label
from gennaker.canary.coercion import Unreadable
from gennaker.canary.errors import InvalidScore, InvalidThresholds
from gennaker.model import foreign
from gennaker.model.codec import Json

NODATA_LIMIT = 50.0  # percent of live results
NODATA_REASON = "50% or more metrics returned NODATA"
_FAILURES = frozenset({Label.HIGH, Label.LOW, Label.NODATA_FAIL})


class Verdict(StrEnum):
    """What the score means by the thresholds."""

    PASS = "Pass"
    MARGINAL = "Marginal"
    FAIL = "Fail"


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """The scores from which on a canary is a pass, and marginal."""

    passing: float = 0.0
    marginal: float = 0.0


class Ballot(msgspec.Struct, frozen=True, kw_only=True):
    """What one live (not muted) pair contributes."""

    label: Label
    critical: bool
    reason: str | None
    groups: tuple[str | None, ...]


class GroupScore(msgspec.Struct, frozen=True, kw_only=True):
    """The share of a group's judged pairs that passed, in percent."""

    name: str | None
    score: float
    no_data: bool
    """No pair of the group got a label that counts; then its score is 0 and it weighs in as 100."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """The canary's score, verdict and reason, and its groups in order of first appearance."""

    score: float
    verdict: Verdict
    reason: str
    groups: tuple[GroupScore, ...]


def read_thresholds(document: Json) -> Thresholds:
    """Reads `{pass, marginal}`; an absent or null one is 0. Raises `InvalidThresholds`."""
    if document is None:
        raise InvalidThresholds("Execution request must contain thresholds: give `pass` and `marginal`.")
    if not isinstance(document, Mapping):
        raise InvalidThresholds(f"The thresholds must be an object, not {foreign.described(document)}.")
    return Thresholds(passing=_threshold(document, "pass"), marginal=_threshold(document, "marginal"))


def score(ballots: Sequence[Ballot], weights: Mapping[str, float], thresholds: Thresholds) -> Score:
    """Scores the live pairs. Raises `InvalidScore` where weights make the total no finite number."""
    groups = _group_scores(ballots)
    failure = _failure(ballots)
    total = _weighted(groups, weights) if failure is None else 0.0
    return Score(
        score=total,
        verdict=_verdict(total, thresholds),
        reason="" if failure is None else f"Canary Failed: {failure}",
        groups=groups,
    )


def _threshold(document: Mapping[str, Json], key: str) -> float:
    try:
        value = coercion.double(document.get(key))
    except Unreadable as error:
        raise InvalidThresholds(f"The threshold '{key}' must be a number, not {error}.", pointer=f"/{key}") from error
    return 0.0 if value is None else value


def _group_scores(ballots: Sequence[Ballot]) -> tuple[GroupScore, ...]:
    labels: dict[str | None, list[Label]] = {}
    for ballot in ballots:
        for group in ballot.groups:
            labels.setdefault(group, []).append(ballot.label)
    return tuple(_group_score(group, found) for group, found in labels.items())


def _group_score(name: str | None, labels: Sequence[Label]) -> GroupScore:
    passed = sum(label is Label.PASS for label in labels)
    judged = passed + sum(label in _FAILURES for label in labels)
    if judged == 0:
        return GroupScore(name=name, score=0.0, no_data=True)
    return GroupScore(name=name, score=passed / judged * 100, no_data=False)


def _failure(ballots: Sequence[Ballot]) -> str | None:
    critical = next((ballot for ballot in ballots if ballot.critical and ballot.label is not Label.PASS), None)
    if critical is not None:
        return critical.reason or "null"
    without = sum(ballot.label is Label.NODATA for ballot in ballots)
    if ballots and without / len(ballots) * 100 >= NODATA_LIMIT:
        return NODATA_REASON
    return None


def _weighted(groups: Sequence[GroupScore], weights: Mapping[str, float]) -> float:
    configured = 0.0
    for weight in weights.values():  # from left to right; `sum` compensates from Python 3.12 on
        configured += weight
    unweighted = sum(group.name not in weights for group in groups)
    share = (100 - configured) / unweighted if unweighted else 0.0
    total = 0.0
    for group in groups:
        weight = weights[group.name] if group.name is not None and group.name in weights else share
        total += (100.0 if group.no_data else group.score) * (weight / 100)
    if not math.isfinite(total):
        message = f"The group weights give the score {total}, which is no number: make them finite."
        raise InvalidScore(message, pointer="/classifier/groupWeights")
    return numbers.rounded(total)


def _verdict(total: float, thresholds: Thresholds) -> Verdict:
    if total >= thresholds.passing:
        return Verdict.PASS
    return Verdict.MARGINAL if total >= thresholds.marginal else Verdict.FAIL
