"""A PostgreSQL database, opened by one of the servers that share it.

Five connections: one commits steps, one makes all other changes (batches.py), two read, each read in a transaction of its
own and so from one moment, and one looks after the audit chain's head. A sixth belongs to the lease (servers.py). The schema is
brought up to date before anything else. Commits are durable when they are answered: `synchronous_commit` is set, whatever the
server's own configuration says.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Connection

from gennaker.store import statements
from gennaker.store.audit_head import Head, HeadKeeper
from gennaker.store.commits import CommitJob
from gennaker.store.postgres import failures, schema
from gennaker.store.postgres.batches import ChangeBatches, ChangesJob, CommitBatches
from gennaker.store.postgres.kept import SharedKept
from gennaker.store.rows import CommitRows
from gennaker.store.transactions import PostgresDirect, direct
from gennaker.store.writer import Writer

_READERS = 2
_CONNECT_SECONDS = 10
_STANDS_STILL_MILLISECONDS = 5000
_NOTICES_A_DEAD_NETWORK = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""Seconds, and milliseconds: a connection whose other end is gone without a word is lost after half a minute. Linux alone waits for two
hours and more, in which the server neither works nor ends. What `store.url` says goes first."""

Result = TypeVar("Result")
Raw = psycopg.Connection[tuple[Any, ...]]


class PostgresDatabase:
    """The open database."""

    reads_here: Final = False

    def __init__(self, url: str, *, folder: Path, own_folder: Path) -> None:
        """Use `open`."""
        self.url = url
        self.place = failures.place_of(url)
        self.folder = folder
        self.own_folder = own_folder
        self.sql = statements.compiled(statements.POSTGRES)
        self._head = HeadKeeper(own_folder, PostgresChain(connect(url)), may_join=True)
        self._head_lock = threading.Lock()
        self._committing = connect(url, is_writer=True)
        self._engine = sqlalchemy.create_engine(
            "postgresql+psycopg://",
            creator=lambda: connect(url),
            isolation_level="AUTOCOMMIT",
            pool_size=_READERS + 1,
            max_overflow=0,
        )
        self._changing = self._engine.connect()
        direct(self._changing).execute(f"SET idle_in_transaction_session_timeout = {_STANDS_STILL_MILLISECONDS}")
        self.kept = SharedKept(self._count_changes)
        self._commits = Writer(CommitBatches(self._committing, self.place, self.sql), self._keep_head)
        self._changes = Writer(ChangeBatches(self._changing, self.place), self._keep_head)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._of_thread = threading.local()
        self._reads: list[Connection] = []
        self._is_closed = False

    @classmethod
    def open(cls, url: str, *, folder: Path, own_folder: Path | None = None) -> "PostgresDatabase":
        """Opens the database, migrated. Blocks. Raises StoreUnusable.

        `folder` holds the files that all servers share, `own_folder` (by default the same) this server's own.
        """
        place = failures.place_of(url)
        own_folder = own_folder or folder
        try:
            for needed in (folder, own_folder):
                needed.mkdir(parents=True, exist_ok=True, mode=0o700)
            with connect(url) as connection:
                schema.migrate(connection, place)
            return cls(url, folder=folder, own_folder=own_folder)
        except (psycopg.Error, sqlalchemy.exc.DBAPIError) as error:
            raise failures.translated(error, place) from error

    def commit(self, rows: CommitRows, fence: int) -> Awaitable[None]:
        """Writes a commit together with those that wait. Raises Conflict."""
        return self._commits.make_durable(CommitJob(rows, fence))

    async def _count_changes(self) -> int:
        return await self._commits.make_durable(ChangesJob())

    async def write(self, change: Callable[[Connection], Result]) -> Result:
        """Runs the change in a transaction that no other change of any server runs beside; returns when it is durable."""
        return await self._changes.write(change)

    async def read(
        self, look: Callable[[Connection], Result], *, is_one_statement: bool = False, is_small: bool = False
    ) -> Result:
        """Runs the function with a reading connection that sees one moment, in a thread."""
        del is_small  # the way to the server is long in any case
        see = partial(self._read, look, is_one_statement=is_one_statement)
        return await asyncio.get_running_loop().run_in_executor(self._readers, see)

    def close(self) -> None:
        """Finishes what was handed over and closes the connections. Blocks; closing twice is no error."""
        if self._is_closed:
            return
        self._is_closed = True
        self._commits.close()
        self._changes.close()
        self._readers.shutdown()
        self._head.close()
        self._committing.close()
        for connection in (self._changing, *self._reads):
            _drop(connection)
        self._engine.dispose()

    def _keep_head(self) -> float | None:
        with self._head_lock:
            return self._head.keep()

    def _read(self, look: Callable[[Connection], Result], *, is_one_statement: bool) -> Result:
        try:
            connection = self._reading()
            if is_one_statement:
                return look(connection)
            raw = direct(connection)
            raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                return look(connection)
            finally:
                raw.execute("ROLLBACK")
        except (psycopg.Error, sqlalchemy.exc.DBAPIError) as error:
            raise failures.translated(error, self.place) from error

    def _reading(self) -> Connection:
        """This thread's own: taking one from the pool costs more than a read."""
        found: Connection | None = getattr(self._of_thread, "connection", None)
        if found is None:
            found = self._of_thread.connection = self._engine.connect()
            self._reads.append(found)
        return found


class PostgresChain:
    """The audit chain, seen by a connection of its own: it must see only what is committed."""

    def __init__(self, connection: Raw) -> None:
        """Takes the connection over."""
        self._connection = connection
        self._direct = PostgresDirect(connection)

    def hash_of(self, number: int) -> str | None:
        """None: there is no such record."""
        row = self._direct.execute("SELECT hash FROM audit WHERE number = %s", (number,)).fetchone()
        return None if row is None else str(row[0])

    def newest(self) -> Head | None:
        """None: there is no record."""
        row = self._direct.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
        return None if row is None else Head(number=row[0], hash=row[1])

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def _drop(connection: Connection) -> None:
    """Closes it without the `ROLLBACK` that a pool sends first, which fails where the connection is lost."""
    connection.invalidate()
    connection.close()


def connect(url: str, *, is_writer: bool = False) -> Raw:
    """A connection in autocommit mode, with every commit synced to the disk.

    A writer's is ended by PostgreSQL when a transaction on it stands still: a process that is stopped in the midst of a
    commit must not keep its locks from those who take over.
    """
    own = {name: value for name, value in _NOTICES_A_DEAD_NETWORK.items() if name not in conninfo_to_dict(url)}
    connection = psycopg.connect(
        make_conninfo(url, **own),
        autocommit=True,
        connect_timeout=_CONNECT_SECONDS,
        application_name="gennaker",
        client_encoding="utf8",
    )
    # Compiling a plan takes 50 ms; no statement here is worth it, but one that may not walk a table looks as if it were.
    connection.execute("SET synchronous_commit = on; SET jit = off")
    if is_writer:
        connection.execute(f"SET idle_in_transaction_session_timeout = {_STANDS_STILL_MILLISECONDS}".encode())
    return connection


def is_postgres(url: str) -> bool:
    """Whether a `store.url` names a PostgreSQL database; raises nothing."""
    return url.startswith(("postgresql://", "postgres://"))
