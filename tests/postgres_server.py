"""A PostgreSQL server of the tests' own: Debian's programs, data in a temporary folder, a free loopback port, fsync on.

PostgreSQL refuses to run as root; then it runs as Debian's user `postgres`.
"""

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

_PROGRAMS = Path("/usr/lib/postgresql")
_USER = "postgres"
_READY_SECONDS = 30
_ORDER = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
_numbers = itertools.count(1)


class PostgresServer:
    """A server that runs."""

    def __init__(self, port: int) -> None:
        self.port = port

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


@contextmanager
def running() -> Iterator[PostgresServer]:
    """Starts a server and stops it again."""
    programs = max(_PROGRAMS.glob("*/bin"), key=lambda path: int(path.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="gennaker-postgres-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, _USER, _USER)
        as_user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--"]
    data, port = folder / "data", _free_port()
    initdb = [programs / "initdb", "-D", data, "-U", "gennaker", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run([*as_user, *initdb], check=True, capture_output=True, cwd=folder)
    options = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", "fsync": "on"}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*as_user, programs / "postgres", "-D", data, *settings], stdout=log, stderr=log, cwd=folder
        )
    try:
        _wait(port, server, folder / "log")
        yield PostgresServer(port)
    finally:
        server.terminate()
        server.wait(_READY_SECONDS)
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


def _wait(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while True:
        try:
            psycopg.connect(f"postgresql://gennaker@127.0.0.1:{port}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)  # noqa: TID251 - a server of another's starts; it tells nobody when it is ready
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
