"""Source: the metric source `embedded`, over the series that the scraper of this process has gathered.

The scope is a server group's name; the location doesn't matter, names of server groups being unique among the embedded
providers. A sample is one step long, at least one scrape interval. NaN where nothing was observed.
"""

import json

import numpy as np

from gennaker.interfaces.metrics import MetricScope, MetricSet
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.plugins.scraper import queries
from gennaker.plugins.scraper.series import SeriesStore

TYPE = "embedded"
_SHORTEST_SLOT_SECONDS = 0.1


class EmbeddedSource:
    """Offers the port MetricSource; the scraper fills its store."""

    type = TYPE

    def __init__(self, store: SeriesStore) -> None:
        """A store that somebody fills."""
        self.store = store

    @classmethod
    def of(cls, services: Services) -> "EmbeddedSource":
        """The source as the server has it."""
        settings = services.settings.metrics
        slot_seconds = max(settings.scrape_seconds, _SHORTEST_SLOT_SECONDS)
        return cls(SeriesStore(slot_seconds=slot_seconds, keep_seconds=settings.keep_seconds))

    async def fetch(self, name: str, query: JsonObject, scope: MetricScope) -> tuple[MetricSet, ...]:
        """The metric's one series. Raises Refused for a query that can't be asked."""
        asked = queries.read(query)
        step = max(1, round(scope.step_seconds / self.store.slot_seconds))
        first, end = self.store.slot_of(scope.start), self.store.slot_of(scope.end)
        count = max(0, end - first) // step
        series = self.store.group(scope.scope)
        if series is None or not count:
            values = np.full(count, np.nan)
        else:
            values = queries.answer(asked, series, queries.Span(first=first, samples=count, step=step))
        found = MetricSet(
            name=name,
            start=scope.start,
            step_seconds=max(1, round(step * self.store.slot_seconds)),
            values=tuple(values.tolist()),
            query=json.dumps({key: value for key, value in query.items() if key != "type"}),
        )
        return (found,)

    async def metric_names(self) -> tuple[str, ...]:
        """What any server group has shown of late."""
        return tuple(sorted(self.store.shown_names()))
