"""Time limits that people wrote."""

import pytest
from msgspec.structs import replace
from tests.make import execution, seconds, stage_json

from gennaker.model import lengths, time_limits
from gennaker.model.codec import Json


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1500, 1.5), (0.5, 0.0005), (0, None), (-1, None), (True, None), ("1500", None), (None, None)],
)
def test_only_positive_numbers_are_lengths(value: Json, expected: float | None) -> None:
    assert time_limits.of_json(value) == (None if expected is None else seconds(expected))


@pytest.mark.parametrize("number", [1e30, 3e14, 10**400])
def test_numbers_beyond_the_calendar_are_bounded(number: float) -> None:
    assert time_limits.of_json(number) == lengths.LONGEST


@pytest.mark.parametrize(
    ("own", "around", "expected"),
    [(None, None, None), (None, 2000, 2), (1000, 2000, 1), ("1000", 2000, 2)],
)
def test_the_nearest_stage_around_says_how_long(own: Json, around: Json, expected: float | None) -> None:
    found = execution(stage_json("a", stageTimeoutMs=around), stage_json("b", stageTimeoutMs=own))
    outer, inner = found.top_level()
    stages = found.stages.set(inner.id, replace(inner, parent_id=outer.id))

    assert time_limits.around(stages, stages[inner.id]) == (None if expected is None else seconds(expected))
