"""Metric sources: where a canary analysis gets its samples from."""

from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from gennaker.model.codec import JsonObject


class MetricScope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose samples, from when to when."""

    scope: str
    """Server group."""
    location: str = ""
    start: datetime
    end: datetime
    step_seconds: int = 60
    extended: dict[str, str] = {}
    templates: dict[str, str] = {}
    """The canary config's named query templates."""


class MetricSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One series."""

    name: str
    tags: dict[str, str] = {}
    start: datetime
    step_seconds: int
    values: tuple[float, ...]
    """NaN = missing."""
    query: str = ""
    """What was asked, for the report."""


class MetricSource(Protocol):
    """Answers the queries of one type of canary metric."""

    @property
    def type(self) -> str:
        """The metric query's `type`: `prometheus`, `embedded`."""
        ...

    async def fetch(self, name: str, query: JsonObject, scope: MetricScope) -> tuple[MetricSet, ...]:
        """All series of the metric for this scope; where there are none, one with no values."""
        ...


class MetricsUnavailable(Exception):
    """The source doesn't answer, or not now. The text says what."""


@runtime_checkable
class MetricCatalogue(Protocol):
    """A metric source that can say what it has, for people to choose from."""

    async def metric_names(self) -> tuple[str, ...]:
        """What its queries can ask for now, each once, in order. Raises MetricsUnavailable."""
        ...
