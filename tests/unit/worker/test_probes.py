"""Probes: a process dies at the points that a file names, each used once, and all points are written down."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gennaker.worker.probes import SilentProbe

_SCRIPT = """
import sys
from pathlib import Path
from gennaker.worker.probes import KillingProbe
plan = Path(sys.argv[1])
probe = KillingProbe(plan, Path(f"{plan}.seen"))
for point in ("a", "b", "a", "b", "c"):
    probe.reached(point)
"""


def run(plan: Path) -> int:
    return subprocess.run([sys.executable, "-c", _SCRIPT, str(plan)], check=False, timeout=600).returncode


@pytest.mark.slow
def test_a_process_dies_at_each_named_point_once(tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("c\na#2\n")

    assert run(plan) == -signal.SIGKILL
    assert (tmp_path / "plan.seen").read_text().split() == ["a", "b", "a"]
    assert plan.read_text().split() == ["c"]

    assert run(plan) == -signal.SIGKILL
    assert run(plan) == 0


def test_the_silent_probe_says_nothing() -> None:
    SilentProbe().reached("anywhere")
