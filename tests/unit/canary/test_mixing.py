"""Metric sets of both sides are paired by name and tags; what a side lacks becomes missing samples."""

import itertools
from typing import Any

import pytest

from gennaker.canary import mixing
from gennaker.canary.errors import MixingImpossible
from gennaker.canary.judge import judge
from gennaker.canary.mixing import MetricSet, MetricSetPair

STEP = 1000


def series(*values: float, name: str = "m", points: int = 0, **tags: str) -> MetricSet:
    count = points or len(values)
    return MetricSet(
        name=name, tags=tags, values=values, start_milliseconds=0, end_milliseconds=count * STEP, step_milliseconds=STEP
    )


def mixed(control: list[MetricSet], experiment: list[MetricSet], *names: str) -> tuple[MetricSetPair, ...]:
    ids = itertools.count(1)
    return mixing.mix(names or ("m",), control, experiment, new_id=lambda: f"pair-{next(ids)}")


def shown(pairs: tuple[MetricSetPair, ...]) -> list[Any]:
    """Tags and values of each pair, missing samples as texts."""
    found = [pair.as_json() for pair in pairs]
    return [(pair["tags"], pair["values"]) for pair in found]


def test_sets_with_the_same_tags_belong_together() -> None:
    control = [series(1.0, zone="a"), series(2.0, zone="b")]
    experiment = [series(20.0, zone="b"), series(10.0, zone="a")]

    assert shown(mixed(control, experiment)) == [
        ({"zone": "a"}, {"control": [1.0], "experiment": [10.0]}),
        ({"zone": "b"}, {"control": [2.0], "experiment": [20.0]}),
    ]


def test_a_combination_that_one_side_lacks_is_paired_with_missing_samples() -> None:
    control = [series(1.0, 2.0, zone="a")]
    experiment = [series(3.0, 4.0, zone="b")]

    assert shown(mixed(control, experiment)) == [
        ({"zone": "a"}, {"control": [1.0, 2.0], "experiment": ["NaN", "NaN"]}),
        ({"zone": "b"}, {"control": ["NaN", "NaN"], "experiment": [3.0, 4.0]}),
    ]


def test_an_untagged_control_is_dropped_against_tagged_experiments() -> None:
    assert shown(mixed([series(1.0)], [series(3.0, zone="a"), series(4.0, zone="b")])) == [
        ({"zone": "a"}, {"control": ["NaN"], "experiment": [3.0]}),
        ({"zone": "b"}, {"control": ["NaN"], "experiment": [4.0]}),
    ]


def test_an_untagged_experiment_is_dropped_against_tagged_controls() -> None:
    assert shown(mixed([series(1.0, zone="a")], [series(3.0)])) == [
        ({"zone": "a"}, {"control": [1.0], "experiment": ["NaN"]}),
    ]


def test_short_sides_are_padded_at_the_end_and_long_ones_left_alone() -> None:
    assert shown(mixed([series(1.0, points=3)], [series(1.0, 2.0, 3.0, points=2)])) == [
        ({}, {"control": [1.0, "NaN", "NaN"], "experiment": [1.0, 2.0, 3.0]}),
    ]


def test_pairs_come_in_the_order_of_the_names() -> None:
    control = [series(1.0, name="b"), series(2.0, name="a")]

    assert [pair.control.name for pair in mixed(control, control, "a", "b")] == ["a", "b"]


@pytest.mark.parametrize(
    ("control", "experiment", "sentence"),
    [
        ([], [series(1.0)], "no control series"),
        ([series(1.0)], [], "no experiment series"),
        ([series(1.0, zone="a")], [series(1.0, host="a")], "the tags zone for the control"),
    ],
)
def test_sets_that_do_not_fit_are_refused(control: list[MetricSet], experiment: list[MetricSet], sentence: str) -> None:
    with pytest.raises(MixingImpossible, match=sentence):
        mixed(control, experiment)


def test_a_pair_has_kayentas_form() -> None:
    one = MetricSet(
        name="m",
        start_milliseconds=1_500,
        end_milliseconds=3_500,
        step_milliseconds=1_000,
        values=(1.0, 2.0),
        attributes={"query": "up"},
    )

    assert mixed([one], [one])[0].as_json() == {
        "name": "m",
        "id": "pair-1",
        "tags": {},
        "values": {"control": [1.0, 2.0], "experiment": [1.0, 2.0]},
        "scopes": {
            side: {"startTimeIso": "1970-01-01T00:00:01.500Z", "startTimeMillis": 1_500, "stepMillis": 1_000}
            for side in ("control", "experiment")
        },
        "attributes": {"control": {"query": "up"}, "experiment": {"query": "up"}},
    }


def test_mixed_pairs_can_be_judged() -> None:
    config: Any = {"metrics": [{"name": "m", "groups": ["g"]}], "classifier": {"groupWeights": {"g": 100}}}
    pairs = mixed([series(1.0, 2.0, points=4)], [series(points=4)])

    found = judge(config, [pair.as_json() for pair in pairs], {"pass": 95, "marginal": 75})

    assert found.result.results[0].classification == "Nodata"


def test_a_step_of_zero_expects_nothing() -> None:
    one = MetricSet(name="m", start_milliseconds=0, end_milliseconds=9, step_milliseconds=0, values=())

    assert one.expected_points == 0
