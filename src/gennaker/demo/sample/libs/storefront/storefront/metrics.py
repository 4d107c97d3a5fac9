"""Metrics: counters, gauges and histograms, written in Prometheus's text format (0.0.4).

Not for: more than one process; every process shows its own numbers.
"""

import resource
import sys
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS_BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_STATM = Path("/proc/self/statm")


class Counter:
    """Only grows; one number for each combination of label values."""

    kind = "counter"

    def __init__(self, name: str, about: str, labels: tuple[str, ...] = ()) -> None:
        self.name, self.about, self._labels = name, about, labels
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Counts; `values` are those of the labels, in order."""
        self._values[values] = self._values.get(values, 0.0) + amount

    def value(self, *values: str) -> float:
        """What was counted."""
        return self._values.get(values, 0.0)

    def lines(self) -> list[str]:
        """Samples as text."""
        return [f"{self.name}{_labels(self._labels, key)} {_number(value)}" for key, value in self._values.items()]


class Measured:
    """A number that is looked up when the metrics are read."""

    def __init__(self, name: str, about: str, read: Callable[[], float], kind: str = "gauge") -> None:
        self.name, self.about, self.kind, self._read = name, about, kind, read

    def lines(self) -> list[str]:
        """The sample as text."""
        return [f"{self.name} {_number(self._read())}"]


class Histogram:
    """How often which sizes were seen."""

    kind = "histogram"

    def __init__(
        self, name: str, about: str, labels: tuple[str, ...] = (), bounds: tuple[float, ...] = SECONDS_BOUNDS
    ) -> None:
        """`bounds` are the upper ends of the buckets, inclusive, ascending."""
        self.name, self.about, self._labels, self._bounds = name, about, labels, bounds
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, size: float, *values: str) -> None:
        """Counts one observation."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(self._bounds) + 1)
            self._sums[values] = 0.0
        counts[bisect_left(self._bounds, size)] += 1
        self._sums[values] += size

    def lines(self) -> list[str]:
        """Samples as text: cumulative buckets, sum, count."""
        found = []
        names = (*self._labels, "le")
        for key, counts in self._counts.items():
            seen = 0
            for bound, count in zip((*map(_number, self._bounds), "+Inf"), counts, strict=True):
                seen += count
                found.append(f"{self.name}_bucket{_labels(names, (*key, bound))} {seen}")
            found.append(f"{self.name}_sum{_labels(self._labels, key)} {_number(self._sums[key])}")
            found.append(f"{self.name}_count{_labels(self._labels, key)} {seen}")
        return found


Metric = Counter | Measured | Histogram


class Registry:
    """All metrics of a process."""

    def __init__(self) -> None:
        self._metrics: list[Metric] = []

    def counter(self, name: str, about: str, *labels: str) -> Counter:
        """Makes and adds a counter."""
        made = Counter(name, about, labels)
        self._metrics.append(made)
        return made

    def histogram(self, name: str, about: str, *labels: str) -> Histogram:
        """Makes and adds a histogram of seconds."""
        made = Histogram(name, about, labels)
        self._metrics.append(made)
        return made

    def add_process(self) -> None:
        """Adds what every process can say about itself."""
        self._metrics += [
            Measured("process_cpu_seconds_total", "CPU time used.", time.process_time, "counter"),
            Measured("process_resident_memory_bytes", "Memory in use.", resident_bytes),
        ]

    def text(self) -> str:
        """All metrics in the text format."""
        parts = []
        for metric in self._metrics:
            parts.append(f"# HELP {metric.name} {metric.about}\n# TYPE {metric.name} {metric.kind}\n")
            parts += [f"{line}\n" for line in metric.lines()]
        return "".join(parts)


def resident_bytes() -> float:
    """Memory of this process that is in RAM; where the system doesn't tell, the most it ever was."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{n}="{_escaped(v)}"' for n, v in zip(names, values, strict=True)) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
