"""The judge: NetflixACAJudge-v1.0 of Kayenta, from a canary config and metric set pairs to a scored judgement.

Theory of operation. Each pair is looked up in the config by its metric's name; both sides lose (or have replaced)
their missing samples and, if asked, outliers; `classify` labels the pair; `score` adds the labels up by group. The
result agrees with Kayenta's in every field; what Kayenta doesn't tell is in the explanations beside it.

One thing can't agree: when both sides of a pair are constant Kayenta adds noise from an unseeded generator. Here the
generator is Java's with a fixed seed, so that equal input gives equal output; the explanation says where it was used.

Raises only `CanaryError`s: when Kayenta's judge would fail as a whole. Reached from the canary stages, the judge
endpoints and `cases`.
"""

from typing import TypeAlias

import msgspec

from gennaker.canary import config, explain, numbers, preprocessing, samples, statistics
from gennaker.canary import score as scoring
from gennaker.canary.classify import Classification, Label, classify
from gennaker.canary.errors import InvalidConfig, MetricNotConfigured
from gennaker.canary.explain import Explanation, Noise
from gennaker.canary.java_random import JavaRandom
from gennaker.canary.preprocessing import Prepared
from gennaker.canary.statistics import Stats
from gennaker.model.codec import Json, JsonObject

DEFAULT_SEED = 0

Metadata: TypeAlias = dict[str, Stats]


class _Compatible(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A record whose JSON form is Kayenta's: null fields are left out."""


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """`resultMetadata`: mean of the experiment over mean of the control."""

    ratio: float


class PairResult(_Compatible, frozen=True, kw_only=True):
    """One pair's result, field by field as in Kayenta."""

    name: str | None = None
    id: str | None = None
    tags: JsonObject
    groups: tuple[str | None, ...] | None = None
    classification: str
    classification_reason: str | None = None
    critical: bool
    muted: bool
    experiment_metadata: Metadata
    control_metadata: Metadata
    result_metadata: Ratio | None = None


class GroupResult(_Compatible, frozen=True, kw_only=True):
    """One group's score; the classification is always empty, as in Kayenta."""

    name: str | None = None
    score: float
    classification: str
    classification_reason: str


class ScoreResult(_Compatible, frozen=True, kw_only=True):
    """The canary's score and verdict (Pass, Marginal or Fail)."""

    score: float
    classification: str
    classification_reason: str


class JudgeResult(_Compatible, frozen=True, kw_only=True):
    """Kayenta's `judgeResult`. `numbers.record` turns it into JSON."""

    judge_name: str
    results: tuple[PairResult, ...]
    group_scores: tuple[GroupResult, ...]
    score: ScoreResult


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A judgement: the part that Kayenta's clients know, and why."""

    result: JudgeResult
    explanations: tuple[Explanation, ...]
    """One per result, in the same order."""

    def judge_result(self) -> JsonObject:
        """Kayenta's `judgeResult` as JSON, NaN and infinities as texts."""
        return numbers.record(self.result)


def judge(
    canary_config: Json,
    metric_set_pairs: samples.MetricSetPairs,
    thresholds: Json,
    *,
    seed: int = DEFAULT_SEED,
) -> Judgement:
    """Judges metric set pairs by a canary config, all three in Kayenta's JSON form. Raises `CanaryError`."""
    canary = config.read(canary_config)
    limits = scoring.read_thresholds(thresholds)
    chance = JavaRandom(seed)
    judged = [
        _judge_pair(pair, canary, chance, seed=seed, pointer=f"/{index}")
        for index, pair in enumerate(samples.read_pairs(metric_set_pairs))
    ]
    total = scoring.score([_ballot(result) for result, _ in judged if not result.muted], canary.group_weights, limits)
    return Judgement(
        result=JudgeResult(
            judge_name=config.JUDGE_NAME,
            results=tuple(result for result, _ in judged),
            group_scores=tuple(
                GroupResult(name=group.name, score=group.score, classification="", classification_reason="")
                for group in total.groups
            ),
            score=ScoreResult(score=total.score, classification=total.verdict, classification_reason=total.reason),
        ),
        explanations=tuple(explanation for _, explanation in judged),
    )


def _judge_pair(
    pair: samples.Pair, canary: config.CanaryConfig, chance: JavaRandom, *, seed: int, pointer: str
) -> tuple[PairResult, Explanation]:
    name = "null" if pair.name is None else pair.name
    metric = canary.metric(pair.name)
    if metric is None:
        raise MetricNotConfigured(f"Could not find metric config for {name}", pointer=pointer)
    options = config.read_options(metric)
    if metric.groups is None and not options.muted:
        message = f"The metric {name} needs a list of groups (which may be empty) unless it is muted."
        raise InvalidConfig(message, pointer=f"{metric.pointer}/groups")
    experiment = preprocessing.prepare(pair.experiment, options)
    control = preprocessing.prepare(pair.control, options)
    found = classify(name, experiment=experiment.values, control=control.values, options=options, chance=chance)
    result = PairResult(
        name=pair.name,
        id=pair.id,
        tags=pair.tags,
        groups=metric.groups,
        classification=found.label,
        classification_reason=found.reason,
        critical=found.critical,
        muted=options.muted,
        experiment_metadata={"stats": statistics.summary(experiment.values)},
        control_metadata={"stats": statistics.summary(control.values)},
        result_metadata=None if found.ratio is None else Ratio(ratio=found.ratio),
    )
    return result, _explanation(pair, options, found, experiment=experiment, control=control, seed=seed)


def _ballot(result: PairResult) -> scoring.Ballot:
    return scoring.Ballot(
        label=Label(result.classification),
        critical=result.critical,
        reason=result.classification_reason,
        groups=result.groups or (),
    )


def _explanation(
    pair: samples.Pair,
    options: config.Options,
    found: Classification,
    *,
    experiment: Prepared,
    control: Prepared,
    seed: int,
) -> Explanation:
    comparison = found.comparison
    shift = None if comparison is None else comparison.shift
    return Explanation(
        name=pair.name,
        id=pair.id,
        label=found.label,
        rule=found.rule,
        sentence=explain.sentence(found.rule, options, comparison),
        direction=options.direction,
        measure=options.measure,
        allowed_increase=options.allowed_increase,
        allowed_decrease=options.allowed_decrease,
        critical_increase=options.critical_increase,
        critical_decrease=options.critical_decrease,
        control=explain.counts(len(pair.control), control),
        experiment=explain.counts(len(pair.experiment), experiment),
        lower=None if shift is None else shift.lower,
        upper=None if shift is None else shift.upper,
        estimate=None if shift is None else shift.estimate,
        bound=None if comparison is None else comparison.bound,
        deviation=None if comparison is None else comparison.deviation,
        effect=None if comparison is None else comparison.effect,
        noise=Noise(seed=seed) if found.noisy else None,
    )
