"""Running cases from a file."""

import json

import pytest

from gennaker.expressions.cases import run_cases
from gennaker.model.problems import Refused


def test_cases_come_out_in_order_with_value_level_and_kind() -> None:
    given = [
        {"expr": "${a + 1}", "context": {"a": 1}},
        {"expr": "${a.b}", "context": {"a": 1}},
        {"value": {"x": "${nope}"}, "context": {}},
        {"expr": "${s == 'RUNNING'}", "context": {"s": "RUNNING"}, "statusKeys": ["s"]},
    ]

    assert json.loads(run_cases(json.dumps(given))) == [
        {"value": 2, "level": None, "error_kind": None},
        {"value": "${a.b}", "level": "ERROR", "error_kind": "property_missing"},
        {"value": {"x": "${nope}"}, "level": "INFO", "error_kind": "null_result"},
        {"value": True, "level": None, "error_kind": None},
    ]


@pytest.mark.parametrize("text", ["", "{}", "[1]", "nope"])
def test_what_is_no_array_of_cases_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        run_cases(text)
