"""Bad input takes bounded memory: each case of benchmarks/bad_input.py in a process of its own, with bounds far above its figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.waiting import IN_VAIN_SECONDS

_BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "bad_input.py"
_MOST_MB = {
    "nothing": 150,
    "chain": 300,
    "fan": 300,
    "context": 450,
    "many values": 650,
    "expressions": 300,
    "nested": 300,
}


_MOST_MB_ON_POSTGRESQL = {"context": 500, "many values": 1000}
"""More, as two read at once what has ended while the last values are still being written."""


@pytest.mark.slow
@pytest.mark.parametrize("case", _MOST_MB)
def test_a_case_ends_well_within_its_memory(case: str) -> None:
    assert_within(_MOST_MB[case], case)


@pytest.mark.slow
@pytest.mark.debian
@pytest.mark.parametrize("case", _MOST_MB_ON_POSTGRESQL)
def test_large_values_end_well_within_their_memory_on_postgresql(case: str, new_postgres_url: str) -> None:
    assert_within(_MOST_MB_ON_POSTGRESQL[case], case, new_postgres_url)


def assert_within(most_mb: int, case: str, *url: str) -> None:
    asked = [sys.executable, str(_BENCHMARK), case, *url]
    done = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=IN_VAIN_SECONDS)

    found = json.loads(done.stdout.splitlines()[-1])
    assert found["status"] == "SUCCEEDED"
    assert found["peak_mb"] <= most_mb
