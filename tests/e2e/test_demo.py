"""The demo from outside: it tells its whole story, says that all went as it must, and leaves nothing running."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.patient import is_named_in_a_process

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("demo")]

_LONGEST_SECONDS = 600.0
"""What `make demo` may take in all."""


def test_the_demo_does_what_it_must_and_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "demo"

    done = subprocess.run(
        [sys.executable, "-m", "gennaker.cli.main", "demo", "--data", str(folder)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST_SECONDS,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "✗" not in done.stdout
    assert is_named_in_a_process(str(folder)) == []
