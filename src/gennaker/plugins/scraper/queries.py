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

from gennaker.canary.shapes import EmbeddedShape, TermShape
from gennaker.model import foreign, pointers, records
from gennaker.model.codec import JsonObject
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
    """Reads a query whose types are right and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def query(self, query: JsonObject) -> Query | None:
        is_ratio = "numerator" in query or "denominator" in query
        self._unknown(query, _OWN_KEYS | (frozenset() if is_ratio else _TERM_KEYS), "")
        shape = records.read(query, EmbeddedShape)
        if isinstance(shape, tuple):
            for one in shape:
                self._wrong(one.pointer, f"`{one.name}` {one.said}")
            return None
        if not is_ratio:
            term = self._term(shape, "")
            return None if term is None else Single(term=term, scale=shape.scale)
        numerator = self._part(query, shape.numerator, "numerator")
        denominator = self._part(query, shape.denominator, "denominator")
        if numerator is None or denominator is None:
            return None
        return Ratio(numerator=numerator, denominator=denominator, scale=shape.scale)

    def _part(self, query: JsonObject, shape: TermShape | None, key: str) -> Term | None:
        if shape is None:
            self._wrong(f"/{key}", f'a ratio needs its `{key}`, such as {{"metric": "http_requests_total"}}')
            return None
        self._unknown(foreign.mapping(query[key]), _TERM_KEYS, f"/{key}")
        if shape.statistic not in ("", "rate"):
            self._wrong(f"/{key}/statistic", "a ratio divides rates, so its parts have no other `statistic`")
        return self._term(shape, f"/{key}")

    def _term(self, shape: TermShape, pointer: str) -> Term | None:
        if not shape.metric:
            self._wrong(f"{pointer}/metric", "`metric` must name a metric of the instances' /metrics")
            return None
        if not _is_statistic(shape.statistic):
            self._wrong(f"{pointer}/statistic", "`statistic` must be mean, rate or a percentile such as p90")
        for label, wanted in shape.labels.items():
            if not wanted:
                self._wrong(f"{pointer}/labels/{pointers.escaped(label)}", "a label needs a pattern, or several")
        return Term(
            metric=shape.metric,
            labels={label: (one,) if isinstance(one, str) else one for label, one in shape.labels.items()},
            statistic=shape.statistic if _is_statistic(shape.statistic) else "",
            absent_is_zero=shape.absent_is_zero,
        )

    def _unknown(self, value: JsonObject, known: frozenset[str], pointer: str) -> None:
        for key in value:
            if key not in known:
                said = f"there is no `{key}` here; known are {', '.join(sorted(known))}"
                self._wrong(f"{pointer}/{pointers.escaped(key)}", said)

    def _wrong(self, pointer: str, said: str) -> None:
        message = f"The query can't be asked: {said}."
        self.problems.append(Problem(code="metrics.query", message=message, pointer=pointer))


def _is_statistic(text: str) -> bool:
    return text in ("", "mean", "rate") or _QUANTILE.fullmatch(text) is not None
