"""Memory: what an API server has below a path, kept up to date by one watch for all who ask.

A list is begun when somebody asks for it and dropped when nobody has for a while. A watch that ends goes on from its last
version; one whose version is too old lists anew, and what isn't in that list is gone. Without `keep` running (a tool that
looks once) each question is a list of its own.

Theory: `version` is the point up to which `objects` is complete. Events move both together; bookmarks move the version
alone. Losing the connection loses nothing but time, so what is known stays and is marked as stale; who would decide by
stale objects is told that the server can't be reached, as soon as that is more than a hiccup.
"""

import asyncio
from collections.abc import Callable, Mapping

from gennaker.interfaces.api_servers import GONE, ApiFailure, ApiRefusal, ApiServer, ApiUnavailable
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode_json
from gennaker.model.problems import Refused

_PAGE = "500"
_WATCH_SECONDS = 120
"""So long a watch lasts before the server ends it, and we look whether anybody still asks."""
_UNUSED_SECONDS = 300.0
_STALE_SECONDS = 10.0
_LONGEST_PAUSE = 8.0
_BEGINNINGS = 3
"""So often a list is begun whose pages go out of date while they are read."""
_UNWATCHED_PAUSE = 2.0
"""Between two lists of what may be listed but not watched."""

Key = tuple[str, str]
"""Namespace and name."""
Changed = Callable[[JsonObject | None, JsonObject | None], None]
"""Told of an object before and after an event; None: there was or is none."""


class _List:
    """One path's objects."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.objects: dict[Key, JsonObject] = {}
        self.version = ""
        self.is_ready = asyncio.Event()
        self.refusal: ApiFailure | Refused | None = None
        self.used_at = 0.0
        self.stale: tuple[float, ApiUnavailable] | None = None
        self.is_followed = False

    def take(self, event: JsonObject, changed: Changed) -> None:
        """Moves on by one event."""
        found = foreign.mapping(event.get("object"))
        metadata = foreign.mapping(found.get("metadata"))
        self.version = foreign.text_at(metadata, "resourceVersion") or self.version
        key = _key(found)
        before = self.objects.get(key)
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                self.objects[key] = found
                changed(before, found)
            case "DELETED":
                self.objects.pop(key, None)
                changed(before, None)
            case _:  # BOOKMARK: only the version
                pass


class Memory:
    """The lists of one API server."""

    def __init__(self, server: ApiServer, changed: Changed) -> None:
        """Asks nothing yet. `changed`: called for each event of a watch, not for what a list anew shows."""
        self._server = server
        self._changed = changed
        self._lists: dict[str, _List] = {}
        self._news = asyncio.Event()
        self._is_kept = False

    async def seen(self, path: str) -> Mapping[Key, JsonObject]:
        """The objects below a path as the last event left them. Raises ApiFailure, Refused."""
        if not self._is_kept:
            objects, _ = await _listed(self._server, path)
            return objects
        wanted = self._lists.get(path)
        if wanted is None:
            wanted = self._lists[path] = _List(path)
        wanted.used_at = _now()
        self._news.set()
        await wanted.is_ready.wait()
        if wanted.refusal is not None:
            raise wanted.refusal
        if wanted.stale is not None and _now() - wanted.stale[0] > _STALE_SECONDS:
            raise wanted.stale[1]
        return wanted.objects

    async def keep(self) -> None:
        """Follows whatever is asked for, until cancelled."""
        self._is_kept = True
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    await self._news.wait()
                    self._news.clear()
                    for one in [one for one in self._lists.values() if not one.is_followed]:
                        one.is_followed = True
                        group.create_task(self._follow(one))
        finally:
            self._is_kept = False
            for one in self._lists.values():  # whoever waits for a first list would wait for ever
                one.refusal = ApiUnavailable("The server is stopping.")
                one.is_ready.set()
            self._lists.clear()

    async def _follow(self, one: _List) -> None:
        pause = 0.5
        while one.refusal is None and _now() - one.used_at < _UNUSED_SECONDS:
            try:
                await self._once(one)
                pause = 0.5
            except ApiUnavailable as failure:
                one.stale = one.stale or (_now(), failure)
                if not one.is_ready.is_set():
                    one.refusal = failure
                    break
                await asyncio.sleep(max(pause, failure.after_seconds))
                pause = min(_LONGEST_PAUSE, pause * 2)
        self._lists.pop(one.path, None)
        one.is_ready.set()

    async def _once(self, one: _List) -> None:
        """One watch, after a list where there is nothing to go on from."""
        if not one.version:
            try:
                one.objects, one.version = await _listed(self._server, one.path)
            except (ApiRefusal, Refused) as refusal:  # Refused: the account's kubeconfig can't be used
                one.refusal = refusal
                return
            one.stale = None
            one.is_ready.set()
        query = {
            "resourceVersion": one.version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        try:
            async for event in self._server.watch(one.path, query=query):
                one.stale = None
                if event:
                    one.take(event, self._changed)
        except Refused as refusal:
            one.refusal = refusal
        except ApiRefusal as refusal:
            one.version = ""
            if refusal.status != GONE:
                await asyncio.sleep(_UNWATCHED_PAUSE)


async def _listed(server: ApiServer, path: str) -> tuple[dict[Key, JsonObject], str]:
    """Everything below a path, and the version at which it was so. Raises ApiFailure, Refused."""
    for _ in range(_BEGINNINGS):
        try:
            return await _all_pages(server, path)
        except ApiRefusal as refusal:
            if refusal.status != GONE:
                raise
            outdated = refusal
    raise ApiUnavailable(f"The list of {path} goes out of date before it is read: {outdated}") from outdated


async def _all_pages(server: ApiServer, path: str) -> tuple[dict[Key, JsonObject], str]:
    found: dict[Key, JsonObject] = {}
    query = {"limit": _PAGE}
    while True:
        page = foreign.mapping(decode_json(await server.request("GET", path, query=query)))
        kind = foreign.text_at(page, "kind").removesuffix("List")
        for one in foreign.mappings_at(page, "items"):
            # Items of a list don't say what they are.
            typed = {"apiVersion": page.get("apiVersion"), "kind": kind, **one}
            found[_key(typed)] = typed
        metadata = foreign.mapping(page.get("metadata"))
        following = foreign.text_at(metadata, "continue")
        if not following:
            return found, foreign.text_at(metadata, "resourceVersion")
        query = {"limit": _PAGE, "continue": following}


def _key(found: JsonObject) -> Key:
    metadata = foreign.mapping(found.get("metadata"))
    return foreign.text_at(metadata, "namespace"), foreign.text_at(metadata, "name")


def _now() -> float:
    return asyncio.get_running_loop().time()
