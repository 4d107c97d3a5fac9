"""Bad input takes bounded memory: each case of benchmarks/bad_input.py in a process of its own, with bounds far above its figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.slow
@pytest.mark.parametrize("case", _MOST_MB)
def test_a_case_ends_well_within_its_memory(case: str) -> None:
    done = subprocess.run([sys.executable, str(_BENCHMARK), case], check=True, capture_output=True, text=True)

    found = json.loads(done.stdout.splitlines()[-1])
    assert found["status"] == "SUCCEEDED"
    assert found["peak_mb"] <= _MOST_MB[case]
