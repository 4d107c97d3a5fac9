"""The embedded metric source: what queries give for pages that instances have shown."""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest

from gennaker.interfaces.metrics import MetricScope
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.scraper.series import SeriesStore
from gennaker.plugins.scraper.source import EmbeddedSource
from gennaker.transport import exposition

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
GROUP = "shop-canary-v000"


class World:
    """A source whose instances show pages, one a second."""

    def __init__(self, *, slot_seconds: float = 1.0, keep_seconds: float = 60) -> None:
        self.slot_seconds = slot_seconds
        self.store = SeriesStore(slot_seconds=slot_seconds, keep_seconds=keep_seconds)
        self.source = EmbeddedSource(self.store)

    def shows(self, second: float, page: str, instance: str = "a", group: str = GROUP) -> None:
        """What the instance shows so many seconds after AT: it ends the slot before."""
        at = AT + timedelta(seconds=second)
        parsed = exposition.parse(page, most=100)
        self.store.record(group, instance, slot=self.store.slot_of(at) - 1, at=at, page=parsed)

    def asks(
        self, query: JsonObject, *, seconds: int = 5, step: int = 1, group: str = GROUP, after: int = 0
    ) -> list[float]:
        """The samples of so many seconds from AT on."""
        start = AT + timedelta(seconds=after)
        scope = MetricScope(scope=group, start=start, end=start + timedelta(seconds=seconds), step_seconds=step)
        (found,) = asyncio.run(self.source.fetch("m", {"type": "embedded", **query}, scope))
        return list(found.values)


def same(found: list[float], wanted: list[float]) -> bool:
    return found == pytest.approx(wanted, nan_ok=True, rel=1e-5)


NAN = math.nan


def test_counters_become_rates_and_the_first_page_gives_none() -> None:
    world = World()
    for second, total in enumerate([100, 160, 220, 221]):
        world.shows(second, f"hits_total {total}")

    assert same(world.asks({"metric": "hits_total"}), [60, 60, 1, NAN, NAN])


def test_a_missed_scrape_loses_a_row_but_no_event() -> None:
    world = World()
    world.shows(0, "hits_total 0")
    world.shows(1, "hits_total 10")
    world.shows(3, "hits_total 30")

    assert same(world.asks({"metric": "hits_total"}, seconds=3), [10, NAN, 10])


def test_a_counter_that_begins_anew_has_grown_by_what_it_shows() -> None:
    world = World()
    for second, total in enumerate([100, 110, 7]):
        world.shows(second, f"hits_total {total}")

    assert same(world.asks({"metric": "hits_total"}, seconds=2), [10, 7])


def test_a_series_that_appears_later_has_grown_from_nothing() -> None:
    world = World()
    world.shows(0, 'hits_total{status="200"} 5')
    world.shows(1, 'hits_total{status="200"} 9\nhits_total{status="500"} 1')

    assert same(world.asks({"metric": "hits_total", "labels": {"status": "5*"}}, seconds=1), [1])


def test_errors_in_a_hundred_requests() -> None:
    world = World()
    query: JsonObject = {
        "numerator": {"metric": "hits_total", "labels": {"status": ["5*", "4*"]}},
        "denominator": {"metric": "hits_total"},
        "scale": 100,
    }
    world.shows(0, 'hits_total{status="200"} 0')
    world.shows(1, 'hits_total{status="200"} 60')
    world.shows(2, 'hits_total{status="200"} 117\nhits_total{status="503"} 2\nhits_total{status="404"} 1')
    world.shows(3, 'hits_total{status="200"} 117\nhits_total{status="503"} 2\nhits_total{status="404"} 1')

    assert same(world.asks(query, seconds=3), [0, 5, NAN])


def test_all_instances_of_a_group_count_together() -> None:
    world = World()
    for instance in ("a", "b"):
        world.shows(0, "orders_total 0\nvisits_total 0\nmemory 10", instance)
    world.shows(1, "orders_total 1\nvisits_total 10\nmemory 10", "a")
    world.shows(1, "orders_total 3\nvisits_total 10\nmemory 30", "b")

    ratio: JsonObject = {"numerator": {"metric": "orders_total"}, "denominator": {"metric": "visits_total"}}
    assert same(world.asks(ratio, seconds=1), [0.2])
    assert same(world.asks({"metric": "memory"}, seconds=1), [20])
    assert same(world.asks({"metric": "visits_total"}, seconds=1), [20])


def histogram(counts: list[int], total: float) -> str:
    bounds = ["0.1", "0.2", "0.4", "+Inf"]
    lines = [f'latency_bucket{{le="{bound}"}} {count}' for bound, count in zip(bounds, counts, strict=True)]
    return "\n".join(["# TYPE latency histogram", *lines, f"latency_count {counts[-1]}", f"latency_sum {total}"])


def test_histograms_give_means_and_percentiles_of_each_second() -> None:
    world = World()
    world.shows(0, histogram([0, 0, 0, 0], 0.0))
    world.shows(1, histogram([50, 90, 100, 100], 12.0))
    world.shows(2, histogram([50, 90, 100, 100], 12.0))
    world.shows(3, histogram([50, 90, 100, 110], 22.0))

    assert same(world.asks({"metric": "latency"}, seconds=3), [0.12, NAN, 1.0])
    assert same(world.asks({"metric": "latency", "statistic": "p50", "scale": 1000}, seconds=3), [100, NAN, 400])
    assert same(world.asks({"metric": "latency", "statistic": "p95"}, seconds=1), [0.3])
    assert same(world.asks({"metric": "latency", "statistic": "rate"}, seconds=3), [100, 0, 10])


def test_longer_steps_put_seconds_together() -> None:
    world = World()
    for second, total in enumerate([0, 1, 3, 6, 10]):
        world.shows(second, f"hits_total {total}\nvisits_total {second * 10}\nmemory {second}")

    ratio: JsonObject = {"numerator": {"metric": "hits_total"}, "denominator": {"metric": "visits_total"}}
    assert same(world.asks(ratio, seconds=4, step=2), [0.15, 0.35])
    assert same(world.asks({"metric": "hits_total"}, seconds=4, step=2), [1.5, 3.5])
    assert same(world.asks({"metric": "memory"}, seconds=4, step=2), [1.5, 3.5])


def test_old_samples_make_room() -> None:
    world = World(keep_seconds=10)
    for second in range(31):
        world.shows(second, f"hits_total {second}")

    assert same(world.asks({"metric": "hits_total"}, seconds=5, after=16), [NAN, NAN, NAN, NAN, 1])
    world.store.forget(slot=world.store.slot_of(AT) + 100, instances=frozenset())
    assert world.store.names() == ()


def test_what_nobody_shows_has_no_samples_unless_absent_means_none() -> None:
    world = World()
    for second in range(3):
        world.shows(second, f"visits_total {second * 10}")

    def errors(**keys: Json) -> JsonObject:
        return {"numerator": {"metric": "errors_total", **keys}, "denominator": {"metric": "visits_total"}}

    assert same(world.asks(errors(), seconds=2), [NAN, NAN])
    assert same(world.asks(errors(absentIsZero=True), seconds=2), [0, 0])
    assert same(world.asks({"metric": "visits_total"}, seconds=2, group="shop-none-v000"), [NAN, NAN])


def test_what_one_group_causes_may_be_counted_by_another() -> None:
    world = World()
    other = "shop-prod-v001"
    for second in range(3):
        world.shows(second, f'visits_total {second * 10}\norders_total{{server_group="{GROUP}"}} {second}')
        orders = (
            f'orders_total{{server_group="{GROUP}"}} {second * 2}\norders_total{{server_group="{other}"}} {second * 5}'
        )
        world.shows(second, f"visits_total {second * 20}\n{orders}", group=other)

    query: JsonObject = {"numerator": {"metric": "orders_total"}, "denominator": {"metric": "visits_total"}}
    assert same(world.asks(query, seconds=2), [0.3, 0.3])
    assert same(world.asks(query, seconds=2, group=other), [0.25, 0.25])


def test_shorter_slots_are_put_together_to_the_step() -> None:
    world = World(slot_seconds=0.5)
    for half in range(5):
        world.shows(half / 2, f"hits_total {half * 3}")

    assert same(world.asks({"metric": "hits_total"}, seconds=2), [6, 6])


@pytest.mark.parametrize(
    ("query", "pointers"),
    [
        ({}, ["/metric"]),
        ({"metric": "m", "statistic": "median"}, ["/statistic"]),
        ({"metric": "m", "scale": "much", "labels": {"a": {}}}, ["/labels/a", "/scale"]),
        ({"metric": "m", "labels": {"a": [], "b/c": ["x", {}]}}, ["/labels/b~1c/1"]),
        ({"metric": "m", "labels": {"a": []}}, ["/labels/a"]),
        ({"numerator": 5, "denominator": {"metric": []}}, ["/numerator", "/denominator/metric"]),
        ({"metric": "m", "label": {}}, ["/label"]),
        ({"numerator": {"metric": "m"}}, ["/denominator"]),
        (
            {"numerator": {"metric": "m", "statistic": "p90"}, "denominator": {}},
            ["/numerator/statistic", "/denominator/metric"],
        ),
        ({"metric": "m", "absentIsZero": "perhaps"}, ["/absentIsZero"]),
        ({"metric": "m", "labels": ["a"]}, ["/labels"]),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_with_all_that_is_wrong(query: JsonObject, pointers: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        World().asks(query)

    assert [problem.pointer for problem in refused.value.problems] == pointers


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"metric": "hits_total", "statistic": "p90"}, "hits_total is a counter, which has no p90"),
        ({"metric": "memory", "statistic": "rate"}, "memory is a gauge, which has no rate"),
        ({"numerator": {"metric": "memory"}, "denominator": {"metric": "hits_total"}}, "memory is a gauge"),
        ({"metric": "size", "statistic": "p50"}, "size is a summary, which has no p50"),
    ],
)
def test_a_statistic_that_a_metric_doesnt_have_is_refused(query: JsonObject, said: str) -> None:
    world = World()
    for second in range(2):
        world.shows(second, "# TYPE size summary\nsize_count 1\nsize_sum 2\nhits_total 1\nmemory 3")
        world.shows(second, "hits_total 1\nmemory 3", "b")

    with pytest.raises(Refused, match=said):
        world.asks(query)


def live(*groups: str) -> frozenset[tuple[str, str]]:
    return frozenset((group, "a") for group in groups)


def test_groups_that_are_gone_make_room_for_new_ones() -> None:
    world = World(keep_seconds=600)
    for number in range(64):
        world.shows(number, "hits_total 1", group=f"old-v{number:03}")
    world.store.forget(slot=world.store.slot_of(AT), instances=live("old-v000"))

    for second, total in enumerate([100, 160]):
        world.shows(64 + second, f"hits_total {total}")

    assert same(world.asks({"metric": "hits_total"}, after=64, seconds=1), [60])
    assert "old-v000" in world.store.names()  # the oldest, but live
    assert "old-v001" not in world.store.names()


def test_live_groups_are_turned_away_only_when_very_many_are_live() -> None:
    world = World()
    names = [f"live-v{number:03}" for number in range(257)]
    world.store.forget(slot=world.store.slot_of(AT), instances=live(*names))

    for name in names:
        world.shows(1, "hits_total 1", group=name)

    assert world.store.names() == tuple(names[:256])


def test_what_a_group_without_room_has_counted_for_others_is_credited() -> None:
    world = World()
    names = [f"live-v{number:03}" for number in range(256)]
    world.store.forget(slot=world.store.slot_of(AT), instances=live(*names))
    for second in range(3):
        for name in names:
            world.shows(second, "hits_total 1", group=name)

    for second, total in enumerate([0, 7, 14]):
        world.shows(second, f'orders_total{{server_group="live-v000"}} {total}', group="no-room")

    assert same(world.asks({"metric": "orders_total"}, group="live-v000", seconds=2), [7, 7])


def test_metrics_are_named_as_queries_ask_for_them() -> None:
    world = World()
    for second in range(2):
        page = [
            f'hits_total{{path="/a"}} {second}',
            f'hits_total{{path="/b"}} {second}',
            "# TYPE wait_seconds histogram",
            f'wait_seconds_bucket{{le="1"}} {second}',
            f'wait_seconds_bucket{{le="+Inf"}} {second}',
            f"wait_seconds_sum {second}",
            f"wait_seconds_count {second}",
            "# TYPE carts_count gauge",
            "carts_count 3",
        ]
        world.shows(second, "\n".join(page))
        world.shows(second, "up 1", group="other-v000")

    names = asyncio.run(world.source.metric_names())

    assert names == ("carts_count", "hits_total", "up", "wait_seconds")
    assert not any(math.isnan(world.asks({"metric": name}, seconds=1)[0]) for name in ("hits_total", "wait_seconds"))
