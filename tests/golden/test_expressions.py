"""Every verified case of the expression language.

Cases that differ on purpose are listed in `expressions_open.json`, each with its reason. The list may only shrink: a
listed case that agrees with the real evaluator after all fails the test.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from gennaker.expressions import cases

_FOLDER = Path(__file__).parent
_CASES: list[dict[str, Any]] = json.loads((_FOLDER / "expressions.json").read_text(encoding="utf-8"))
_OPEN: dict[str, str] = json.loads((_FOLDER / "expressions_open.json").read_text(encoding="utf-8"))["reason_of"]


def _as_text(value: Any) -> str:
    """JSON in one form: Python's == would take 1 for 1.0 and for true."""
    return json.dumps(value, sort_keys=True)


def _differences(case: dict[str, Any]) -> list[str]:
    result = cases.run_case(case)
    evaluated = cases.evaluated_case(case)
    pairs = {
        "value": (_as_text(result["value"]), _as_text(case["expected"])),
        "level": (result["level"], case["level"]),
        "error_kind": (result["error_kind"], case.get("error_kind")),
        "summary_keys": (sorted(evaluated.summary), sorted(case.get("summary_keys", []))),
        "failures": (len(evaluated.failures), case.get("failures", 0)),
    }
    return [f"{name}: {got!r}, expected {wanted!r}" for name, (got, wanted) in pairs.items() if got != wanted]


@pytest.mark.parametrize("case", [case for case in _CASES if case["id"] not in _OPEN], ids=lambda case: case["id"])
def test_a_case_gives_what_the_real_evaluator_gave(case: dict[str, Any]) -> None:
    assert _differences(case) == []


@pytest.mark.parametrize("case", [case for case in _CASES if case["id"] in _OPEN], ids=lambda case: case["id"])
def test_a_case_listed_as_different_differs_and_is_refused_as_an_error(case: dict[str, Any]) -> None:
    assert _differences(case) != [], "it agrees now: take it off the list"
    assert cases.run_case(case)["level"] == "ERROR"


def test_the_list_of_differences_names_only_cases_that_exist_and_only_mutating_ones() -> None:
    mutating = {case["id"] for case in _CASES if "mutates" in case.get("flags", [])}

    assert set(_OPEN) <= mutating
