"""Mixing: puts the metric sets of control and experiment together into pairs.

A metric can come back as several sets, one per combination of tags; sets with the same tags belong together. A side
that lacks a combination is filled with missing samples, so that the judge sees it as having no data. Follows
Kayenta's mixer. Fetching the sets is the metric sources' work, judging the pairs `judge`'s.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from gennaker.canary import numbers
from gennaker.canary.errors import MixingImpossible
from gennaker.model.codec import Json, JsonObject, from_milliseconds


class MetricSet(msgspec.Struct, frozen=True, kw_only=True):
    """One time series from a metric source."""

    name: str
    tags: dict[str, str] = {}
    start_milliseconds: int
    end_milliseconds: int
    step_milliseconds: int
    values: tuple[float, ...]
    """NaN = missing."""
    attributes: dict[str, str] = {}
    """What was asked of the source, e.g. the query."""

    @property
    def expected_points(self) -> int:
        """How many samples the window holds at this step; 0 for a step of 0."""
        if self.step_milliseconds <= 0:
            return 0
        return max(0, self.end_milliseconds - self.start_milliseconds) // self.step_milliseconds


class MetricSetPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two series with the same name and tags, ready to be judged."""

    id: str
    control: MetricSet
    experiment: MetricSet

    def as_json(self) -> JsonObject:
        """Kayenta's JSON of a metric set pair, missing samples as "NaN"."""
        return {
            "name": self.control.name,
            "id": self.id,
            "tags": dict(self.control.tags),
            "values": {
                "control": numbers.wire(list(self.control.values)),
                "experiment": numbers.wire(list(self.experiment.values)),
            },
            "scopes": {"control": _scope(self.control), "experiment": _scope(self.experiment)},
            "attributes": {
                "control": dict(self.control.attributes),
                "experiment": dict(self.experiment.attributes),
            },
        }


def mix(
    metric_names: Sequence[str],
    control: Sequence[MetricSet],
    experiment: Sequence[MetricSet],
    *,
    new_id: Callable[[], str],
) -> tuple[MetricSetPair, ...]:
    """Pairs the sets of every metric, in the order of the names. Raises `MixingImpossible`."""
    return tuple(
        MetricSetPair(id=new_id(), control=_padded(one), experiment=_padded(other))
        for name in metric_names
        for one, other in _mixed(
            name,
            [each for each in control if each.name == name],
            [each for each in experiment if each.name == name],
        )
    )


def _mixed(
    name: str, control: Sequence[MetricSet], experiment: Sequence[MetricSet]
) -> list[tuple[MetricSet, MetricSet]]:
    for side, sets in (("control", control), ("experiment", experiment)):
        if not sets:
            message = f"The metric '{name}' has no {side} series; a source must return an empty one instead."
            raise MixingImpossible(message)
    _check_tag_keys(name, control, experiment)
    control_untagged = any(not each.tags for each in control)
    experiment_untagged = any(not each.tags for each in experiment)
    if control_untagged and not experiment_untagged:
        return [(_without_samples(control[0], each.tags), each) for each in experiment]
    if experiment_untagged and not control_untagged:
        return [(each, _without_samples(experiment[0], each.tags)) for each in control]
    combinations: list[Mapping[str, str]] = []
    for each in (*control, *experiment):
        if each.tags not in combinations:
            combinations.append(each.tags)
    return [(_with_tags(control, tags), _with_tags(experiment, tags)) for tags in combinations]


def _check_tag_keys(name: str, control: Sequence[MetricSet], experiment: Sequence[MetricSet]) -> None:
    ours = sorted({key for each in control for key in each.tags})
    theirs = sorted({key for each in experiment for key in each.tags})
    if ours and theirs and ours != theirs:
        message = (
            f"The series of the metric '{name}' have the tags {', '.join(ours)} for the control, but "
            f"{', '.join(theirs)} for the experiment: query both with the same grouping."
        )
        raise MixingImpossible(message)


def _with_tags(sets: Sequence[MetricSet], tags: Mapping[str, str]) -> MetricSet:
    return next((each for each in sets if each.tags == tags), None) or _without_samples(sets[0], tags)


def _without_samples(template: MetricSet, tags: Mapping[str, str]) -> MetricSet:
    return msgspec.structs.replace(template, tags=dict(tags), values=(math.nan,) * template.expected_points)


def _padded(each: MetricSet) -> MetricSet:
    # Appended whatever was missing: a series that starts late is filled at its end, as in Kayenta. The judge doesn't
    # look at times, so only the count matters.
    lacking = each.expected_points - len(each.values)
    return each if lacking <= 0 else msgspec.structs.replace(each, values=each.values + (math.nan,) * lacking)


def _scope(each: MetricSet) -> dict[str, Json]:
    start = from_milliseconds(each.start_milliseconds)
    return {
        "startTimeIso": start.isoformat(timespec="milliseconds" if start.microsecond else "seconds")[:-6] + "Z",
        "startTimeMillis": each.start_milliseconds,
        "stepMillis": each.step_milliseconds,
    }
