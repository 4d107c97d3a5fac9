"""Resizing: what each action makes of a capacity."""

import pytest

from gennaker.interfaces.clouds import Capacity
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.deploy import resizing

NOW = Capacity(min=2, max=6, desired=4)


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ({"capacity": {"min": 1, "max": 1, "desired": 1}}, (1, 1, 1)),
        ({"action": "scale_exact", "capacity": {"desired": 8}}, (2, 8, 8)),
        ({"action": "scale_exact", "capacity": {"desired": 1}}, (1, 6, 1)),
        ({"action": "scale_exact", "capacity": {"min": 5}}, (5, 6, 5)),
        ({"action": "scale_exact", "capacity": {"desired": "3"}}, (2, 6, 3)),
        ({"action": "scale_exact"}, (2, 6, 4)),
        ({"action": "scale_up", "scalePct": 10}, (3, 7, 5)),
        ({"action": "scale_up", "scaleNum": 4}, (6, 10, 8)),
        ({"action": "scale_up", "scalePct": 0, "scaleNum": 1}, (3, 7, 5)),
        ({"action": "scale_down", "scalePct": 50}, (1, 3, 2)),
        ({"action": "scale_down", "scaleNum": 3}, (0, 3, 1)),
        ({"action": "scale_down", "scaleNum": 9}, (0, 0, 0)),
        ({"action": "scale_exact", "capacity": {"min": 3, "max": 3, "desired": 3}, "scalePct": 50}, (2, 3, 2)),
    ],
)
def test_the_target_follows_from_the_action(stage: JsonObject, expected: tuple[int, int, int]) -> None:
    low, high, desired = expected

    assert resizing.target(NOW, stage) == Capacity(min=low, max=high, desired=desired)


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ({"action": "explode"}, "resize.action"),
        ({"action": "scale_up"}, "resize.amount"),
        ({"capacity": {"min": 3, "desired": 2}}, "resize.order"),
        ({"capacity": {"desired": "many"}}, "resize.number"),
        ({"capacity": {"desired": 1.5}}, "resize.number"),
        ({"capacity": {"desired": "inf"}}, "resize.number"),
        ({"capacity": {"desired": "nan"}}, "resize.number"),
        ({"capacity": {"desired": 10**400}}, "resize.number"),
        ({"capacity": {"desired": "9" * 10_000}}, "resize.number"),
        ({"action": "scale_up", "scalePct": "1e999"}, "resize.number"),
    ],
)
def test_what_makes_no_sense_is_refused(stage: JsonObject, code: str) -> None:
    with pytest.raises(Refused) as refused:
        resizing.target(NOW, stage)

    assert [problem.code for problem in refused.value.problems] == [code]
