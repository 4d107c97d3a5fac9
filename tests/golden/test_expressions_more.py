"""More cases of the expression language, made by running the real evaluator.

Orca 8.56's evaluator over Spring Expression 6.2.1 on Java 17 gave the results (`expressions_more.json`: contexts, and cases
that name one by its index). Only what a pipeline sees is compared: the value and the level.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from gennaker.expressions import cases

_FILE: dict[str, Any] = json.loads((Path(__file__).parent / "expressions_more.json").read_text(encoding="utf-8"))
_GROUPS = sorted({case["group"] for case in _FILE["cases"]})


def _in_full(case: dict[str, Any]) -> dict[str, Any]:
    context = _FILE["contexts"][case["context"]] if "context" in case else {}
    return {"expected": case.get("expr", case.get("value")), "level": None, **case, "context": context}


def _differs(case: dict[str, Any]) -> bool:
    result = cases.run_case(case)
    given, wanted = (json.dumps(value, sort_keys=True) for value in (result["value"], case["expected"]))
    return given != wanted or result["level"] != case["level"]


@pytest.mark.slow
@pytest.mark.parametrize("group", _GROUPS)
def test_a_group_of_cases_gives_what_the_real_evaluator_gave(group: str) -> None:
    found = [_in_full(case) for case in _FILE["cases"] if case["group"] == group]

    assert [case for case in found if _differs(case)] == []


def test_no_case_is_in_the_file_without_a_result() -> None:
    assert all("expected" in case or case.get("unchanged") for case in _FILE["cases"])
    assert len(_FILE["cases"]) > 1_500
