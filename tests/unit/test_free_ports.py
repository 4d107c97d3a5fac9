"""Free ports: processes that look for one at the same time get different ones."""

import subprocess
import sys
from pathlib import Path

from tests import free_ports

PORT = 9
"""Below those that tests get."""


def test_a_port_is_one_process_s_until_that_ends() -> None:
    holds = f"import sys; from tests import free_ports; print(free_ports.claim({PORT})); sys.stdout.flush(); input()"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", holds]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not free_ports.claim(PORT)
        other.stdin.write("\n")

    assert free_ports.claim(PORT)
    assert free_ports.claim(PORT)
