"""Opening the store that the settings name: SQLite in the data folder, or PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from gennaker.interfaces.journal import Journal
from gennaker.interfaces.servers import Servers
from gennaker.interfaces.shells import ShellStore
from gennaker.model.problems import Problem, Refused
from gennaker.settings import StoreSettings
from gennaker.store import audit, sweeping
from gennaker.store.audit import Verdict
from gennaker.store.audit_heads import Exported
from gennaker.store.database import NAME, Database
from gennaker.store.journal import SqliteJournal
from gennaker.store.postgres import sweeping as postgres_sweeping
from gennaker.store.postgres.audit import verify as verify_postgres
from gennaker.store.postgres.database import PostgresDatabase, is_postgres
from gennaker.store.postgres.journal import PostgresJournal
from gennaker.store.postgres.servers import NO_FENCE, PostgresServers, Terms
from gennaker.store.postgres.shell import PostgresShellStore
from gennaker.store.transactions import Transactions


class OpenStore(msgspec.Struct, frozen=True, kw_only=True):
    """A store in use."""

    database: Transactions
    journal: Journal
    servers: Servers | None
    """None: no other server can open it."""
    shell: ShellStore | None = None
    """For the shell that it was opened for."""
    close: Callable[[], None]
    """Gives everything back. Blocks."""


def open_store(settings: StoreSettings, data: Path, *, engine_version: str, server: str, shell: str = "") -> OpenStore:
    """Opens it, checked and migrated; `server` names this one, `shell` that to which its executions belong: empty, the server.

    Blocks. Raises StoreUnusable and Refused.
    """
    check(settings)
    folder = shared_folder(settings, data)
    if not settings.url:
        database = Database.open(data)
        if server:
            sweeping.sweep(data / NAME)
        return OpenStore(
            database=database,
            journal=SqliteJournal(database, engine_version=engine_version),
            servers=None,
            close=database.close,
        )
    shared = PostgresDatabase.open(settings.url, folder=folder, own_folder=data)
    postgres_sweeping.sweep(settings.url)
    terms = Terms(name=server, lease_seconds=settings.lease_seconds, poll_seconds=settings.poll_seconds, shell=shell)
    servers = PostgresServers(shared, terms)
    servers.start()
    of_shell = PostgresShellStore(shared, fence=servers.owner) if shell else None

    def close() -> None:
        if of_shell is not None:
            of_shell.close()
        servers.close()
        shared.close()

    return OpenStore(
        database=shared,
        journal=PostgresJournal(shared, engine_version=engine_version, fence=servers.owner),
        servers=servers,
        shell=of_shell,
        close=close,
    )


def open_to_look(settings: StoreSettings, data: Path) -> OpenStore:
    """Opens it for somebody who writes nothing, and is no server. Blocks. Raises StoreUnusable and Refused."""
    check(settings)
    if not settings.url:
        return open_store(settings, data, engine_version="", server="")
    shared = PostgresDatabase.open(settings.url, folder=shared_folder(settings, data), own_folder=data)
    journal = PostgresJournal(shared, engine_version="", fence=NO_FENCE)
    return OpenStore(database=shared, journal=journal, servers=None, close=shared.close)


def shared_folder(settings: StoreSettings, data: Path) -> Path:
    """Where what stays files lies."""
    return Path(settings.folder).expanduser().absolute() if settings.url and settings.folder else data


def verify_audit(settings: StoreSettings, data: Path, exported: Exported | None = None) -> Verdict:
    """Walks the chain of audit records against the head in this data folder and those outside, whether servers run or not."""
    check(settings)
    return verify_postgres(settings.url, data, exported) if settings.url else audit.verify(data, exported)


def check(settings: StoreSettings) -> None:
    """Raises Refused with all that is wrong."""
    problems = []
    if settings.url and not is_postgres(settings.url):
        problems.append(
            Problem(
                code="store.url",
                message="store.url names no PostgreSQL database.",
                remedy="Write it like postgresql://user@host:5432/database, or leave it empty for SQLite.",
            )
        )
    if settings.folder and not settings.url:
        problems.append(
            Problem(
                code="store.folder",
                message="store.folder is set, but with SQLite everything lies in the data folder.",
                remedy="Leave it empty, or set store.url.",
            )
        )
    if problems:
        raise Refused(*problems)
