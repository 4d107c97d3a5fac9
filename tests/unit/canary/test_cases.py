"""Cases as JSON text: one or many, problems in place of results, special numbers as texts."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.canary.cases import run_cases
from gennaker.model.problems import Refused

GOLDEN = Path(__file__).parents[2] / "golden" / "kayenta_judge.json"
CASE = {
    "config": {"metrics": [{"name": "m", "groups": ["g"]}], "classifier": {"groupWeights": {"g": 100}}},
    "metricSetPairs": [{"name": "m", "values": {"control": [0, "NaN"], "experiment": ["Infinity"]}}],
    "thresholds": {"pass": 95, "marginal": 75},
}


def answered(document: Any) -> Any:
    return json.loads(run_cases(json.dumps(document)), parse_constant=lambda word: pytest.fail(f"bare {word}"))


def test_one_case_gives_one_result() -> None:
    found = answered(CASE)

    assert found["judgeName"] == "NetflixACAJudge-v1.0"
    assert found["results"][0]["experimentMetadata"]["stats"]["max"] == "Infinity"
    assert found["results"][0]["resultMetadata"] == {"ratio": "NaN"}


def test_many_cases_give_as_many_results_in_order() -> None:
    found = answered([CASE, {**CASE, "thresholds": None}, 3])

    assert found[0] == answered(CASE)
    assert found[1] == {"problem": "Execution request must contain thresholds: give `pass` and `marginal`."}
    assert found[2]["problem"].startswith("A case must be an object")


def test_golden_cases_can_be_given_as_they_are() -> None:
    cases = json.loads(GOLDEN.read_text())

    found = json.loads(run_cases(GOLDEN.read_text()))

    assert len(found) == len(cases)
    assert sum("problem" in each for each in found) == 1
    assert [each["score"] for each in found if "score" in each] == [
        case["result"]["score"] for case in cases if "score" in case["result"]
    ]


def test_bare_special_numbers_and_numbers_beyond_doubles_are_read() -> None:
    text = json.dumps(CASE).replace('"NaN"', "NaN, 1e400").replace('"Infinity"', "-Infinity")

    assert json.loads(run_cases(text))["results"][0]["controlMetadata"]["stats"]["max"] == "Infinity"


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 10_000, "nonsense"])
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="The cases aren't JSON"):
        run_cases(text)


@pytest.mark.parametrize("text", ["3", "null", '"x"', "NaN"])
def test_a_document_that_can_be_no_case_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="The cases must be an object or an array, not"):
        run_cases(text)


def test_a_case_that_cannot_be_judged_is_a_result() -> None:
    assert list(answered({})) == ["problem"]
    assert answered([]) == []


@given(text=st.text())
def test_any_text_is_answered_in_json_or_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        assert isinstance(json.loads(run_cases(text)), dict | list)
