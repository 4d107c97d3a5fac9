"""The relay: tells Temporal of what is in the outbox and nobody's, until somebody has looked.

Commands, submissions and what executions tell one another lie there. The message itself stays in the store: Temporal is only told
that there is one, by a signal that starts the execution's workflow where none runs. Every server of the shell does it: at once for
what it has put there itself, else when it is woken or has waited long enough. Being told twice does no harm.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from gennaker.interfaces.servers import Servers
from gennaker.interfaces.shells import ShellStore
from gennaker.worker.temporal.messages import EXECUTION, LOOK, Begin

log = structlog.get_logger()

_AT_ONCE = 20
"""Calls of Temporal at the same time."""
_AGAIN_SECONDS = 5.0
"""So long a signal has until it is sent again, and Temporal until it is tried again."""
_CALL = timedelta(seconds=10)


class Relay:
    """Starts and wakes workflows."""

    def __init__(
        self, client: Client, *, task_queue: str, store: ShellStore, servers: Servers, heartbeat_seconds: float
    ) -> None:
        """Nothing runs yet."""
        self._client = client
        self._task_queue = task_queue
        self._store = store
        self._servers = servers
        self._heartbeat_seconds = heartbeat_seconds
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._nudged = asyncio.Event()
        self._told: dict[str, _Told] = {}

    def nudge(self) -> None:
        """This server has put something into the outbox."""
        self._nudged.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wake())
            group.create_task(self._begin_owned())
            while True:
                self._nudged.clear()
                await self._tell_all()
                await self._nudged.wait()

    async def _wake(self) -> None:
        while True:
            await self._servers.woken()
            self._nudged.set()

    async def _tell_all(self) -> None:
        untold = await self._store.untold()
        self._told = {key: told for key, told in self._told.items() if key in untold}
        now = time.monotonic()  # the pace of repeated signals, not a time that anything is decided by
        wanted = [
            (execution_id, newest)
            for execution_id, newest in untold.items()
            if execution_id not in self._told or self._told[execution_id].is_stale(newest, now)
        ]
        for execution_id, newest in wanted:
            self._told[execution_id] = _Told(newest, now)
        await self._call_all([execution_id for execution_id, _ in wanted], signal=LOOK)

    async def _begin_owned(self) -> None:
        """Whatever is the shell's has a workflow, also where somebody has terminated it, or Temporal has lost its own store."""
        left: Sequence[str] = await self._store.owned()
        while left := await self._call_all(left, signal=None):  # noqa: ASYNC110 - Temporal tells nobody when it is back
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _call_all(self, executions: Sequence[str], *, signal: str | None) -> Sequence[str]:
        """Returns those for which Temporal could do nothing now."""
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(self._call(execution_id, signal)) for execution_id in executions]
        return [execution_id for execution_id, call in zip(executions, calls, strict=True) if not call.result()]

    async def _call(self, execution_id: str, signal: str | None) -> bool:
        """Starts the execution's workflow unless it runs; False: not now."""
        begin = Begin(execution_id=execution_id, heartbeat_seconds=self._heartbeat_seconds)
        policy = WorkflowIDConflictPolicy.UNSPECIFIED if signal else WorkflowIDConflictPolicy.USE_EXISTING
        async with self._slots:
            try:
                await self._client.start_workflow(
                    EXECUTION,
                    begin,
                    id=f"{self._task_queue}/{execution_id}",
                    task_queue=self._task_queue,
                    id_conflict_policy=policy,
                    start_signal=signal,
                    rpc_timeout=_CALL,
                )
            except RPCError as error:
                log.warning("temporal.unreachable", execution=execution_id, reason=error.message)
                return False
        return True


class _Told(msgspec.Struct, frozen=True):
    """A signal that was sent."""

    newest: int
    at: float

    def is_stale(self, newest: int, now: float) -> bool:
        """Something has come since, or it seems to be lost."""
        return newest > self.newest or now - self.at >= _AGAIN_SECONDS
