"""Integration tests: the real process over real HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def address() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "GENNAKER_VERSION": "test", "PYTHONPATH": f"{ROOT}:{ROOT / 'vendor'}"}
    process = subprocess.Popen([sys.executable, "-m", "shop"], cwd=ROOT, env=environment)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_the_served_shop_says_its_version(address: str) -> None:
    with urllib.request.urlopen(f"{address}/version", timeout=5) as answer:
        assert answer.status == 200
        assert answer.headers["X-Shop-Version"] == "test"


def test_the_acceptance_tests_pass_against_it(address: str, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"

    done = subprocess.run(
        [sys.executable, "-m", "shop.acceptance", "integration", "--base-url", address, "--junit", str(report)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'vendor'}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert 'failures="0"' in report.read_text()
