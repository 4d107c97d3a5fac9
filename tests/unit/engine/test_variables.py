"""Variables: evaluated one after another, kept as written, restored exactly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.engine import variables
from gennaker.model.codec import Json, JsonObject


def upper(variable: JsonObject, known: JsonObject) -> tuple[JsonObject, bool]:
    """Stands for evaluation: names the variables that are known; fails on `bad`."""
    if "bad" in str(variable.get("value")):
        return variable, False
    return {**variable, "value": [*known]}, True


def test_each_sees_those_before_it_that_could_be_evaluated() -> None:
    listed: list[Json] = [
        {"key": "a", "value": "${1}"},
        {"key": "b", "value": "${bad}"},
        {"key": "", "value": "${2}"},
        {"key": "c", "value": "${3}"},
    ]

    assert variables.evaluated(listed, upper) == [
        {"key": "a", "value": [], "sourceValue": "{1}"},
        {"key": "b", "value": "${bad}", "sourceValue": "{bad}"},
        {"key": "", "value": ["a"], "sourceValue": "{2}"},
        {"key": "c", "value": ["a"], "sourceValue": "{3}"},
    ]


def test_what_was_written_first_is_kept_over_several_passes() -> None:
    once = variables.with_source({"key": "a", "value": "${b}"})

    again = variables.with_source({**once, "value": "${c}"})

    assert again["sourceValue"] == "{b}"


@pytest.mark.parametrize(
    "written", ["${a}", "plain", "${ {a: 1}['a'] }", "{x} ${y} {z}", "$ {", "${a}${b}", "$${a}", "{${}", ""]
)
def test_a_restart_begins_with_what_was_written(written: str) -> None:
    kept = variables.with_source({"key": "a", "value": written})

    assert variables.restored([{**kept, "value": "something"}]) == [{"key": "a", "value": written}]


@given(st.text(alphabet="${}ab "))
def test_nothing_written_is_lost(written: str) -> None:
    kept = variables.with_source({"value": written})

    assert "${" not in str(kept["sourceValue"])
    assert variables.restored([kept]) == [{"value": written}]


@pytest.mark.parametrize("listed", [None, "${a}", [1, "x"], {"key": "a"}])
def test_what_is_no_list_of_variables_stays(listed: Json) -> None:
    assert variables.evaluated(listed, upper) == listed
    assert variables.restored(listed) == listed
