"""The canary config as the judge reads it: metrics, their options, group weights.

Reads Kayenta's JSON with Kayenta's manners (see `coercion`): unknown fields are ignored, a typo in an option falls
back to its default in silence, a wrong type ends the judgement. What is merely unwise is for `lint` to say.
Reached from `judge`; the options of a metric are read only when a pair of that metric is judged, because a wrong
type in a metric without data fails nothing in Kayenta either.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from gennaker.canary import coercion
from gennaker.canary.coercion import Unreadable
from gennaker.canary.errors import InvalidConfig, UnknownJudge
from gennaker.model import foreign, pointers
from gennaker.model.codec import Json, JsonObject

JUDGE_NAME = "NetflixACAJudge-v1.0"

Value = TypeVar("Value")


class Direction(StrEnum):
    """Which change of the experiment against the control counts."""

    INCREASE = "increase"
    DECREASE = "decrease"
    EITHER = "either"


class NanStrategy(StrEnum):
    """What becomes of missing samples."""

    REMOVE = "remove"
    REPLACE = "replace"


class OutlierStrategy(StrEnum):
    """What becomes of samples beyond the fences."""

    REMOVE = "remove"
    KEEP = "keep"


class Measure(StrEnum):
    """How the size of a change is measured."""

    MEAN_RATIO = "meanRatio"
    CLES = "cles"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How one metric is judged: `analysisConfigurations.canary`, defaults filled in."""

    direction: Direction = Direction.EITHER
    nan_strategy: NanStrategy = NanStrategy.REMOVE
    critical: bool = False
    must_have_data: bool = False
    muted: bool = False
    outlier_strategy: OutlierStrategy = OutlierStrategy.KEEP
    outlier_factor: float = 3.0
    measure: Measure = Measure.MEAN_RATIO
    allowed_increase: float = 1.0
    allowed_decrease: float = 1.0
    critical_increase: float = 1.0
    critical_decrease: float = 1.0


class MetricConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of the config; its options are still as they were written."""

    name: str | None
    """None where the config gives none; such a metric matches only pairs without a name."""
    groups: tuple[str | None, ...] | None
    """None where absent: then a judgement that isn't muted fails. A null inside the list is kept."""
    options: JsonObject
    pointer: str


class CanaryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge needs of a canary config."""

    metrics: tuple[MetricConfig, ...]
    group_weights: dict[str, float]

    def metric(self, name: str | None) -> MetricConfig | None:
        """The first metric with that name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


def read(document: Json) -> CanaryConfig:
    """Reads a canary config. Raises `InvalidConfig` where Kayenta would refuse it or its judge would fail."""
    if not isinstance(document, Mapping):
        raise InvalidConfig(f"The canary config must be an object, not {foreign.described(document)}.")
    _check_judge(document.get("judge"))
    return CanaryConfig(metrics=_metrics(document.get("metrics")), group_weights=_weights(document))


def read_options(metric: MetricConfig) -> Options:
    """The options of one metric. Raises `InvalidConfig` where a value has the wrong type."""
    where = f"{metric.pointer}/analysisConfigurations/canary"
    options = metric.options

    def number(*path: str, default: float) -> float:
        return _at(where, path, "a number", lambda: coercion.option_number(options, *path, default=default))

    def boolean(name: str) -> bool:
        return _at(where, (name,), "true or false", lambda: coercion.option_boolean(options, name, default=False))

    def word(*path: str) -> str:
        return _at(where, path, "a text", lambda: coercion.option_text(options, *path, default=""))

    measure = Measure.CLES if word("effectSize", "measure") == Measure.CLES else Measure.MEAN_RATIO
    neutral = 0.5 if measure is Measure.CLES else 1.0
    direction = word("direction")
    result = Options(
        direction=Direction(direction) if direction in list(Direction) else Direction.EITHER,
        nan_strategy=NanStrategy.REPLACE if word("nanStrategy") == NanStrategy.REPLACE else NanStrategy.REMOVE,
        critical=boolean("critical"),
        must_have_data=boolean("mustHaveData"),
        muted=boolean("muted"),
        outlier_strategy=(
            OutlierStrategy.REMOVE if word("outliers", "strategy") == OutlierStrategy.REMOVE else OutlierStrategy.KEEP
        ),
        outlier_factor=number("outliers", "outlierFactor", default=3.0),
        measure=measure,
        allowed_increase=number("effectSize", "allowedIncrease", default=neutral),
        allowed_decrease=number("effectSize", "allowedDecrease", default=neutral),
        critical_increase=number("effectSize", "criticalIncrease", default=neutral),
        critical_decrease=number("effectSize", "criticalDecrease", default=neutral),
    )
    if result.outlier_strategy is OutlierStrategy.REMOVE and not result.outlier_factor > 0:
        message = f"The outlier factor must be above 0 to remove outliers by it, but is {result.outlier_factor}."
        raise InvalidConfig(message, pointer=f"{where}/outliers/outlierFactor")
    return result


def _check_judge(judge: Json) -> None:
    if judge is None:
        return
    if not isinstance(judge, Mapping):
        message = f"The judge must be an object with a name, not {foreign.described(judge)}."
        raise InvalidConfig(message, pointer="/judge")
    name = _at("/judge", ("name",), "a text", lambda: coercion.text(judge.get("name")))
    if name and name != JUDGE_NAME:
        message = f"Unable to resolve canary judge '{name}'. The judge of this server is '{JUDGE_NAME}'."
        raise UnknownJudge(message, pointer="/judge/name")


def _metrics(document: Json) -> tuple[MetricConfig, ...]:
    if document is None:
        return ()
    if not isinstance(document, list):
        message = f"The metrics must be a list, not {foreign.described(document)}."
        raise InvalidConfig(message, pointer="/metrics")
    return tuple(_metric(item, f"/metrics/{index}") for index, item in enumerate(document))


def _metric(document: Json, pointer: str) -> MetricConfig:
    if not isinstance(document, Mapping):
        message = f"A metric must be an object, not {foreign.described(document)}."
        raise InvalidConfig(message, pointer=pointer)
    name = _at(pointer, ("name",), "a text", lambda: coercion.text(document.get("name")))
    groups = _groups(document.get("groups"), f"{pointer}/groups")
    return MetricConfig(name=name, groups=groups, options=_canary_options(document, pointer), pointer=pointer)


def _groups(document: Json, pointer: str) -> tuple[str | None, ...] | None:
    if document is None:
        return None
    if not isinstance(document, list):
        raise InvalidConfig(f"The groups must be a list, not {foreign.described(document)}.", pointer=pointer)
    return tuple(
        _at(pointer, (str(index),), "a text", lambda item=item: coercion.text(item))  # type: ignore[misc]  # mypy can't infer a lambda's default
        for index, item in enumerate(document)
    )


def _canary_options(metric: Mapping[str, Json], pointer: str) -> JsonObject:
    configurations = metric.get("analysisConfigurations")
    where = f"{pointer}/analysisConfigurations"
    if configurations is None:
        return {}
    if not isinstance(configurations, Mapping):
        message = f"The analysis configurations must be an object, not {foreign.described(configurations)}."
        raise InvalidConfig(message, pointer=where)
    for key, value in configurations.items():
        if value is not None and not isinstance(value, Mapping):
            message = f"An analysis configuration must be an object, not {foreign.described(value)}."
            raise InvalidConfig(message, pointer=f"{where}/{pointers.escaped(key)}")
    canary = configurations.get("canary")
    return dict(canary) if isinstance(canary, Mapping) else {}


def _weights(document: Mapping[str, Json]) -> dict[str, float]:
    classifier = document.get("classifier")
    if not isinstance(classifier, Mapping):
        found = "is missing" if classifier is None else f"is {foreign.described(classifier)}"
        message = f"The canary config needs a classifier with group weights, but it {found}."
        raise InvalidConfig(message, pointer="/classifier")
    weights = classifier.get("groupWeights")
    if weights is None:
        return {}
    where = "/classifier/groupWeights"
    if not isinstance(weights, Mapping):
        message = f"The group weights must be an object, not {foreign.described(weights)}."
        raise InvalidConfig(message, pointer=where)
    read_weights = {}
    for group, weight in weights.items():
        value = _at(where, (group,), "a number", lambda weight=weight: coercion.double(weight))  # type: ignore[misc]  # mypy can't infer a lambda's default
        read_weights[group] = 0.0 if value is None else value
    return read_weights


def _at(where: str, path: tuple[str, ...], wanted: str, reading: Callable[[], Value]) -> Value:
    try:
        return reading()
    except Unreadable as error:
        message = f"'{'.'.join(path)}' must be {wanted}, not {error}."
        raise InvalidConfig(message, pointer="/".join((where, *map(pointers.escaped, path)))) from error
