"""A patient client and a supervisor: what people and machines around a server do when it dies under them.

The supervisor starts the server again whenever SIGKILL has ended it, as systemd would. The client asks again until somebody
answers; what it may not simply say twice its callers guard.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests import waiting

from gennaker.demo.server import DemoServer
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.transport.client import Client

Value = TypeVar("Value")
_UNANSWERED = frozenset({"server.unreachable", "server.not_running"})
_ANSWERS_WITHIN_SECONDS = waiting.IN_VAIN_SECONDS


class Supervisor:
    """Keeps a server running over its kills."""

    def __init__(self, server: DemoServer, environment: dict[str, str]) -> None:
        """`environment` of the server, beyond the test's own."""
        self.kills = 0
        self.trouble = ""
        """Why it gave up: the server ended by itself, or didn't start."""
        self._server = server
        self._environment = environment
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Starts the server and watches over it."""
        self._start()
        self._thread.start()

    def close(self) -> None:
        """Watches no more; the server is as it was."""
        self._is_ending.set()
        if self._thread.is_alive():
            waiting.joined(self._thread)

    def _keep(self) -> None:
        while not self._is_ending.is_set() and not self.trouble:
            status = self._server.wait_for_end(0.1)
            if status is None:
                continue
            if status != -signal.SIGKILL:
                self.trouble = f"The server ended by itself with status {status}:\n{self._server.log_tail(40)}"
                return
            self.kills += 1
            self._start()

    def _start(self) -> None:
        """Starts it; one that is killed while it starts counts and is started again."""
        while not self._is_ending.is_set():
            # A killed server leaves word of where it was.
            (self._server.data / "server.json").unlink(missing_ok=True)
            try:
                self._server.start(self._environment).close()
            except Refused as refused:
                if self._server.wait_for_end(0) != -signal.SIGKILL:
                    self.trouble = str(refused)
                    return
                self.kills += 1
            else:
                return


class PatientClient:
    """Asks until there is an answer."""

    def __init__(self, data: Path, supervisor: Supervisor) -> None:
        """Of the server that the supervisor keeps."""
        self._data = data
        self._supervisor = supervisor
        self._client: Client | None = None

    @property
    def address(self) -> str:
        """Of the API."""
        return self._asked(lambda client: client.address)

    def get(self, path: str, **query: str) -> Json:
        """GET."""
        return self._asked(lambda client: client.get(path, **query))

    def post(self, path: str, body: JsonObject | None = None) -> Json:
        """POST of what may be said twice."""
        return self._asked(lambda client: client.post(path, body))

    def post_once(self, path: str, body: JsonObject, *, was_done: Callable[[], bool]) -> None:
        """POST of what must not be said twice: said again only if no answer came and it can be seen that it was not done."""
        while not was_done():
            try:
                with contextlib.closing(Client(self._data)) as client:
                    client.post(path, body)
            except Refused as refused:
                if not _may_answer(refused) and not was_done():
                    raise
                time.sleep(0.05)
            else:
                return

    def close(self) -> None:
        """Asks no more."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def _asked(self, ask: Callable[[Client], Value]) -> Value:
        until = time.monotonic() + _ANSWERS_WITHIN_SECONDS
        while True:
            try:
                self._client = self._client or Client(self._data)
                return ask(self._client)
            except Refused as refused:
                self.close()
                is_in_vain = bool(self._supervisor.trouble) or time.monotonic() > until
                if not _may_answer(refused) or is_in_vain:
                    raise AssertionError(f"{refused} {self._supervisor.trouble}") from refused
                time.sleep(0.05)


def _may_answer(refused: Refused) -> bool:
    """Whether asking again may help: the server is away, or whoever it has to ask."""
    return refused.problems[0].code in _UNANSWERED or refused.is_unavailable


def is_named_in_a_process(text: str) -> list[str]:
    """Command lines of processes that name a text, our own and our parents' apart."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) in (os.getpid(), os.getppid()):
            continue
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            is_dead = " Z " in (folder / "stat").read_text()
        except OSError:
            continue
        if text in line and not is_dead:
            found.append(f"{folder.name}: {line}")
    return found
