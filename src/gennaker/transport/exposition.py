"""Exposition: reads the Prometheus text format, the page that instances show under /metrics.

A parser of our own: the format is a page of rules (https://prometheus.io/docs/instrumenting/exposition_formats/), the
official client's parser would be a dependency for one function, builds an object for each sample and raises on the
first line that it doesn't like, where one bad line must not cost all others. Timestamps and exemplars are ignored:
a sample counts for the moment in which it was fetched.
"""

import math
import re

import msgspec

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""
SeriesKey = tuple[str, Labels]

_CUMULATIVE_PARTS = ("_bucket", "_count", "_sum")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\.)*)"\s*')
_ESCAPED = re.compile(r"\\(.)")
_SPECIAL = {"+Inf": math.inf, "-Inf": -math.inf, "Inf": math.inf, "NaN": math.nan}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What one instance has shown."""

    counters: dict[SeriesKey, float]
    """Values that only grow: counters, and the buckets, counts and sums of histograms and summaries."""
    gauges: dict[SeriesKey, float]
    skipped: int = 0
    """Lines that couldn't be read."""


def parse(text: str, *, most: int) -> Page:
    """Reads a page; of more than `most` series the rest is left out."""
    kinds: dict[str, str] = {}
    counters: dict[SeriesKey, float] = {}
    gauges: dict[SeriesKey, float] = {}
    skipped = 0
    for line in text.splitlines():
        if line.startswith("#"):
            words = line.split(maxsplit=3)
            if len(words) == 4 and words[1] == "TYPE":
                kinds[words[2]] = words[3].strip()
            continue
        if not line.strip():
            continue
        found = _sample(line)
        if found is None or len(counters) + len(gauges) >= most:
            skipped += 1
            continue
        key, value = found
        if _is_cumulative(key[0], kinds):
            counters[key] = value
        else:
            gauges[key] = value
    return Page(counters=counters, gauges=gauges, skipped=skipped)


def _sample(line: str) -> tuple[SeriesKey, float] | None:
    name = _NAME.match(line)
    if name is None:
        return None
    labels: list[tuple[str, str]] = []
    position = name.end()
    if line[position : position + 1] == "{":
        position += 1
        while (label := _LABEL.match(line, position)) is not None:
            labels.append((label[1], _ESCAPED.sub(_unescaped, label[2])))
            position = label.end() + (line[label.end() : label.end() + 1] == ",")
        while line[position : position + 1] == " ":
            position += 1
        if line[position : position + 1] != "}":
            return None
        position += 1
    words = line[position:].split()
    value = _number(words[0]) if words else None
    return None if value is None else ((name[0], tuple(sorted(labels))), value)


def _number(text: str) -> float | None:
    if text in _SPECIAL:
        return _SPECIAL[text]
    try:
        return float(text)
    except ValueError:
        return None


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


def _is_cumulative(name: str, kinds: dict[str, str]) -> bool:
    kind = kinds.get(name)
    if kind is not None:
        return kind == "counter"
    for suffix in _CUMULATIVE_PARTS:
        if name.endswith(suffix) and kinds.get(name.removesuffix(suffix)) in ("histogram", "summary"):
            return True
    # OpenMetrics names the family without `_total`; a page without types goes by the names alone.
    return name.endswith(("_total", *_CUMULATIVE_PARTS) if not kinds else "_total")
