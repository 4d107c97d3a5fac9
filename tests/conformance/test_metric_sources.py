"""One suite for every metric source: what a canary analysis relies on when it asks for samples."""

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.conformance import subjects
from tests.fakes.metrics import FakeSource

from gennaker.interfaces.metrics import MetricCatalogue, MetricScope, MetricSet, MetricSource
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.scraper.series import SeriesStore
from gennaker.plugins.scraper.source import EmbeddedSource
from gennaker.transport import exposition

SUBJECTS: dict[str, type[MetricSource]] = {"embedded": EmbeddedSource, "fake": FakeSource}
CATALOGUES: dict[str, type[MetricCatalogue]] = {"embedded": EmbeddedSource, "fake": FakeSource}
"""Those that can say what they have."""
AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
GROUP = "shop-canary-v000"
SEEN = (3.0, 1.0, 4.0)
"""What was observed of GROUP's metric `m` in the first seconds from AT on; nothing after."""


class Bench:
    """A source, and a query for `m`."""

    def __init__(self, source: MetricSource, query: JsonObject, senseless: JsonObject) -> None:
        self.source = source
        self.query = query
        self.senseless = senseless

    def asked(
        self, *, seconds: float = 3, step: int = 1, group: str = GROUP, query: JsonObject | None = None
    ) -> tuple[MetricSet, ...]:
        scope = MetricScope(scope=group, start=AT, end=AT + timedelta(seconds=seconds), step_seconds=step)
        return asyncio.run(self.source.fetch("m", query or self.query, scope))


def embedded() -> Bench:
    store = SeriesStore(slot_seconds=1, keep_seconds=60)
    for second, value in enumerate(SEEN):
        at = AT + timedelta(seconds=second)
        page = exposition.parse(f"n 1\nm {value}", most=10)
        store.record(GROUP, "a", slot=store.slot_of(at), at=at + timedelta(seconds=1), page=page)
    query: JsonObject = {"type": "embedded", "metric": "m"}
    return Bench(EmbeddedSource(store), query, {"type": "embedded", "metric": []})


def fake() -> Bench:
    turn = iter(range(1000))

    def behaves(_: str, group: str, __: np.random.Generator) -> float:
        second = next(turn)
        return SEEN[second] if group == GROUP and second < len(SEEN) else math.nan

    return Bench(FakeSource(behaves), {"type": "fake", "of": "m"}, {"type": "fake"})


BENCHES: dict[str, Callable[[], Bench]] = {"embedded": embedded, "fake": fake}


@pytest.fixture(params=subjects.params(SUBJECTS))
def bench(request: pytest.FixtureRequest) -> Bench:
    made = BENCHES[request.param]()
    assert type(made.source) is SUBJECTS[request.param]
    return made


def test_it_answers_queries_of_its_type(bench: Bench) -> None:
    assert bench.source.type == bench.query["type"]


def test_samples_come_in_order_one_a_step_from_the_windows_start(bench: Bench) -> None:
    (found,) = bench.asked()

    assert found.values == SEEN
    assert (found.name, found.start, found.step_seconds, found.tags) == ("m", AT, 1, {})


def test_what_was_not_observed_is_missing_and_takes_its_place(bench: Bench) -> None:
    (found,) = bench.asked(seconds=5)

    assert found.values[:3] == SEEN
    assert [math.isnan(value) for value in found.values[3:]] == [True, True]


def test_of_an_unknown_group_everything_is_missing(bench: Bench) -> None:
    (found,) = bench.asked(group="nothing-v000")

    assert [math.isnan(value) for value in found.values] == [True, True, True]


@pytest.mark.parametrize(("seconds", "step"), [(0, 1), (0.5, 1), (2, 3)])
def test_a_window_shorter_than_a_step_has_no_sample(bench: Bench, seconds: float, step: int) -> None:
    (found,) = bench.asked(seconds=seconds, step=step)

    assert found.values == ()


def test_what_is_left_of_a_window_after_its_last_whole_step_is_not_told(bench: Bench) -> None:
    (found,) = bench.asked(seconds=3, step=2)

    assert len(found.values) == 1
    assert found.step_seconds == 2


def test_a_query_that_makes_no_sense_is_refused_whatever_the_window(bench: Bench) -> None:
    for seconds in (0, 3):
        with pytest.raises(Refused) as refused:
            bench.asked(seconds=seconds, query=bench.senseless)
        assert refused.value.problems[0].pointer


def test_the_report_gets_to_know_what_was_asked(bench: Bench) -> None:
    (found,) = bench.asked()

    assert found.query


def test_what_it_has_is_named_once_and_in_order(bench: Bench) -> None:
    assert isinstance(bench.source, MetricCatalogue)

    assert asyncio.run(bench.source.metric_names()) == ("m", "n")
