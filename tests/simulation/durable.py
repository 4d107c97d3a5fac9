"""Durable: an installation over a real SQLite file, and pictures of it as a process leaves it that stops at some instant.

A picture holds what outlives a process: what the file holds (all that was committed, nothing else), the world outside,
and the time. A process that begins from it knows nothing else.

All happens in one thread and in virtual time, and so in the same order each time that it is told.
"""

import asyncio
import copy
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import Connection
from tests.simulation import story
from tests.simulation.story import Outside, plugin

from gennaker.interfaces.executions import Found
from gennaker.interfaces.journal import RecordedEvent
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import Execution
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import EngineSettings, Settings
from gennaker.store import audit_head
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.database import NAME, Database
from gennaker.store.definitions import DatabaseDefinitions
from gennaker.store.documents import DatabaseDocuments
from gennaker.store.evidence import FileEvidence, FileLogs
from gennaker.store.journal import SqliteJournal
from gennaker.store.searches import DatabaseSearches
from gennaker.store.writer import AfterCommit, Batches, Job
from gennaker.testing.ids import CountingIds
from gennaker.testing.virtual_time import VirtualTime
from gennaker.worker import core
from gennaker.worker.core import Core, StorePorts

SETTINGS = Settings(engine=EngineSettings(time_zone="UTC"))
_LONGEST_SECONDS = 3 * 86_400
_AFTERWARDS_SECONDS = 300
"""Messages and stops that come last are performed by then."""
Reached = Callable[[str], None]
Result = TypeVar("Result")


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that is left when the process stops."""

    point: str
    """Where it stops."""
    folder: Path
    outside: Outside
    seconds: float
    taken_ids: int


class Installation:
    """One process after another over a folder; `reached` is told each point that one comes to.

    `slowness`: how many seconds the next commit takes, and so in which order things happen.
    """

    def __init__(self, folder: Path, outside: Outside, *, seconds: float = 0, taken_ids: int = 0) -> None:
        self.folder = folder
        self.slowness: Callable[[], float] = lambda: 0.0
        self.outside = outside
        self.time = VirtualTime(in_one_thread=True)
        if seconds:
            self.time.pass_by(seconds)
        self.ids = _Ids(taken_ids)
        self.reached: Reached = lambda _: None
        self.executions: tuple[Execution, ...] = ()
        self.audit: tuple[AuditEntry, ...] = ()
        self.pending: tuple[PendingEffect, ...] = ()
        self.events: dict[str, tuple[RecordedEvent, ...]] = {}
        self.is_audit_intact = False

    def define(self, definitions: Iterable[JsonObject]) -> None:
        """Saves pipelines."""

        async def save() -> None:
            async with self._process() as (built, _):
                for body in definitions:
                    await built.services.definitions.save("pipeline", str(body["id"]), body, author="ada")

        self.time.run(save())

    def tell_to_the_end(self) -> None:
        """One process that does what is left of the story; then looks at what has come of it."""

        async def main() -> None:
            async with self._process() as (built, store):
                async with asyncio.TaskGroup() as group:
                    working = group.create_task(built.worker.run())
                    async with asyncio.timeout(_LONGEST_SECONDS):
                        await story.tell(built.services)
                    await asyncio.sleep(_AFTERWARDS_SECONDS)
                    working.cancel()
                await self._look(store)

        self.time.run(main())
        self.reached = lambda _: None

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[tuple[Core, StorePorts]]:
        """A process that isn't yet running."""
        database = Database.open(self.folder, lambda batches, after: _Writer(batches, after, self))
        try:
            store = StorePorts(
                journal=SqliteJournal(database, engine_version="1"),
                searches=DatabaseSearches(database),
                definitions=DatabaseDefinitions(database, self.time),
                documents=lambda namespace: DatabaseDocuments(database, namespace),
                evidence=FileEvidence(database),
                logs=FileLogs(database),
                audit=DatabaseAuditTrail(database),
            )
            yield self._built(store), store
        finally:
            database.close()

    def _built(self, store: StorePorts) -> Core:
        return core.build(
            store=store,
            clock=self.time,
            ids=self.ids,
            settings=SETTINGS,
            data=self.folder,
            plugins=(flow.plugin, plugin(self.outside)),
            registries={},
            probe=_Probe(self),
        )

    async def _look(self, store: StorePorts) -> None:
        found = await store.searches.find(Found(limit=1000))
        self.executions = tuple(sorted(found, key=lambda one: (one.head.build_time, one.head.id)))
        self.pending = await store.journal.pending()
        self.audit = tuple(one.entry for one in await store.audit.records(limit=100_000))
        self.is_audit_intact = (await store.audit.verify()).is_intact
        for one in self.executions:
            self.events[one.head.id] = await store.journal.events(one.head.id)


class Album:
    """Pictures of an installation at points at which something differs from all points before."""

    def __init__(self, installation: Installation, folder: Path, wanted: Callable[[int], bool]) -> None:
        """`wanted`: whether to take the picture of this number; all are counted."""
        self.moments: list[str] = []
        """The points, in order."""
        self.pictures: dict[int, Picture] = {}
        self._installation = installation
        self._folder = folder
        self._wanted = wanted
        folder.mkdir()
        self._seen: set[tuple[int, int]] = set()
        self._watching = sqlite3.connect(installation.folder / NAME)
        installation.reached = self._reached

    def close(self) -> None:
        self._watching.close()

    def _reached(self, point: str) -> None:
        (version,) = self._watching.execute("PRAGMA data_version").fetchone()
        moment = (version, self._installation.outside.acts)
        if moment in self._seen:
            return
        self._seen.add(moment)
        number = len(self.moments)
        self.moments.append(point)
        if self._wanted(number):
            self.pictures[number] = self._taken(point, self._folder / str(number))

    def _taken(self, point: str, folder: Path) -> Picture:
        folder.mkdir()
        head = self._installation.folder / audit_head.NAME
        if head.exists():
            shutil.copy(head, folder)
        with closing(sqlite3.connect(folder / NAME)) as copied:
            self._watching.backup(copied)
        return Picture(
            point=point,
            folder=folder,
            outside=copy.deepcopy(self._installation.outside),
            seconds=self._installation.time.seconds,
            taken_ids=self._installation.ids.taken,
        )


def developed(picture: Picture) -> Installation:
    """The installation on the picture, which is used up by it."""
    return Installation(picture.folder, picture.outside, seconds=picture.seconds, taken_ids=picture.taken_ids)


class _Ids(CountingIds):
    """Ids in order, some of which are taken."""

    def __init__(self, taken: int) -> None:
        super().__init__()
        self.taken = 0
        for _ in range(taken):
            self.ulid()

    def ulid(self) -> str:
        self.taken += 1
        return super().ulid()


class _Probe:
    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def reached(self, point: str) -> None:
        self._installation.reached(point)


class _Writer:
    """A writer without a thread: what has been handed over after a while becomes durable together.

    Every time at which that happens, whoever handed it over, is a point before it and one behind it.
    """

    def __init__(self, batches: Batches, after_commit: AfterCommit, installation: Installation) -> None:
        self._batches = batches
        self._after_commit = after_commit
        self._installation = installation
        self._jobs: list[Job[object]] = []

    async def write(self, change: Callable[[Connection], Result]) -> Result:
        return await self.make_durable(Job(change))

    async def make_durable(self, job: Job[Result]) -> Result:
        if not self._jobs:
            job.loop.call_later(self._installation.slowness(), self._commit)
        self._jobs.append(job)  # type: ignore[arg-type] # as in the real writer: each keeps its own result type
        return await job.future

    def close(self) -> None:
        self._commit()

    def _commit(self) -> None:
        batch, self._jobs = self._jobs, []
        if not batch:
            return
        self._installation.reached("store.before")
        self._batches.commit(batch)
        self._installation.reached("store.after")
        for job in batch:
            job.resolve()
        self._after_commit()
