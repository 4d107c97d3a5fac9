"""The demo's server: Gennaker itself, as a process of its own, started the way anybody would start it."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Protocol

from gennaker.model.problems import Problem, Refused
from gennaker.transport.client import Client, server
from gennaker.transport.permissions import open_private

_STARTS_WITHIN_SECONDS = 180.0
"""One that has ended is noticed at once; on a busy machine one that is to come needs its time."""
_STOPS_WITHIN_SECONDS = 60.0
_LOOKS_EVERY_SECONDS = 0.05


class Running(Protocol):
    """What a server needs of the process that it is; `subprocess.Popen` has it."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def poll(self) -> int | None:
        """The exit status, None while it lives."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """The exit status. Raises `subprocess.TimeoutExpired`."""
        ...

    def send_signal(self, sig: int) -> None:
        """Does nothing to one that has ended."""
        ...


class DemoServer:
    """A server over one data folder; stopping it leaves instances and load balancers as they are."""

    def __init__(self, data: Path, flags: tuple[str, ...] = (), *, config: Path | None = None) -> None:
        """`flags`: settings, `section.key=value`; `config`: a settings file."""
        self.data = data
        self._words = [word for flag in flags for word in ("--set", flag)]
        self._words += ["--config", str(config)] if config else []
        self._process: Running | None = None

    def command(self, *words: str) -> list[str]:
        """The command line of a `gennaker` command about this server, with its settings."""
        return [sys.executable, "-m", "gennaker.cli.main", *words, "--data", str(self.data), *self._words]

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._process is not None
        return self._process.pid

    def start(self, environment: dict[str, str] | None = None) -> Client:
        """Starts the server and waits until it is ready. Raises Refused with the end of its log if it isn't."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.data / "server.log", "ab", opener=open_private) as log:
            self._process = self._launch(self.command("serve"), log, {**os.environ, **(environment or {})})
        until = time.monotonic() + _STARTS_WITHIN_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if self._is_announced(self._process.pid):
                return Client(self.data)
            time.sleep(_LOOKS_EVERY_SECONDS)
        raise Refused(self._not_ready())

    def _launch(self, command: list[str], log: IO[bytes], environment: dict[str, str]) -> Running:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
        )

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ends the server."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOPS_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGKILL)
                self._process.wait()
        self._process = None

    def wait_for_end(self, seconds: float) -> int | None:
        """The exit status, once the process has ended; None if it lives on."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop_everything(self) -> None:
        """Ends the server and all that it has started. Raises Refused if something can't be ended."""
        self.stop()
        done = subprocess.run(self.command("stop", "--all"), check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise Refused(
                Problem(
                    code="demo.left",
                    message=f"Something is left running: {done.stderr.strip()}",
                    remedy=f"Try again with `{self._typed('stop', '--all')}`.",
                )
            )

    def _typed(self, *words: str) -> str:
        """A command as one would type it."""
        return shlex.join(["gennaker", *self.command(*words)[3:]])

    def log_tail(self, lines: int = 15) -> str:
        """The end of the server's log."""
        file = self.data / "server.log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-lines:]) if file.exists() else ""

    def _is_announced(self, pid: int) -> bool:
        """Whether this very server is ready; a killed one may have left its announcement."""
        try:
            return server(self.data).pid == pid
        except Refused:
            return False

    def _not_ready(self) -> Problem:
        status = self._process.poll() if self._process else None
        late = f"isn't ready after {_STARTS_WITHIN_SECONDS:.0f} s"
        how = f"ended with status {status} before it was ready" if status is not None else late
        return Problem(
            code="demo.server",
            message=f"The demo's server {how}. The end of its log:\n{self.log_tail()}",
            remedy=f"The whole log is {self.data / 'server.log'}.",
        )
