"""A server that is forked from a process which has imported all of it, for tests that start one many times.

What begins is what `gennaker serve` begins, in a process of its own with its own session, log and environment, that signals
end as any other; only reading and building a thousand modules, a second of CPU time, is done once instead of at each start.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
from multiprocessing.context import ForkServerProcess
from typing import IO

from gennaker.cli import main
from gennaker.demo.server import DemoServer, Running

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["tests.e2e.preloaded"])
_ONE_AT_A_TIME = threading.Lock()
"""`multiprocessing` looks at all children whenever one is started, and two threads must not read one's exit status."""


class ForkedServer(DemoServer):
    """As DemoServer, but for how it begins."""

    def _launch(self, command: list[str], log: IO[bytes], environment: dict[str, str]) -> Running:
        module = command.index("gennaker.cli.main")
        process = _FORKING.Process(target=_serve, args=(command[module + 1 :], log.name, environment))
        with _ONE_AT_A_TIME:
            process.start()
        return Forked(process)


class Forked:
    """A forked process, to be handled as one that `subprocess` started."""

    def __init__(self, process: ForkServerProcess) -> None:
        """A started one."""
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        with _ONE_AT_A_TIME:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired`."""
        multiprocessing.connection.wait([self._process.sentinel], timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)


def _serve(words: list[str], log: str, environment: dict[str, str]) -> None:
    os.setsid()
    for name, flags, numbers in ((os.devnull, os.O_RDONLY, (0,)), (log, os.O_WRONLY | os.O_APPEND, (1, 2))):
        opened = os.open(name, flags)
        for number in numbers:
            os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["gennaker", *words]
    main.main()
