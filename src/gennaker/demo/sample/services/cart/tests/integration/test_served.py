"""The real process, asked over real HTTP, and its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from storefront.acceptance import Site, main

from cart.acceptance import SUITES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"PORT": str(port), "GENNAKER_VERSION": "test", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'vendor'}"}
    process = subprocess.Popen([sys.executable, "-m", "cart"], cwd=ROOT, env={**os.environ, **own})
    try:
        _wait_for(port)
        with closing(Site(f"http://127.0.0.1:{port}")) as site:
            yield site
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(10)
    assert status == 0, "it ends in order"


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("it does not listen")


def test_every_answer_says_who_gave_it(site: Site) -> None:
    answer = site.get("/version")

    assert answer.status == 200
    assert (answer.headers["x-cart-version"], answer.headers["x-server-group"]) == ("test", "none")


@pytest.mark.parametrize("suite", SUITES)
def test_the_acceptance_tests_pass(suite: str, site: Site, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    arguments = [suite, "--base-url", f"http://{site.host}:{site.port}", "--junit", str(report)]

    status = main("cart.acceptance", SUITES, arguments)

    assert status == 0
    assert 'failures="0" errors="0"' in report.read_text()
