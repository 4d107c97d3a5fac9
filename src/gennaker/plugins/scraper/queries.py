"""Queries: what a canary metric of type `embedded` may ask, read from its JSON and answered from the series.

    {"type": "embedded", "metric": "http_request_seconds", "statistic": "p90", "labels": {"path": "/cart*"}, "scale": 1000}
    {"type": "embedded", "numerator": {"metric": …}, "denominator": {"metric": …}, "scale": 100}

A term's `metric` is a counter, a gauge or a histogram; `statistic` is `rate` for counters, `mean` for gauges, `mean`,
`pNN` or `rate` (observations a second) for histograms. `labels` narrows it down: a text or a list of texts, with `*`.
A ratio divides the rates of two terms in each second. `scale` multiplies the result. Documented for users in
docs/guides/canary.md.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

import msgspec
import numpy as np

from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.scraper.series import GroupSeries, Row

_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?)")
_TERM_KEYS = frozenset({"metric", "labels", "statistic", "absentIsZero"})
_OWN_KEYS = frozenset({"type", "serviceType", "scale", "numerator", "denominator"})


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One metric and what is wanted of it."""

    metric: str
    labels: dict[str, tuple[str, ...]] = {}
    statistic: str = ""
    """Empty: the usual one of the metric's kind."""
    absent_is_zero: bool = False
    """A server group that doesn't show the metric at all has 0 of it; otherwise it has no data."""


class Single(msgspec.Struct, frozen=True, kw_only=True):
    """One term's values."""

    term: Term
    scale: float


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """One term's rates divided by another's."""

    numerator: Term
    denominator: Term
    scale: float


Query: TypeAlias = Single | Ratio


def read(query: JsonObject) -> Query:
    """Reads a metric's query. Raises Refused with every problem that it has."""
    reader = _Reader()
    found = reader.query(query)
    if reader.problems or found is None:
        raise Refused(*reader.problems)
    return found


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Which slots are asked for."""

    first: int
    samples: int
    step: int = 1
    """Slots of one sample."""

    @property
    def slots(self) -> int:
        """How many in all."""
        return self.samples * self.step


def answer(query: Query, series: GroupSeries, span: Span) -> Row:
    """One value for each sample of the span. Raises Refused for what a metric can't give."""
    match query:
        case Single(term=term, scale=scale):
            return _single(term, series, span) * scale
        case Ratio(numerator=numerator, denominator=denominator, scale=scale):
            above = _summed(_rates(numerator, series, span), span.step)
            below = _summed(_rates(denominator, series, span), span.step)
            with np.errstate(all="ignore"):
                return np.where(below > 0, above / below, np.nan) * scale


def _single(term: Term, series: GroupSeries, span: Span) -> Row:
    name, labels, statistic = term.metric, term.labels, term.statistic
    if series.knows_counter(name):
        _allow(term, "a counter", statistic in ("", "rate"), wanted="rate")
        return _averaged(series.rate(name, labels, span.first, span.slots), span.step)
    if series.knows_gauge(name):
        _allow(term, "a gauge", statistic in ("", "mean"), wanted="mean")
        return _averaged(series.gauge(name, labels, span.first, span.slots), span.step)
    if series.knows_counter(f"{name}_count"):
        return _of_histogram(term, series, span)
    return np.full(span.samples, 0.0 if term.absent_is_zero else np.nan)


def _of_histogram(term: Term, series: GroupSeries, span: Span) -> Row:
    name, labels = term.metric, term.labels
    observed = series.rate(f"{name}_count", labels, span.first, span.slots)
    if term.statistic == "rate":
        return _averaged(observed, span.step)
    count = _summed(observed, span.step)
    if term.statistic in ("", "mean"):
        total = _summed(series.rate(f"{name}_sum", labels, span.first, span.slots), span.step)
        with np.errstate(all="ignore"):
            return np.where(count > 0, total / count, np.nan)
    found = _QUANTILE.fullmatch(term.statistic)
    buckets = series.buckets(name, labels, span.first, span.slots)
    _allow(term, "a summary", bool(buckets), wanted="mean")
    assert found is not None, "the statistic was checked when the query was read"
    return _quantile(float(found[1]) / 100, {bound: _summed(row, span.step) for bound, row in buckets.items()})


def _rates(term: Term, series: GroupSeries, span: Span) -> Row:
    name = term.metric
    for counted in (name, f"{name}_count"):
        if series.knows_counter(counted):
            return series.rate(counted, term.labels, span.first, span.slots)
    _allow(term, "a gauge", not series.knows_gauge(name), wanted="a counter or a histogram in a ratio")
    return np.full(span.slots, 0.0 if term.absent_is_zero else np.nan)


def _quantile(part: float, buckets: Mapping[float, Row]) -> Row:
    """Linear within a bucket, as Prometheus' histogram_quantile; beyond the last finite bound that bound."""
    bounds = np.array(list(buckets))
    counts = np.array(list(buckets.values()))  # (buckets, n), cumulative
    total = counts[-1]
    finite = bounds[np.isfinite(bounds)]
    found = np.full(counts.shape[1], np.nan)
    for place in np.flatnonzero(total > 0):
        rank = part * total[place]
        bucket = int(np.argmax(counts[:, place] >= rank))
        if not np.isfinite(bounds[bucket]):
            found[place] = finite[-1] if len(finite) else np.nan
            continue
        below = counts[bucket - 1, place] if bucket else 0.0
        lower = bounds[bucket - 1] if bucket else min(0.0, bounds[bucket])
        inside = counts[bucket, place] - below
        share = (rank - below) / inside if inside > 0 else 1.0
        found[place] = lower + (bounds[bucket] - lower) * share
    return found


def _summed(row: Row, step: int) -> Row:
    """Sums over the slots of each sample that were observed; NaN where none was."""
    cut = row.reshape(-1, step)
    return np.where(np.isnan(cut).all(axis=1), np.nan, np.nansum(cut, axis=1))


def _averaged(row: Row, step: int) -> Row:
    observed = np.count_nonzero(~np.isnan(row.reshape(-1, step)), axis=1)
    averaged: Row = _summed(row, step) / np.maximum(observed, 1)
    return averaged


def _allow(term: Term, kind: str, is_allowed: bool, *, wanted: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not is_allowed:
        message = f"The metric {term.metric} is {kind}, which has no {term.statistic or 'rate'}."
        raise Refused(Problem(code="metrics.statistic", message=message, remedy=f"Use {wanted}."))


class _Reader:
    """Reads a query and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def query(self, query: JsonObject) -> Query | None:
        scale = query.get("scale", 1)
        if isinstance(scale, bool) or not isinstance(scale, int | float):
            self._wrong("/scale", "`scale` must be a number")
            scale = 1
        is_ratio = "numerator" in query or "denominator" in query
        self._unknown(query, _OWN_KEYS | (frozenset() if is_ratio else _TERM_KEYS), "")
        if not is_ratio:
            term = self._term(query, "")
            return None if term is None else Single(term=term, scale=float(scale))
        numerator = self._part(query, "numerator")
        denominator = self._part(query, "denominator")
        if numerator is None or denominator is None:
            return None
        return Ratio(numerator=numerator, denominator=denominator, scale=float(scale))

    def _part(self, query: JsonObject, key: str) -> Term | None:
        value = query.get(key)
        if not isinstance(value, dict):
            self._wrong(f"/{key}", f'a ratio needs a `{key}` such as {{"metric": "http_requests_total"}}')
            return None
        self._unknown(value, _TERM_KEYS, f"/{key}")
        if value.get("statistic") not in (None, "", "rate"):
            self._wrong(f"/{key}/statistic", "a ratio divides rates, so its parts have no other `statistic`")
        return self._term(value, f"/{key}")

    def _term(self, value: JsonObject, pointer: str) -> Term | None:
        metric = value.get("metric")
        if not isinstance(metric, str) or not metric:
            self._wrong(f"{pointer}/metric", "`metric` must name a metric of the instances' /metrics")
            return None
        statistic = value.get("statistic") or ""
        if not isinstance(statistic, str) or not _is_statistic(statistic):
            self._wrong(f"{pointer}/statistic", "`statistic` must be mean, rate or a percentile such as p90")
            statistic = ""
        absent = value.get("absentIsZero", False)
        if not isinstance(absent, bool):
            self._wrong(f"{pointer}/absentIsZero", "`absentIsZero` must be true or false")
        return Term(
            metric=metric,
            labels=self._labels(value.get("labels"), f"{pointer}/labels"),
            statistic=statistic,
            absent_is_zero=absent is True,
        )

    def _labels(self, value: Json, pointer: str) -> dict[str, tuple[str, ...]]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._wrong(pointer, "`labels` must be an object of label names and patterns")
            return {}
        found: dict[str, tuple[str, ...]] = {}
        for label, wanted in value.items():
            texts = [one for one in (wanted if isinstance(wanted, list) else [wanted]) if isinstance(one, str)]
            if not texts or (isinstance(wanted, list) and len(texts) != len(wanted)):
                self._wrong(f"{pointer}/{label}", "a label's pattern must be a text or a list of texts")
            found[label] = tuple(texts)
        return found

    def _unknown(self, value: JsonObject, known: frozenset[str], pointer: str) -> None:
        for key in value:
            if key not in known:
                self._wrong(f"{pointer}/{key}", f"there is no `{key}` here; known are {', '.join(sorted(known))}")

    def _wrong(self, pointer: str, said: str) -> None:
        message = f"The query can't be asked: {said}."
        self.problems.append(Problem(code="metrics.query", message=message, pointer=pointer))


def _is_statistic(text: str) -> bool:
    return text in ("", "mean", "rate") or _QUANTILE.fullmatch(text) is not None
