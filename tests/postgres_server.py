"""A PostgreSQL server of the tests' own: Debian's programs, data in a temporary folder, a free loopback port, fsync on.

PostgreSQL refuses to run as root; then it runs as Debian's user `postgres`. To make, migrate and drop a database takes half a
second; so the tests of a process share one, whose rows are deleted after each. Whoever needs it empty, tables too, asks for
`new_postgres_url`.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.free_ports import free_port

_PROGRAMS = Path("/usr/lib/postgresql")
_USER = "postgres"
_READY_SECONDS = 900
_MADE_SECONDS = 900
_ORDER = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
_numbers = itertools.count(1)
_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_COLUMNS = """
    SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace AND attnum > 0 ORDER BY relname, attnum
"""
"""Of tables, indexes and sequences."""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migrations'"
_START_SEQUENCES = """
    SELECT setval(oid::regclass, 1, false) FROM pg_class
    WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
"""


class PostgresServer:
    """A server with a cluster of its own."""

    def __init__(self, folder: Path) -> None:
        """Makes the cluster; `start` starts it."""
        programs = max(_PROGRAMS.glob("*/bin"), key=lambda path: int(path.parent.name))
        self.port = free_port()
        self._folder = folder
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(folder, _USER, _USER)
            self._as_user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--"]
        self._program = str(programs / "postgres")
        initdb = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "gennaker", "-A", "trust", "-E", "UTF8"]
        command = [*self._as_user, *initdb, "--locale=C.UTF-8"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=_MADE_SECONDS)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            command = [*self._as_user, self._program, "-D", str(self._folder / "data"), *settings]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        until = time.monotonic() + _READY_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=60).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < until, (self._folder / "log").read_text()
                time.sleep(0.05)  # noqa: TID251 - a server of another's starts; it tells nobody when it is ready
            else:
                return

    def stop(self) -> None:
        """Ends it in an orderly way."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Ends it at once: nothing is written any more, as in a power cut but for the disk's own cache."""
        self._end(signal.SIGQUIT)

    def url(self, database: str) -> str:
        return f"postgresql://gennaker@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new, empty database."""
        name = f"t{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            # Another order of letters than code points: nothing may depend on it.
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 {_ORDER}".encode())
        try:
            yield self.url(name)
        finally:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(_READY_SECONDS)
            self._process = None


@contextmanager
def running() -> Iterator[PostgresServer]:
    """Starts a server and stops it again."""
    folder = Path(tempfile.mkdtemp(prefix="gennaker-postgres-"))
    server = PostgresServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of a process."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: PostgresServer) -> Iterator["SharedDatabase"]:
    """The database that tests of a process use one after the other."""
    with ExitStack() as stack:
        yield SharedDatabase(postgres_server, stack)


@pytest.fixture
def postgres_url(shared_postgres: "SharedDatabase") -> Iterator[str]:
    """A migrated database without rows."""
    with shared_postgres.without_rows() as url:
        yield url


@pytest.fixture
def new_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A new database, without tables."""
    with postgres_server.database() as url:
        yield url


class SharedDatabase:
    """A migrated database that is emptied after each use, and replaced where a use has changed more than rows."""

    def __init__(self, server: PostgresServer, stack: ExitStack) -> None:
        """Makes none yet; the stack drops those that were made."""
        self._server = server
        self._stack = stack
        self._url = ""
        self._columns: list[tuple[Any, ...]] = []

    @contextmanager
    def without_rows(self) -> Iterator[str]:
        """Its address, for one use."""
        self._url = self._url or self._made()
        try:
            yield self._url
        finally:
            if not self._emptied():
                self._url = ""

    def _made(self) -> str:
        # Here: each small run under our conftest (tests/setup/test_runs.py) would pay for it.
        from gennaker.store.postgres.schema import migrate  # noqa: PLC0415 - see above

        url = self._stack.enter_context(self._server.database())
        with psycopg.connect(url) as connection:
            migrate(connection, "the tests' database")
            self._columns = connection.execute(_COLUMNS).fetchall()
        return url

    def _emptied(self) -> bool:
        """Deletes all rows. False: it is no longer the database that was made."""
        with psycopg.connect(self._url) as connection:
            connection.execute(_END_OTHERS)
            if connection.execute(_COLUMNS).fetchall() != self._columns:
                return False
            for (table,) in connection.execute(_TABLES).fetchall():
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            connection.execute(_START_SEQUENCES)
        return True
