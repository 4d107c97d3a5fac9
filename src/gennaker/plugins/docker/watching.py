"""Watching: for how long what an engine said about its containers still holds, told by the engine's events.

Events only say that there is something to look at; what is, is always read from the engine's lists: engines differ in what their
events tell, and tell some of them before their lists know it. So after each event, and after the stream of events was opened, lists
are read until one was begun some time later. While nothing happens nothing is asked, but for a look from time to time, which also
finds out engines that tell no events. Without a stream everything is looked at again and again.
"""

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from gennaker.model.problems import Refused
from gennaker.plugins.docker.engine import Engine, filters

log = structlog.get_logger()

_LISTS_SECONDS = 0.2
"""So old a list may be that no events confirm: many server groups are looked at in one go."""
_HEALTH_SECONDS = 1.0
"""So old what the images' own health checks say may be, likewise."""
_BEHIND_SECONDS = 1.0
"""So long after an event an engine's lists may still say what was before."""
_LATE_SECONDS = 5.0
"""So late an event may come."""
_CONFIRMED_SECONDS = 30.0
"""So old may be what no event has contradicted."""
_STREAM_SECONDS = 600.0
"""After so long the stream is opened anew: one that has broken off unseen would be silent for ever."""
_PAUSES = (1.0, 30.0)
"""Before a stream that has ended is opened again: the first, and the longest."""
_ABOUT = "Its events can't be followed"
_NOTHING = ("exec_create", "exec_start", "attach", "resize", "top", "archive-path", "extract-to-dir", "export", "copy")
"""Actions that change neither state nor health."""
_HEALTH = ("health_status", "exec_die")
"""Actions after which health may be another: Podman 4 tells of each check, without its result, and when its process has ended."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the stream, as far as it matters."""

    action: str = msgspec.field(default="", name="Action")
    """`start`, `die`, `health_status: unhealthy` …"""


class Freshness:
    """When something has to be looked at again. Times are the loop's, in seconds."""

    def __init__(self, seconds: float) -> None:
        """`seconds`: so old it may be without being watched."""
        self._seconds = seconds
        self.is_watched = False
        """Changes are told."""
        self._looked_at = self._told_at = self._acted_at = float("-inf")

    def is_newest(self, began: float) -> bool:
        """Whether no look that began later was answered before."""
        return began >= self._looked_at

    def looked(self, began: float) -> None:
        """Somebody has looked."""
        self._looked_at = began

    def acted(self, now: float) -> None:
        """What was seen before doesn't hold any more."""
        self._acted_at = now

    def told(self, now: float) -> None:
        """The engine says that there is something to look at."""
        self._told_at = now

    def watched(self, now: float, *, is_watched: bool) -> None:
        """From now on changes are told, or no longer."""
        self.is_watched = is_watched
        self._told_at = now

    @property
    def is_confirmed(self) -> bool:
        """Only what wasn't told can have changed since the last look."""
        return self.is_watched and self._looked_at >= max(self._told_at + _BEHIND_SECONDS, self._acted_at)

    def holds(self, now: float) -> bool:
        """Whether what was seen last need not be looked at again."""
        if self._looked_at < self._acted_at:
            return False
        age = now - self._looked_at
        return age <= (_CONFIRMED_SECONDS if self.is_confirmed else self._seconds)


class Watch:
    """What one engine tells about the containers of one installation."""

    def __init__(self, engine: Engine, *, pauses: tuple[float, float] = _PAUSES) -> None:
        """Nothing is watched before `follow`."""
        self.lists = Freshness(_LISTS_SECONDS)
        self.health = Freshness(_HEALTH_SECONDS)
        self._engine = engine
        self._pauses = pauses
        self._stream: asyncio.Timeout | None = None
        self._doubted_at: float | None = None
        self._changed: Callable[[], None] = _nobody

    async def follow(self, label: str, changed: Callable[[], None]) -> None:
        """Follows the events of the containers with the label until cancelled; opens the stream again when it ends.

        `changed` is called at the first event after a time of rest: whoever looks again and again need not wait for the next time.
        """
        self._changed = changed
        now = asyncio.get_running_loop().time
        shortest, longest = self._pauses
        pause, said = shortest, ""
        while True:
            began = now()
            why = await self._followed(label)
            if now() - began >= longest:
                pause, said = shortest, ""
            if not why:
                continue
            if why != said:
                log.warning("docker.events_lost", account=self._engine.account, why=why)
            said = why
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    def opened(self, now: float) -> None:
        """From now on the engine tells what happens."""
        self._set(now, is_watched=True)

    def closed(self, now: float) -> None:
        """From now on it doesn't, or can't be relied on."""
        self._set(now, is_watched=False)

    def heard(self, action: str, now: float) -> None:
        """The engine tells of something that was done to a container."""
        if action.startswith(_NOTHING):
            return
        self._doubted_at = None
        self.health.told(now)
        if action.startswith(_HEALTH):
            return
        is_first = self.lists.is_confirmed
        self.lists.told(now)
        if is_first:
            self._changed()

    def surprised(self, now: float) -> None:
        """A look shows what no event has told. One that is on its way comes soon; else the engine's events can't be relied on."""
        self._doubted_at = now if self._doubted_at is None else self._doubted_at
        self.lists.told(now)

    def looked(self, began: float) -> None:
        """The lists were read."""
        self.lists.looked(began)
        if self._doubted_at is None or began < self._doubted_at + _LATE_SECONDS or not self.lists.is_watched:
            return
        log.warning(
            "docker.events_missing",
            account=self._engine.account,
            why="The engine's events don't tell what happens.",
            remedy="Look at how the engine keeps its events (Podman: events_logger and healthcheck_events in containers.conf).",
        )
        self.closed(began)

    def failed(self) -> None:
        """The engine gave no answer: its stream may have broken off as silently."""
        if self.lists.is_watched and self._stream is not None and not self._stream.expired():
            now = asyncio.get_running_loop().time()
            self.closed(now)
            self._stream.reschedule(now)

    async def _followed(self, label: str) -> str:
        """Why the stream has ended; empty: it was to be opened anew."""
        now = asyncio.get_running_loop().time
        wanted = filters(type=("container",), label=(label,))
        try:
            async with (
                asyncio.timeout(_STREAM_SECONDS) as self._stream,
                self._engine.lines("/events", about=_ABOUT, query=wanted, seconds=_STREAM_SECONDS) as lines,
            ):
                self.opened(now())
                async for line in lines:
                    self.heard(_action(line), now())
        except TimeoutError:
            return ""
        except Refused as refused:
            return str(refused)
        finally:
            self._stream = None
            self.closed(now())
        return "The engine has ended the stream of its events."

    def _set(self, now: float, *, is_watched: bool) -> None:
        self._doubted_at = None
        for one in (self.lists, self.health):
            one.watched(now, is_watched=is_watched)


def _nobody() -> None:
    """Nobody is waiting."""


def _action(line: str) -> str:
    """What was done; what can't be read may have been anything."""
    try:
        return msgspec.json.decode(line, type=Event).action
    except msgspec.DecodeError:
        return ""
