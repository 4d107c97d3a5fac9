"""The journal in PostgreSQL: executions, events, queues, the outbox and audit records, changed together or not at all.

A commit carries this server's fence: it moves only executions that this server owns or nobody does, and makes them its own
until they end. batches.py writes; what is read and how large values are kept is as in SQLite.
"""

from sqlalchemy import Connection

from gennaker.interfaces.journal import Commit, RecordedEvent
from gennaker.model.audit import AuditEntry
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import Execution
from gennaker.model.queue import Queue
from gennaker.store import deletion, journal, journal_reads, rows
from gennaker.store.chain import encoded_entries
from gennaker.store.journal_reads import JournalReads
from gennaker.store.packing import Packer
from gennaker.store.postgres.database import PostgresDatabase
from gennaker.store.transactions import direct


class PostgresJournal:
    """The journal of a database, as one of its servers writes it."""

    def __init__(self, database: PostgresDatabase, *, engine_version: str, fence: int) -> None:
        """`engine_version` is kept with every event; `fence` is this server's (servers.py)."""
        self._database = database
        self._engine_version = engine_version
        self._fence = fence
        self._reads = JournalReads(database)
        self._packer = Packer()

    async def commit(self, commit: Commit) -> None:
        """Writes all of it or nothing. Raises Conflict; OwnedElsewhere where another server owns an execution of it.

        Whoever is cancelled while waiting doesn't know whether it was written. Dropped effects go before new ones.
        """
        packing = await self._packer.packed(commit)
        await self._database.commit(rows.of(commit, packing, self._engine_version), self._fence)
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
        """The whole outbox, of all servers: what has no instant first, then by instant."""
        return await self._effects(self._database.sql.pending)

    async def pending_of(self, execution_id: str) -> tuple[PendingEffect, ...]:
        """What the outbox holds of one execution, in the same order."""
        return await self._effects(self._database.sql.pending_of, execution_id)

    async def _effects(self, statement: str, *values: str) -> tuple[PendingEffect, ...]:
        sql = self._database.sql

        def look(connection: Connection) -> tuple[PendingEffect, ...]:
            raw = direct(connection)
            return tuple(
                journal_reads.effect(raw, sql, (execution_id, due, tries, body, blobs))
                for execution_id, due, tries, body, blobs in raw.execute(statement, values).fetchall()
            )

        return await self._database.read(look)

    async def raise_tries(self, key: str) -> int:
        """Counts a repeat before it is made; returns the new count. Raises Conflict if the effect is gone."""
        return await self._database.write(lambda connection: journal.raise_tries(connection, key))
