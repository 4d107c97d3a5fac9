"""Series: what the instances of each server group have shown, one row a second, in rings of bounded length.

Theory of operation. Time is cut into slots of one scrape interval; a slot's row holds what was learned at the scrape
that ended it. Counters are kept as rates: an instance's increase since its scrape before, divided by the seconds
between the two (so a missed scrape loses a row, but no event), summed over the instances. An instance's first scrape
gives no rates; a series that appears later has grown from 0; a value that fell means that the process began anew, so
the whole value is the increase. A series whose label `server_group` names another group is that group's: an order that
arrives at one group may follow from a page that another one has shown. Gauges are kept as sums with the number of instances that answered.

Nothing is stored: after a restart of the server the series begin anew, and whoever needs samples from before waits
for new ones. One thread only.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatchcase

import numpy as np
import structlog
from numpy.typing import NDArray

from gennaker.transport.exposition import Labels, Page, SeriesKey

log = structlog.get_logger()

Row = NDArray[np.float64]
"""(n,) float64, one value a slot; NaN = not observed."""
LabelPatterns = Mapping[str, tuple[str, ...]]
"""Label → patterns with `*`, one of which must match; a missing label is the empty text."""

_MOST_SERIES = 500
"""Of one server group: 1,800 slots of 500 series are 3.6 MB."""
_MOST_GROUPS = 64
"""Beyond it the group that has been gone longest makes room for a new one."""
_MOST_LIVE_GROUPS = 256
"""A live group is only turned away when this many others are live: without its samples a judge sees half of the truth."""
_OWNER = "server_group"
"""Label that says whose a series is, if not of the group that shows it."""


class GroupSeries:
    """The rings of one server group."""

    def __init__(self, length: int) -> None:
        """`length` slots are kept."""
        self._length = length
        self._slots = np.full(length, -1, dtype=np.int64)
        self._answered = np.zeros(length, dtype=np.int32)
        self._rated = np.zeros(length, dtype=np.int32)
        # float32: seven digits, for half of the memory; rates are small and gauges are compared in per cent.
        self._rates: dict[SeriesKey, NDArray[np.float32]] = {}
        self._gauges: dict[SeriesKey, NDArray[np.float32]] = {}
        self.newest = -1

    def add(self, slot: int, *, rates: Mapping[SeriesKey, float] | None, gauges: Mapping[SeriesKey, float]) -> None:
        """Adds what one instance has shown in a slot; no rates at its first scrape."""
        if slot <= self.newest - self._length:
            return
        place = slot % self._length
        if self._slots[place] != slot:
            self._clear(place, slot)
        self.newest = max(self.newest, slot)
        self._answered[place] += 1
        self._add_to(self._gauges, place, gauges)
        if rates is not None:
            self._rated[place] += 1
            self._add_to(self._rates, place, rates)

    def credit(self, slot: int, rates: Mapping[SeriesKey, float]) -> None:
        """Adds what another group's instance has counted for this one; that it was observed only an own instance says."""
        if slot <= self.newest - self._length:
            return
        place = slot % self._length
        if self._slots[place] != slot:
            self._clear(place, slot)
        self.newest = max(self.newest, slot)
        self._add_to(self._rates, place, rates)

    def rate(self, name: str, labels: LabelPatterns, first: int, count: int) -> Row:
        """Increases a second of all matching counters together."""
        found = [ring for _, ring in _matching(self._rates, name, labels)]
        places, is_there = self._places(first, count)
        total = np.zeros(count)
        for ring in found:
            total += np.nan_to_num(ring[places].astype(np.float64), nan=0.0)
        return np.where(is_there & (self._rated[places] > 0), total, np.nan)

    def gauge(self, name: str, labels: LabelPatterns, first: int, count: int) -> Row:
        """Sum of all matching gauges, averaged over the instances."""
        places, is_there = self._places(first, count)
        total = np.full(count, np.nan)
        for _, ring in _matching(self._gauges, name, labels):
            total = np.where(np.isnan(total), 0.0, total) + ring[places]
        return np.where(is_there, total / np.maximum(self._answered[places], 1), np.nan)

    def buckets(self, name: str, labels: LabelPatterns, first: int, count: int) -> dict[float, Row]:
        """Rates of a histogram's cumulative buckets by upper bound."""
        bounds = {
            bound for one, _ in _matching(self._rates, f"{name}_bucket", labels) if (bound := _bound(one)) is not None
        }
        return {
            bound: self.rate(f"{name}_bucket", {**labels, "le": _texts_of(self._rates, name, bound)}, first, count)
            for bound in sorted(bounds)
        }

    def knows_counter(self, name: str) -> bool:
        """Some counter has this name, whatever its labels."""
        return any(key[0] == name for key in self._rates)

    def knows_gauge(self, name: str) -> bool:
        """Some gauge has this name, whatever its labels."""
        return any(key[0] == name for key in self._gauges)

    def shown_names(self) -> frozenset[str]:
        """As queries name them: a histogram or summary once, without its parts."""
        shown = {name for name, _ in (*self._rates, *self._gauges)}
        wholes = {whole for name in shown if f"{(whole := name.removesuffix('_sum'))}_count" in shown and whole != name}
        parts = {f"{whole}_{part}" for whole in wholes for part in ("sum", "count", "bucket")}
        return frozenset(shown - parts | wholes)

    def _places(self, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        slots = np.arange(first, first + count, dtype=np.int64)
        places = slots % self._length
        return places, self._slots[places] == slots

    def _clear(self, place: int, slot: int) -> None:
        self._slots[place] = slot
        self._answered[place] = 0
        self._rated[place] = 0
        for ring in (*self._rates.values(), *self._gauges.values()):
            ring[place] = np.nan

    def _add_to(
        self, rings: dict[SeriesKey, NDArray[np.float32]], place: int, values: Mapping[SeriesKey, float]
    ) -> None:
        for key, value in values.items():
            ring = rings.get(key)
            if ring is None:
                if len(self._rates) + len(self._gauges) >= _MOST_SERIES:
                    continue
                ring = rings[key] = np.full(self._length, np.nan, dtype=np.float32)
            before = ring[place]
            ring[place] = value if np.isnan(before) else before + value


class SeriesStore:
    """The rings of all server groups, and what their instances showed last."""

    def __init__(self, *, slot_seconds: float, keep_seconds: float) -> None:
        """Both from the settings."""
        self.slot_seconds = slot_seconds
        self._length = max(2, round(keep_seconds / slot_seconds))
        self._groups: dict[str, GroupSeries] = {}
        self._last: dict[tuple[str, str], tuple[datetime, Page]] = {}
        self._live: frozenset[str] = frozenset()

    def slot_of(self, at: datetime) -> int:
        """The slot that begins nearest to the instant."""
        return round(at.timestamp() / self.slot_seconds)

    def group(self, name: str) -> GroupSeries | None:
        """The rings of a server group; None: nothing was ever scraped from it."""
        return self._groups.get(name)

    def names(self) -> tuple[str, ...]:
        """The server groups that have rings."""
        return tuple(self._groups)

    def shown_names(self) -> frozenset[str]:
        """Those of all server groups."""
        return frozenset().union(*(one.shown_names() for one in self._groups.values()))

    def record(self, group: str, instance: str, *, slot: int, at: datetime, page: Page) -> None:
        """Adds a page that an instance has shown at this instant; the slot is the one that it ends."""
        before = self._last.get((group, instance))
        self._last[group, instance] = (at, page)
        rates = None if before is None else _rates(before[1], page, (at - before[0]).total_seconds())
        own, foreign = _by_owner(group, rates)
        if group not in self._groups and self._makes_room(group):
            self._groups[group] = GroupSeries(self._length)
        if group in self._groups:
            self._groups[group].add(slot, rates=own, gauges=page.gauges)
        for owner, credited in foreign.items():
            if owner in self._groups:
                self._groups[owner].credit(slot, credited)

    def forget(self, *, slot: int, instances: frozenset[tuple[str, str]]) -> None:
        """Drops the rings that hold nothing any more, and the last pages of instances that are gone."""
        oldest = slot - self._length
        self._groups = {name: series for name, series in self._groups.items() if series.newest > oldest}
        self._last = {key: last for key, last in self._last.items() if key in instances}
        self._live = frozenset(group for group, _ in instances)

    def _makes_room(self, group: str) -> bool:
        """There is room for one more group, if need be that of one which is gone."""
        if len(self._groups) < _MOST_GROUPS:
            return True
        gone = [name for name in self._groups if name not in self._live]
        if gone:
            del self._groups[min(gone, key=lambda name: self._groups[name].newest)]
            return True
        if len(self._groups) < _MOST_LIVE_GROUPS:
            return True
        log.warning("scraper.too_many_groups", group=group, most=_MOST_LIVE_GROUPS)
        return False


def _rates(before: Page, now: Page, seconds: float) -> dict[SeriesKey, float] | None:
    if seconds <= 0:
        return None
    increases = {}
    for key, value in now.counters.items():
        earlier = before.counters.get(key, 0.0)
        increases[key] = (value - earlier if value >= earlier else value) / seconds
    return increases


def _by_owner(
    group: str, rates: Mapping[SeriesKey, float] | None
) -> tuple[dict[SeriesKey, float] | None, dict[str, dict[SeriesKey, float]]]:
    """Own rates, and those of series whose label `server_group` names another group (as Prometheus' honor_labels)."""
    if rates is None:
        return None, {}
    own: dict[SeriesKey, float] = {}
    foreign: dict[str, dict[SeriesKey, float]] = {}
    for key, rate in rates.items():
        owner = dict(key[1]).get(_OWNER, group)
        (own if owner == group else foreign.setdefault(owner, {}))[key] = rate
    return own, foreign


def _matching(
    rings: Mapping[SeriesKey, NDArray[np.float32]], name: str, patterns: LabelPatterns
) -> Iterator[tuple[Labels, NDArray[np.float32]]]:
    for (one, labels), ring in rings.items():
        if one == name and _fits(dict(labels), patterns):
            yield labels, ring


def _fits(labels: Mapping[str, str], patterns: LabelPatterns) -> bool:
    return all(
        any(fnmatchcase(labels.get(label, ""), pattern) for pattern in wanted) for label, wanted in patterns.items()
    )


def _bound(labels: Labels) -> float | None:
    text = dict(labels).get("le")
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _texts_of(rings: Mapping[SeriesKey, NDArray[np.float32]], name: str, bound: float) -> tuple[str, ...]:
    """The ways in which a bucket's bound is written: `1` and `1.0` are one bucket."""
    texts = {dict(labels).get("le", "") for one, labels in rings if one == f"{name}_bucket"}
    return tuple(sorted(text for text in texts if text and float(text) == bound))
