"""The log: JSON lines for machines, readable ones for people, and no values of variables in either."""

import io
import json
import subprocess
import sys

import pytest

from gennaker.transport import reporting

_SCRIPT = """
import structlog
from gennaker.transport import reporting
reporting.configure(is_terminal={})
log = structlog.get_logger()
log.info("began", execution="x")
log.debug("unseen")
def fails():
    token = "s3cret-token"
    raise ValueError("broken")
try:
    fails()
except ValueError:
    log.exception("failed")
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_terminal", [True, False])
def test_lines_go_to_standard_error_with_traces_but_without_values(is_terminal: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _SCRIPT.format(is_terminal)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )

    assert done.stdout == ""
    assert "ValueError: broken" in done.stderr
    assert "Traceback" in done.stderr
    assert 's3cret-token"' not in done.stderr.replace('token = "s3cret-token"', "")
    assert "unseen" not in done.stderr
    if not is_terminal:
        first, second = map(json.loads, done.stderr.splitlines())
        assert (first["event"], first["execution"], first["level"]) == ("began", "x", "info")
        assert second["event"] == "failed"


def test_lines_lose_their_secrets_as_soon_as_any_are_known() -> None:
    stream = io.StringIO()
    output = reporting.LossyOutput(stream)

    output.write("a secret\n")
    output.masked = lambda line: line.replace("secret", "****")
    output.write("a secret\n")

    assert stream.getvalue() == "a secret\na ****\n"


_LIBRARIES = """
import logging, warnings
from gennaker.transport import reporting
reporting.configure(is_terminal=False)
log = logging.getLogger("uvicorn.error")
log.info("unseen")
log.warning("Invalid HTTP request %s.", "received")
log.log(35, "between")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
warnings.warn("old", DeprecationWarning, stacklevel=1)
"""


@pytest.mark.slow
def test_what_libraries_log_is_structured_too() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", _LIBRARIES], capture_output=True, text=True, check=True, timeout=600
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"], line["message"].splitlines()[0]) for line in lines[:3]] == [
        ("uvicorn.error", "warning", "Invalid HTTP request received."),
        ("uvicorn.error", "warning", "between"),
        ("uvicorn.error", "error", "failed"),
    ]
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert (lines[3]["event"], lines[3]["level"]) == ("py.warnings", "warning")
    assert all("timestamp" in line for line in lines)
