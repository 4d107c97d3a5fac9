"""A PostgreSQL server of the tests' own: Debian's programs, data in a temporary folder, a free loopback port, fsync on.

PostgreSQL refuses to run as root; then it runs as Debian's user `postgres`.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.free_ports import free_port

_PROGRAMS = Path("/usr/lib/postgresql")
_USER = "postgres"
_READY_SECONDS = 30
_ORDER = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
_numbers = itertools.count(1)


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
        self._program = programs / "postgres"
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "gennaker", "-A", "trust", "-E", "UTF8"]
        command = [*self._as_user, *initdb, "--locale=C.UTF-8"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
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
            command = [*self._as_user, self._program, "-D", self._folder / "data", *settings]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        until = time.monotonic() + _READY_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
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


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A new database."""
    with postgres_server.database() as url:
        yield url
