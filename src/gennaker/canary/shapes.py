"""Shapes: which types a canary config has where, for all of it that the judge doesn't read with manners of its own.

Kayenta fills these fields by Jackson, which refuses an object or a list where text is meant; here text is also what people
write without quotes. The options of a metric and the group weights are `lint`'s own business.
"""

import msgspec

from gennaker.model import records
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject
from gennaker.model.records import Wrong


class MetricShape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of `metrics`."""

    name: Plain = ""
    query: JsonObject = {}
    groups: tuple[Plain | None, ...] = ()
    scope_name: Plain = ""
    analysis_configurations: dict[str, JsonObject] = {}


class JudgeShape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`judge`."""

    name: Plain = ""
    judge_configurations: JsonObject = {}


class ConfigShape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The whole."""

    id: Plain = ""
    name: Plain = ""
    description: Plain = ""
    config_version: Plain = ""
    applications: tuple[Plain, ...] = ()
    created_timestamp: int = 0
    updated_timestamp: int = 0
    judge: JudgeShape = JudgeShape()
    metrics: tuple[MetricShape, ...] = ()
    templates: dict[str, Plain] = {}
    classifier: JsonObject = {}


class QueryShape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`query` of a metric, of any type."""

    custom_inline_template: Plain = ""
    custom_filter_template: Plain = ""
    custom_filter: Plain = ""
    metric_name: Plain = ""
    metric_type: Plain = ""
    resource_type: Plain = ""


class PrometheusShape(QueryShape, frozen=True, kw_only=True, rename="camel"):
    """Also Stackdriver's."""

    label_bindings: tuple[Plain, ...] = ()
    group_by_fields: tuple[Plain, ...] = ()
    cross_series_reducer: Plain = ""
    per_series_aligner: Plain = ""


class PairShape(msgspec.Struct, frozen=True, kw_only=True):
    """One filter of SignalFx."""

    key: Plain = ""
    value: Plain = ""


class SignalFxShape(QueryShape, frozen=True, kw_only=True, rename="camel"):
    """SignalFx."""

    query_pairs: tuple[PairShape, ...] = ()
    aggregation_method: Plain = ""


class TextQueryShape(QueryShape, frozen=True, kw_only=True, rename="camel"):
    """New Relic, InfluxDB, Wavefront, Atlas."""

    select: Plain = ""
    q: Plain = ""
    fields: tuple[Plain, ...] = ()
    aggregate: Plain = ""
    summarization: Plain = ""


class TermShape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A metric of the instances' own `/metrics`, and what is wanted of it."""

    metric: str = ""
    labels: dict[str, str | tuple[str, ...]] = {}
    statistic: str = ""
    absent_is_zero: bool = False


class EmbeddedShape(TermShape, frozen=True, kw_only=True, rename="camel"):
    """A query of the embedded scraper: a term, or the ratio of two."""

    numerator: TermShape | None = None
    denominator: TermShape | None = None
    scale: float = 1


_QUERIES: dict[str, type[msgspec.Struct]] = {
    **dict.fromkeys(("prometheus", "stackdriver"), PrometheusShape),
    **dict.fromkeys(("datadog", "graphite"), QueryShape),
    "signalfx": SignalFxShape,
    **dict.fromkeys(("newrelic", "influxdb", "wavefront", "atlas"), TextQueryShape),
    "embedded": EmbeddedShape,
}


def wrongs(document: JsonObject) -> tuple[Wrong, ...]:
    """Everything that is of the wrong type."""
    found = [*records.wrongs(document, ConfigShape)]
    metrics = document.get("metrics")
    for place, metric in enumerate(metrics if isinstance(metrics, list) else ()):
        query = metric.get("query") if isinstance(metric, dict) else None
        shape = _shape_of(query)
        if isinstance(query, dict) and shape is not None:
            found += [Wrong(("metrics", place, "query", *one.steps), one.said) for one in records.wrongs(query, shape)]
    return tuple(found)


def _shape_of(query: Json) -> type[msgspec.Struct] | None:
    kind = query.get("type") if isinstance(query, dict) else None
    return _QUERIES.get(kind) if isinstance(kind, str) else None
