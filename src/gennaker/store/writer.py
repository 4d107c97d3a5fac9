"""The writer: one thread that makes all changes, many of them in one durable transaction.

Theory of operation. Syncing the disk costs the same for one change as for hundreds, so all changes that wait are taken at
once (nobody lingers for more). How a lot of them becomes durable is the database's business: SQLite's is in batches.py,
PostgreSQL's in postgres/batches.py. Where the lot fails as a whole every change is tried again by itself, so that each gets
its own answer; therefore a change is a function that may be called twice and touches nothing but the connection. Callers
wait for a future that is resolved after the commit; one call wakes the loop for the whole batch.

A caller that is cancelled while it waits gives up the answer, not the change.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection

log = structlog.get_logger()

_TAKEN_AT_MOST = 500
"""Changes in one transaction: beyond it a commit takes longer without saving anything per change."""

Result = TypeVar("Result")


class Job(Generic[Result]):
    """A change that waits for its answer."""

    __slots__ = ("change", "error", "future", "is_durable", "loop", "result")

    def __init__(self, change: Callable[[Connection], Result]) -> None:
        self.change = change
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Result] = self.loop.create_future()
        self.result: Result | None = None
        self.error: BaseException | None = None
        self.is_durable = False
        """Its answer holds, whatever becomes of others of its lot."""

    def resolve(self) -> None:
        """Tells who waits; on the loop."""
        if self.future.done():
            if self.error is not None:
                log.warning("store.change_failed_unheard", error=str(self.error))
        elif self.error is not None:
            self.future.set_exception(self.error)
        else:
            # `result` is None only where the change returned None.
            self.future.set_result(self.result)  # type: ignore[arg-type] # see above


class Batches(Protocol):
    """Makes lots of changes durable; used by the writer's thread only."""

    def commit(self, batch: list[Job[object]]) -> None:
        """Gives each job its result or its error. What it raises all the same is a fault, and the error of all that aren't durable."""
        ...


AfterCommit = Callable[[], "float | None"]
"""Called in the writer's thread after commits and when asked for: returns in how many seconds it wants to be called
again at the latest, None: after the next commit."""


class Writer:
    """Makes changes durable, in the order in which they were handed over."""

    def __init__(self, batches: Batches, after_commit: AfterCommit) -> None:
        """Takes both over; from now on only the writer's thread uses them."""
        self._batches = batches
        self._after_commit = after_commit
        self._jobs: queue.SimpleQueue[Job[object] | None] = queue.SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, change: Callable[[Connection], Result]) -> Result:
        """Runs the change in the writer's thread and returns its result once it is durable.

        Raises what the change raises (nothing of it is kept then), and StoreUnusable.
        """
        return await self.make_durable(Job(change))

    def make_durable(self, job: Job[Result]) -> "asyncio.Future[Result]":
        """As `write`, for a job that the database's batches know. No coroutine of its own: each costs every commit."""
        if self._is_closed:
            raise RuntimeError("the store is closed")
        self._jobs.put(job)  # type: ignore[arg-type] # a queue of jobs of all kinds; each keeps its own result type
        return job.future

    def close(self) -> None:
        """Finishes what was handed over and ends the thread. The connection is the caller's again."""
        if not self._is_closed:
            self._is_closed = True
            self._jobs.put(None)
            self._thread.join()

    def _run(self) -> None:
        is_open = True
        call_at: float | None = None
        while is_open:
            batch, is_open = self._take(call_at)
            if batch:
                self._commit(batch)
                _answer(batch)
            wait = self._looked_after()
            # Monotonic: the pace of a housekeeping call, not a time that anything is decided by.
            call_at = None if wait is None else time.monotonic() + wait

    def _commit(self, batch: list[Job[object]]) -> None:
        """Whatever faults there are, this thread goes on: without it everybody would wait for ever."""
        try:
            self._batches.commit(batch)
        except Exception as fault:
            log.exception("store.fault", changes=len(batch))
            for job in batch:
                if not job.is_durable:
                    job.error = job.error or fault

    def _looked_after(self) -> float | None:
        try:
            return self._after_commit()
        except Exception:
            log.exception("store.fault", changes=0)
            return None

    def _take(self, call_at: float | None) -> tuple[list[Job[object]], bool]:
        """All that waits, and whether more may come."""
        batch: list[Job[object]] = []
        timeout = None if call_at is None else max(0.0, call_at - time.monotonic())
        try:
            job = self._jobs.get(timeout=timeout)
            while job is not None:
                batch.append(job)
                if len(batch) == _TAKEN_AT_MOST:
                    break
                job = self._jobs.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, job is not None


def _answer(batch: list[Job[object]]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Job[object]]] = {}
    for job in batch:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, jobs)
        except RuntimeError:
            # The loop has ended, and with it whoever waited. The changes are made all the same.
            log.warning("store.changes_unheard", changes=len(jobs))


def _resolve(jobs: list[Job[object]]) -> None:
    for job in jobs:
        job.resolve()
