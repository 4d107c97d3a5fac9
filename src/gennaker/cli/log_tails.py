"""Tails of logs: the last lines of what running stages write, followed while an execution is watched."""

import contextlib
import threading
from collections.abc import Iterable, Iterator

import httpx2

from gennaker.cli import addresses, terminal
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import mapping, mappings, text_at
from gennaker.model.problems import Refused
from gennaker.transport.client import Client

_LINES = 5
_LOGS = 3
"""Followed at once: a screen has no room for more."""
_KEPT_CHARACTERS = 8000


class Tails:
    """Used from one thread; each log is read by one of its own, which ends with the log, the server or the program."""

    def __init__(self, client: Client, execution_id: str) -> None:
        """Nothing is followed yet."""
        self._client = client
        self._path = addresses.execution(execution_id)
        self._followed: dict[str, _Tail] = {}

    def shown(self, running: Iterable[str]) -> list[tuple[str, list[str]]]:
        """Name and last lines of each log of these stages that has some. Raises Refused."""
        ids = set(running)
        if not ids:
            return []
        found = [
            one for one in mappings(self._client.listed(f"{self._path}/logs", "logs")) if text_at(one, "stageId") in ids
        ][-_LOGS:]
        return [(text_at(one, "name"), lines) for one in found if (lines := self._of(one).lines())]

    def _of(self, log: JsonObject) -> "_Tail":
        path = text_at(log, "path")
        tail = self._followed.get(path)
        if tail is None or tail.is_cut_off:
            tail = self._followed[path] = _Tail(self._client, f"{self._path}/log", path)
        return tail


class _Tail:
    """What one log ends with."""

    def __init__(self, client: Client, address: str, path: str) -> None:
        self._client = client
        self._address = address
        self._path = path
        self._text = ""
        self.is_cut_off = False
        """The server went away before the log's end."""
        threading.Thread(target=self._follow, daemon=True).start()

    def lines(self) -> list[str]:
        """The last ones; of one that writes over itself (a progress bar) what stands there now."""
        whole = self._text.rstrip("\n").split("\n")[-_LINES:]
        return [terminal.plain(one.rstrip("\r").rpartition("\r")[2]) for one in whole if one.strip()]

    def _follow(self) -> None:
        self.is_cut_off = not any(topic == "end" for topic in self._read())

    def _read(self) -> Iterator[str]:
        # The server that goes away, and a client that was closed to find it again.
        with contextlib.suppress(httpx2.TransportError, httpx2.StreamError, Refused, RuntimeError):
            for topic, body in self._client.events(self._address, path=self._path):
                self._text = (self._text + text_at(mapping(body), "text"))[-_KEPT_CHARACTERS:]
                yield topic
