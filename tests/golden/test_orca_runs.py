"""What Orca's own engine made of scripted pipelines comes out here too (tests/orca_runs.py).

docs/compatibility.md names what deliberately doesn't. `make golden` leaves the file alone: it holds facts about another system.
"""

from pathlib import Path
from typing import Any

import pytest
from tests import orca_runs

from gennaker.model import codec

CASES: Any = codec.decode_json(Path(__file__).with_name("orca_runs.json").read_bytes())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_pipeline_ends_as_it_does_in_orca(case: dict[str, Any]) -> None:
    assert orca_runs.compared(orca_runs.run(case)) == case["result"]


def test_there_are_cases_of_every_ending() -> None:
    assert {case["result"]["status"] for case in CASES} == {"SUCCEEDED", "TERMINAL", "CANCELED"}
