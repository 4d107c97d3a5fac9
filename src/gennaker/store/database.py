"""The database: one SQLite file in the data folder, opened once by one process.

One connection writes (writer.py); a few others read, each read in a transaction of its own and so from one moment: in
threads, or on the loop what is small (here.py).
`synchronous=FULL` in WAL mode: what a finished `write` has changed survives a power cut. That only one process opens the
folder is the business of whoever opens it (the folder's lock). The file is checked and brought to the newest schema
before anything else; whatever is wrong with it is one `StoreUnusable` and leaves the file as it is.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Engine

from gennaker.store import failures, migrations, statements
from gennaker.store.audit_head import HeadKeeper, SqliteChain
from gennaker.store.batches import STATEMENTS_KEPT, SqliteBatches, driver
from gennaker.store.commits import CommitJob
from gennaker.store.here import Here, NotHere
from gennaker.store.kept import Kept
from gennaker.store.rows import CommitRows
from gennaker.store.statements import SQLITE
from gennaker.store.writer import AfterCommit, Batches, Job, Writer
from gennaker.transport.permissions import open_private

NAME = "gennaker.db"
_READERS = 2
"""The machine's usual number of cores; a third reader would wait for Python's lock anyway."""
_BUSY_MILLISECONDS = 5000
"""How long to wait for another program's lock on the file: a shell or a backup tool, never another Gennaker."""

Result = TypeVar("Result")


class Writing(Protocol):
    """What writer.py's class does with its thread."""

    async def write(self, change: Callable[[Connection], Result]) -> Result:
        """Returns when the change is durable."""
        ...

    def make_durable(self, job: Job[Result]) -> Awaitable[Result]:
        """As `write`, for a job that the batches know."""
        ...

    def close(self) -> None:
        """Finishes what was handed over."""
        ...


MakeWriter = Callable[[Batches, AfterCommit], Writing]


class Database:
    """The open database of a data folder."""

    reads_here: Final = True

    def __init__(self, folder: Path, engine: Engine, head: HeadKeeper, make_writer: MakeWriter) -> None:
        """Use `open`."""
        self.folder = folder
        self.own_folder = folder
        self.sql = statements.compiled(SQLITE)
        self._engine = engine
        self._head = head
        self._writing = engine.connect()
        self._writer = make_writer(SqliteBatches(self._writing, folder / NAME, self.sql), head.keep)
        self._here = Here(engine.connect())
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self.kept = Kept()
        self._is_closed = False

    @classmethod
    def open(cls, folder: Path, make_writer: MakeWriter = Writer) -> "Database":
        """Opens or creates the database, checked and migrated. Blocks. Raises StoreUnusable."""
        path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite gives the files beside it the same permissions.
            open(path, "ab", opener=open_private).close()
            checked = sqlite3.connect(path, isolation_level=None)
            try:
                _prepare(checked, path)
                migrations.migrate(checked, path)
                head = HeadKeeper(folder, SqliteChain(path))
            finally:
                checked.close()
            return cls(folder, _engine(path), head, make_writer)
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError, OSError) as error:
            raise failures.translated(error, path) from error

    def commit(self, rows: CommitRows) -> Awaitable[None]:
        """Writes a commit together with those that wait. Raises Conflict."""
        return self._writer.make_durable(CommitJob(rows))

    async def write(self, change: Callable[[Connection], Result]) -> Result:
        """Runs the change in the writer's transaction and returns when it is durable (writer.py says the rules)."""
        return await self._writer.write(change)

    async def read(
        self, look: Callable[[Connection], Result], *, is_one_statement: bool = False, is_small: bool = False
    ) -> Result:
        """Runs the function with a reading connection that sees one moment, in a thread unless it `is_small`."""
        if is_small:
            try:
                return self._here.read(look, is_one_statement=is_one_statement)
            except NotHere:
                pass
        see = partial(self._read, look, is_one_statement=is_one_statement)
        return await asyncio.get_running_loop().run_in_executor(self._readers, see)

    def close(self) -> None:
        """Finishes what was handed over and closes the file. Blocks; closing twice is no error."""
        if self._is_closed:
            return
        self._is_closed = True
        self._writer.close()
        self._readers.shutdown()
        self._here.close()
        self._head.close()
        self._writing.close()
        self._engine.dispose()

    def _read(self, look: Callable[[Connection], Result], *, is_one_statement: bool) -> Result:
        try:
            with self._engine.connect() as connection:
                raw = driver(connection)
                raw.execute("PRAGMA query_only = 1")
                if is_one_statement:
                    return look(connection)
                raw.execute("BEGIN")
                try:
                    return look(connection)
                finally:
                    raw.execute("ROLLBACK")
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            raise failures.translated(error, self.folder / NAME) from error


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    # The check first: nothing may be written to a file that is damaged or somebody else's.
    findings = [finding for (finding,) in connection.execute("PRAGMA quick_check(3)")]
    if findings != ["ok"]:
        raise failures.corrupt(path, "; ".join(findings))
    # Fails at once where the folder or the file can't be written, or the disk is full.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")


def _engine(path: Path) -> Engine:
    # The first connection is the writer's, the second the loop's; these never go back to the pool.
    engine = sqlalchemy.create_engine(
        f"sqlite:///{path}",
        connect_args={"cached_statements": STATEMENTS_KEPT},
        isolation_level="AUTOCOMMIT",
        pool_size=_READERS + 2,
        max_overflow=0,
    )
    sqlalchemy.event.listen(engine, "connect", _configure)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = 1")
    connection.execute("PRAGMA journal_size_limit = 67108864")
