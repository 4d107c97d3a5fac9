"""The store of a shell: whose executions and effects are those of all its servers together.

Theory of operation. Executions and effects carry the fence of the shell's lease (servers.py). A row of the outbox without a fence
is for whoever owns its execution; `look` makes the execution's own ones the shell's, in one transaction that holds the
execution's row, so that no embedded server takes it meanwhile. What other executions have put there stays nobody's until it is
applied: it is told of again and again until then, and needs nobody who remembers it.

It has a connection and a thread of its own: its reads may be long, and leases can't wait.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg

from gennaker.interfaces.shells import Look, Parcel
from gennaker.model import codec, stored
from gennaker.model.effect import PendingEffect
from gennaker.model.event import Event
from gennaker.model.statuses import Status
from gennaker.store import journal_reads, values
from gennaker.store.postgres import failures, servers
from gennaker.store.postgres import statements as sql
from gennaker.store.postgres.database import PostgresDatabase, Raw, connect
from gennaker.store.transactions import PostgresDirect

_LARGEST_BODY_BYTES = 256 * 1024
"""Of what is left of an event without its large values: more of it lies in the store as a whole."""
_COMPLETE = [status.value for status in Status if status.is_complete]
_EVENT: type[Event] = Event  # type: ignore[assignment] # a union; the codec takes what msgspec takes

Result = TypeVar("Result")


class PostgresShellStore:
    """What the servers of a shell have in common in a database."""

    def __init__(self, database: PostgresDatabase, *, fence: int) -> None:
        """`fence` is the shell's. Blocks. Raises StoreUnusable."""
        self._database = database
        self._fence = fence
        self._connection = connect(database.url, is_writer=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store-shell")

    async def untold(self) -> Mapping[str, int]:
        """By execution, the newest row's number."""

        def look(connection: Raw) -> Mapping[str, int]:
            return dict(connection.execute(sql.UNTOLD.encode(), (self._fence,)).fetchall())

        return await self._run(look)

    async def owned(self) -> tuple[str, ...]:
        """Those that haven't ended, and those of which something is left to do."""

        def look(connection: Raw) -> tuple[str, ...]:
            rows = connection.execute(sql.OWNED.encode(), (self._fence, self._fence)).fetchall()
            return tuple(name for (name,) in rows)

        return await self._run(look)

    async def look(self, execution_id: str) -> Look:
        """What is the execution's own is the shell's from now on."""
        return await self._run(lambda connection: self._look(connection, execution_id))

    async def find(self, key: str) -> PendingEffect | None:
        """One row."""

        def look(connection: Raw) -> PendingEffect | None:
            row = connection.execute(sql.FIND.encode(), (key, self._fence)).fetchone()
            return None if row is None else self._effect(connection, row)

        return await self._run(look)

    async def version(self, execution_id: str) -> int | None:
        """One small row."""

        def look(connection: Raw) -> int | None:
            row = connection.execute(sql.VERSION.encode(), (execution_id,)).fetchone()
            return None if row is None else int(row[0])

        return await self._run(look)

    async def pack(self, event: Event) -> Parcel:
        """Blobs first, in a commit of their own."""
        body = codec.encode(event)
        if len(body) <= values.LARGE_BYTES:
            return Parcel(body=body.decode())
        packed = await asyncio.to_thread(_packed, event)
        rows = list(packed.blobs.items())

        def keep(connection: Raw) -> None:
            with connection.cursor() as cursor:
                cursor.executemany(sql.INSERT_BLOB, rows)

        await self._run(keep)
        return Parcel(body=packed.body, references=packed.references)

    async def unpack(self, parcel: Parcel) -> Event:
        """As it was packed."""
        if parcel.references is None:
            return stored.read(parcel.body, _EVENT)
        return await self._run(
            lambda connection: journal_reads.record(
                PostgresDirect(connection), self._database.sql, (parcel.body, parcel.references), _EVENT
            )
        )

    def close(self) -> None:
        """Ends the connection. Blocks."""
        self._thread.shutdown()
        self._connection.close()

    def _look(self, connection: Raw, execution_id: str) -> Look:
        own = (execution_id, f"{execution_id}/", f"{execution_id}0")  # "0" follows "/"
        with connection.transaction():
            if not servers.stands(connection, self._fence):
                raise failures.lease_lost(self._database.place)
            row = connection.execute(sql.LOCK_EXECUTION.encode(), (execution_id,)).fetchone()
            if row is not None and row[0] not in {None, self._fence}:
                return Look(is_over=True)
            adopted = connection.execute(sql.ADOPT_EXECUTION.encode(), (self._fence, execution_id, _COMPLETE)).rowcount
            connection.execute(sql.ADOPT_EFFECTS.encode(), (self._fence, *own))
            rows = connection.execute(sql.LOOK.encode(), (self._fence, *own, execution_id)).fetchall()
            return Look(
                pending=tuple(self._effect(connection, row) for row in rows),
                is_over=row is None or (row[0] is None and not adopted),
            )

    def _effect(self, connection: Raw, row: tuple[object, ...]) -> PendingEffect:
        return journal_reads.effect(PostgresDirect(connection), self._database.sql, row)  # type: ignore[arg-type] # columns of ours

    async def _run(self, work: Callable[[Raw], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._connection)
        except psycopg.Error as error:
            raise failures.translated(error, self._database.place) from error


def _packed(event: Event) -> values.Packed:
    packed = values.Large().pack(event)
    if len(packed.body) <= _LARGEST_BODY_BYTES:
        return packed
    return values.whole(codec.encode(event))
