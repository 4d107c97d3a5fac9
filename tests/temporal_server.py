"""A Temporal development server of the tests' own: the locked wheel's program, its data in a temporary folder, loopback only."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.free_ports import free_port

_READY_SECONDS = 900
_STOPS_WITHIN_SECONDS = 60


class TemporalServer:
    """A server with the namespace `default`."""

    def __init__(self, folder: Path, *settings: str) -> None:
        """`start` starts it; `settings` are Temporal's own (dynamic configuration)."""
        self._settings = [word for one in settings for word in ("--dynamic-config-value", one)]
        self._folder = folder
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        # Nothing of the user's own, which might lead it to another server.
        self._environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}

    def start(self) -> None:
        """Returns when it answers; goes on with what it had stored."""
        program = str(Path(sys.executable).with_name("temporal"))
        where = ["--ip", "127.0.0.1", "--port", str(self._port), "--db-filename", str(self._folder / "temporal.db")]
        command = [program, "server", "start-dev", "--headless", "--log-level", "error", *where, *self._settings]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)
        until = time.monotonic() + _READY_SECONDS
        while not self._answers(program):
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < until, (self._folder / "log").read_text()

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOPS_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_STOPS_WITHIN_SECONDS)
            self._process = None

    def _answers(self, program: str) -> bool:
        asked = [program, "operator", "namespace", "describe", "default", "--address", self.address]
        answer = subprocess.run(asked, check=False, capture_output=True, timeout=_READY_SECONDS, env=self._environment)
        return answer.returncode == 0


@contextmanager
def running(*settings: str) -> Iterator[TemporalServer]:
    """Starts a server and stops it again."""
    folder = Path(tempfile.mkdtemp(prefix="gennaker-temporal-"))
    server = TemporalServer(folder, *settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def temporal_server() -> Iterator[TemporalServer]:
    """One server for all tests of a process; each takes a task queue of its own."""
    with running() as server:
        yield server
