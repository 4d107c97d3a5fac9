"""The journal in SQLite: executions, their events, queues, the outbox and audit records, changed together or not at all.

Only rows that changed are written. All encoding is done before the writer's turn (writer.py), the version checks inside
its transaction (batches.py). Large values: values.py.
"""

from sqlalchemy import Connection, update

from gennaker.interfaces.journal import Commit, Conflict, RecordedEvent
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import Execution
from gennaker.model.queue import Queue
from gennaker.store import deletion, journal_reads, rows, tables
from gennaker.store.batches import driver
from gennaker.store.chain import encoded_entries
from gennaker.store.database import Database
from gennaker.store.journal_reads import JournalReads
from gennaker.store.packing import Packer


class SqliteJournal:
    """The journal of a database."""

    def __init__(self, database: Database, *, engine_version: str) -> None:
        """`engine_version` is kept with every event: the same version replays it bit for bit."""
        self._database = database
        self._engine_version = engine_version
        self._sql = database.sql
        self._reads = JournalReads(database)
        self._packer = Packer()

    async def commit(self, commit: Commit) -> None:
        """Writes all of it or nothing. Raises Conflict.

        Whoever is cancelled while waiting doesn't know whether it was written. Dropped effects go before new ones.
        """
        packing = await self._packer.packed(commit)
        await self._database.commit(rows.of(commit, packing, self._engine_version))
        self._packer.remember(packing)

    async def load(self, execution_id: str) -> Execution | None:
        """The execution as last committed."""
        return await self._reads.load(execution_id)

    async def load_queue(self, key: str) -> Queue:
        """The queue as last committed; an empty one of version 0 where there is none."""
        return await self._reads.load_queue(key)

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        """The execution's journal, in order."""
        return await self._reads.events(execution_id, after=after)

    async def engine_versions(self, execution_id: str) -> tuple[str, ...]:
        """Versions of the engine that have applied the execution's events, each once, in order."""
        return await self._reads.engine_versions(execution_id)

    async def delete(self, execution_id: str, audit: tuple[AuditEntry, ...]) -> None:
        """Forgets a complete execution, its stages and events, all of it or nothing. Raises Conflict."""
        entries = encoded_entries(audit)
        await self._database.write(
            lambda connection: deletion.delete_execution(connection, self._database.sql, execution_id, entries)
        )

    async def pending(self) -> tuple[PendingEffect, ...]:
        """The whole outbox: what has no instant first, then by instant."""
        return await self._effects(self._sql.pending)

    async def pending_of(self, execution_id: str) -> tuple[PendingEffect, ...]:
        """What the outbox holds of one execution, in the same order."""
        return await self._effects(self._sql.pending_of, execution_id)

    async def _effects(self, statement: str, *values: str) -> tuple[PendingEffect, ...]:
        def look(connection: Connection) -> tuple[PendingEffect, ...]:
            raw = driver(connection)
            return tuple(journal_reads.effect(raw, self._sql, row) for row in raw.execute(statement, values))

        return await self._database.read(look)

    async def raise_tries(self, key: str) -> int:
        """Counts a repeat before it is made; returns the new count. Raises Conflict if the effect is gone."""
        return await self._database.write(lambda connection: raise_tries(connection, key))


def raise_tries(connection: Connection, key: str) -> int:
    """As the journal's method, in the caller's transaction."""
    outbox = tables.outbox.c
    raised = update(tables.outbox).where(outbox.key == key).values(tries=outbox.tries + 1)
    row = connection.execute(raised.returning(outbox.tries)).one_or_none()
    if row is None:
        raise Conflict(f"effect {key!r} is no longer in the outbox")
    return int(row.tries)
