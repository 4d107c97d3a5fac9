"""Servers that share a store in memory: leases by a clock, ownership and fences as PostgreSQL's servers keep them.

With `is_guarded=False` nobody's lease counts: every server performs everything that it finds, and only the versions of
executions and queues keep two that race for one execution from undoing one another's steps.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from gennaker.interfaces.clock import Clock
from gennaker.interfaces.executions import Found, Listed
from gennaker.interfaces.journal import Commit, OwnedElsewhere, RecordedEvent
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status
from gennaker.testing.journal import MemoryJournal

_AT_ONCE = datetime.min.replace(tzinfo=UTC)
_LOOKS_EVERY_SECONDS = 0.05
Reach = Callable[[], Awaitable[None]]
"""The way to the store and back: it may take its time."""


class SharedStore:
    """What servers share, and who of them owns what."""

    def __init__(
        self, journal: MemoryJournal, clock: Clock, *, lease: timedelta, poll: timedelta, is_guarded: bool = True
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.lease = lease
        self.poll = poll
        self.is_guarded = is_guarded
        self.expires: dict[int, datetime] = {}
        """By fence."""
        self.names: dict[int, str] = {}
        self.owners: dict[str, int] = {}
        """Fence by execution."""
        self.performers: dict[str, int] = {}
        """Fence by effect."""
        self.holders: dict[str, int] = {}
        """Fence by name of a service's lease."""
        self.wakes: dict[int, asyncio.Event] = {}
        self._fences = 0

    def join(self, name: str) -> int:
        """A new server's fence."""
        self._fences += 1
        self.names[self._fences] = name
        self.expires[self._fences] = self.clock.now() + self.lease
        self.wakes[self._fences] = asyncio.Event()
        return self._fences

    def stands(self, fence: int) -> bool:
        return not self.is_guarded or fence in self.expires

    def end(self, fence: int) -> None:
        """What the server owned is nobody's."""
        self.expires.pop(fence, None)
        self.wakes.pop(fence, None)
        for owned in (self.owners, self.performers, self.holders):
            for key in [key for key, owner in owned.items() if owner == fence]:
                del owned[key]
        self.wake()

    def end_expired(self) -> None:
        if self.is_guarded:
            for fence in [one for one, expires in self.expires.items() if expires < self.clock.now()]:
                self.end(fence)

    def wake(self) -> None:
        for event in self.wakes.values():
            event.set()


def the_only_server(clock: Clock) -> "tuple[SharedServers, SharedJournal]":
    """The one server of a fresh store, to which the way takes no time."""
    store = SharedStore(MemoryJournal(), clock, lease=timedelta(minutes=1), poll=timedelta(seconds=1))
    fence, reach = store.join("test"), partial(asyncio.sleep, 0)
    return SharedServers(store, fence, reach), SharedJournal(store, fence, reach)


class SharedJournal:
    """The journal as one of the servers has it."""

    def __init__(self, store: SharedStore, fence: int, reach: Reach) -> None:
        self._store = store
        self._fence = fence
        self._reach = reach

    async def commit(self, commit: Commit) -> None:
        await self._reach()
        store, fence = self._store, self._fence
        if not store.stands(fence):
            raise _lease_lost()
        for change in commit.executions:
            owner = store.owners.get(change.head.id, fence)
            if store.is_guarded and change.expected_version and owner != fence:
                raise OwnedElsewhere(change.head.id)
        store.journal.commit_now(commit)
        for change in commit.executions:
            if change.head.status.is_complete:
                store.owners.pop(change.head.id, None)
            else:
                store.owners[change.head.id] = fence
        for key in commit.dropped_effects:
            store.performers.pop(key, None)
        for pending in commit.effects:
            store.performers[pending.effect.key] = fence
        await self._reach()

    async def load(self, execution_id: str) -> Execution | None:
        await self._reach()
        return await self._store.journal.load(execution_id)

    async def load_queue(self, key: str) -> Queue:
        await self._reach()
        return await self._store.journal.load_queue(key)

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        return await self._store.journal.events(execution_id, after=after)

    async def engine_versions(self, execution_id: str) -> tuple[str, ...]:
        return await self._store.journal.engine_versions(execution_id)

    async def delete(self, execution_id: str, audit: tuple[AuditEntry, ...]) -> None:
        await self._reach()
        await self._store.journal.delete(execution_id, audit)

    async def pending(self) -> tuple[PendingEffect, ...]:
        return await self._store.journal.pending()

    async def pending_of(self, execution_id: str) -> tuple[PendingEffect, ...]:
        return await self._store.journal.pending_of(execution_id)

    async def raise_tries(self, key: str) -> int:
        await self._reach()
        return await self._store.journal.raise_tries(key)

    async def find(self, wanted: Found) -> Sequence[Execution]:
        await self._reach()
        return await self._store.journal.find(wanted)

    async def listed(self, wanted: Found) -> Sequence[Listed]:
        await self._reach()
        return await self._store.journal.listed(wanted)

    async def several(self, ids: Sequence[str]) -> Sequence[Execution]:
        await self._reach()
        return await self._store.journal.several(ids)

    async def triggers(self, ids: Sequence[str]) -> Mapping[str, JsonObject]:
        await self._reach()
        return await self._store.journal.triggers(ids)

    async def count(self, status: Status) -> int:
        await self._reach()
        return await self._store.journal.count(status)


class SharedServers:
    """One of the servers, as the port has it."""

    def __init__(self, store: SharedStore, fence: int, reach: Reach) -> None:
        self._store = store
        self._fence = fence
        self._reach = reach
        self._taken: set[str] = set()
        """Without guards: what this server has found in the outbox."""
        self._stands_until = store.clock.now() + store.lease

    @property
    def is_alone(self) -> bool:
        return False

    async def take(self) -> tuple[PendingEffect, ...]:
        await self._reach()
        store, fence = self._store, self._fence
        pending = await store.journal.pending()
        if not store.is_guarded:
            found = tuple(one for one in pending if one.effect.key not in self._taken)
            self._taken |= {one.effect.key for one in found}
            return found
        if not store.stands(fence):
            return ()
        untaken = [one for one in pending if one.effect.key not in store.performers]
        taken = []
        for one in untaken:
            execution = await store.journal.load(one.execution_id)
            if execution is not None and store.owners.setdefault(one.execution_id, fence) != fence:
                continue
            store.performers[one.effect.key] = fence
            taken.append(one)
        return tuple(sorted(taken, key=lambda one: one.due or _AT_ONCE))

    async def hand_over(self, pending: PendingEffect) -> None:
        await self._reach()
        if not self._store.stands(self._fence):
            raise _lease_lost()
        self._store.journal.commit_now(Commit(effects=(msgspec.structs.replace(pending, due=None, tries=0),)))
        self._store.performers.pop(pending.effect.key, None)
        self._store.wake()

    async def is_pending(self, key: str) -> bool:
        return any(one.effect.key == key for one in await self._store.journal.pending())

    async def elsewhere(self) -> Mapping[str, str]:
        store = self._store
        return {
            key: store.names[fence]
            for key, fence in store.performers.items()
            if fence != self._fence and fence in store.expires
        }

    async def hold(self, lease: str) -> bool:
        return self._store.holders.setdefault(lease, self._fence) == self._fence

    async def may_begin(self) -> None:
        while self._store.is_guarded and self._store.clock.now() >= self._stands_until:  # noqa: ASYNC110 - as the real ones
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)

    async def woken(self) -> None:
        wake = self._store.wakes.get(self._fence)
        try:
            async with asyncio.timeout(self._store.poll.total_seconds()):
                if wake is not None:
                    wake.clear()
                    await wake.wait()
                else:
                    await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return

    async def keep(self) -> None:
        store = self._store
        while True:
            began = store.clock.now()
            await self._reach()
            if not store.stands(self._fence):
                raise _lease_lost()
            store.expires[self._fence] = store.clock.now() + store.lease
            self._stands_until = began + store.lease
            store.end_expired()
            await asyncio.sleep(store.lease.total_seconds() / 3)


def _lease_lost() -> StoreUnusable:
    return StoreUnusable(Problem(code="store.lease_lost", message="The lease of this server was ended by another."))
