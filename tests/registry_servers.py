"""Registries for tests: Gennaker's own on a free port, in a thread, over a fresh data folder; and Debian's docker-registry."""

import contextlib
import itertools
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import uvicorn
from tests import waiting
from tests.free_ports import free_port

from gennaker.access.refusals import Refusals
from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.registry import TagListener
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.database import Database
from gennaker.store.images import DatabaseImageStore
from gennaker.store.postgres.database import PostgresDatabase
from gennaker.store.tag_policy import TagPolicy
from gennaker.store.transactions import Transactions
from gennaker.web import registry as web_registry

AT = datetime(2026, 11, 24, tzinfo=UTC)
_ENDS_SECONDS = 10


class CountingClock:
    """A clock that goes on by a second at each look."""

    def __init__(self) -> None:
        self._seconds = itertools.count()

    def now(self) -> datetime:
        return AT + timedelta(seconds=next(self._seconds))

    async def sleep_until(self, at: datetime) -> None:
        raise AssertionError("an image store doesn't wait")


class CountingIds:
    """Names that are counted, behind a prefix of the process's own life."""

    def __init__(self, life: int = 1) -> None:
        self._life = life
        self._numbers = itertools.count(1)

    def ulid(self) -> str:
        return f"{self._life}{next(self._numbers):025d}"

    def uuid(self) -> str:
        return f"{self._life:08d}-0000-0000-0000-{next(self._numbers):012d}"

    def token(self) -> str:
        return self.uuid()


@contextlib.contextmanager
def database_of(folder: Path, url: str = "") -> Iterator[Transactions]:
    """The database of a data folder. `url`: of PostgreSQL."""
    database = PostgresDatabase.open(url, folder=folder) if url else Database.open(folder)
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def image_store(
    folder: Path, *, listener: TagListener | None = None, life: int = 1, limit_bytes: int = 1 << 40, url: str = ""
) -> Iterator[DatabaseImageStore]:
    """An image store in a data folder; another `life` is another process on the same folder. `url`: of PostgreSQL."""
    with database_of(folder, url) as database:
        yield images_of(database, listener=listener, life=life, limit_bytes=limit_bytes)


def images_of(
    database: Transactions, *, listener: TagListener | None = None, life: int = 1, limit_bytes: int = 1 << 40
) -> DatabaseImageStore:
    """An image store over a database that is open."""
    return DatabaseImageStore(
        database,
        clock=CountingClock(),
        ids=CountingIds(life),
        policy=TagPolicy.all_but(("latest", "main", "feature-*")),
        listener=listener,
        limit_bytes=limit_bytes,
    )


@contextlib.contextmanager
def served(store: DatabaseImageStore, audit: AuditTrail) -> Iterator[str]:
    """Serves a store; gives `127.0.0.1:port`."""
    listening = socket.create_server(("127.0.0.1", 0))
    clock = CountingClock()
    application = web_registry.create(store, refusals=Refusals(audit, clock), clock=clock)
    # Not for ever for a client that has gone without a word.
    config = uvicorn.Config(
        application, lifespan="off", ws="none", log_level="warning", timeout_graceful_shutdown=_ENDS_SECONDS
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        waiting.joined(thread)
        listening.close()


@contextlib.contextmanager
def own_registry(folder: Path, url: str = "", *, life: int = 1) -> Iterator[str]:
    """Gennaker's registry over a data folder, its rows in SQLite or in PostgreSQL; `life` as in `image_store`."""
    with (
        database_of(folder, url) as database,
        served(images_of(database, life=life), DatabaseAuditTrail(database)) as host,
    ):
        yield host


@contextlib.contextmanager
def debian_registry(folder: Path) -> Iterator[str]:
    """Debian's docker-registry, against which the suite itself is checked."""
    port = free_port()
    configuration = folder / "registry.yml"
    configuration.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {folder}/storage}}\n"
        f"  delete: {{enabled: true}}\nhttp:\n  addr: 127.0.0.1:{port}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        waiting.until_seen(partial(_listens, process, port), f"a registry at port {port}", pause_seconds=0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=300)


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    assert process.poll() is None, "the registry ended at once"
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except OSError:
        return False
    return True
