"""The demo's visitors: the load generator as a process of its own, and the log of what they see."""

import subprocess
import sys
from pathlib import Path

_GO_WITHIN_SECONDS = 10.0


class Visitors:
    """They come to an address and leave again; each visit has a log of its own."""

    def __init__(self, *, rate: float) -> None:
        """Nobody has come yet; `rate` is in requests a second."""
        self._rate = rate
        self._process: subprocess.Popen[bytes] | None = None

    def come(self, address: str, log: Path) -> None:
        """They visit `address` (`host:port`) from now on, instead of where they were before."""
        self.leave()
        words = ("--url", f"http://{address}", "--rate", str(self._rate), "--log", str(log))
        command = [sys.executable, "-m", "gennaker.demo.load", *words]
        # A session of their own: Ctrl-C is for the demo, which sends them away when it ends.
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def leave(self) -> None:
        """Nobody visits any more, and the log is whole."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_GO_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
