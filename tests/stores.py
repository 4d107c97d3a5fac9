"""Stores that conformance suites run on: SQLite and PostgreSQL, each fresh and empty."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest

from gennaker.interfaces.journal import Journal
from gennaker.store.database import Database
from gennaker.store.journal import SqliteJournal
from gennaker.store.postgres.database import PostgresDatabase
from gennaker.store.postgres.journal import PostgresJournal
from gennaker.store.postgres.servers import PostgresServers, Terms

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.debian)]
"""Kinds of databases, as a fixture's parameters."""
AnyDatabase = Database | PostgresDatabase
TERMS = Terms(name="test", lease_seconds=60, poll_seconds=1)
_servers: "WeakKeyDictionary[PostgresDatabase, PostgresServers]" = WeakKeyDictionary()


@contextmanager
def opened(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[AnyDatabase]:
    """An empty database of this kind; its files lie in the folder."""
    database: AnyDatabase
    if kind == "postgres":
        database = PostgresDatabase.open(request.getfixturevalue("postgres_url"), folder=folder)
    else:
        database = Database.open(folder)
    try:
        yield database
    finally:
        if isinstance(database, PostgresDatabase) and database in _servers:
            _servers.pop(database).close()
        database.close()


def journal_of(database: AnyDatabase) -> Journal:
    """Its journal."""
    if isinstance(database, PostgresDatabase):
        return PostgresJournal(database, engine_version="1", fence=servers_of(database).fence)
    return SqliteJournal(database, engine_version="1")


def servers_of(database: PostgresDatabase) -> PostgresServers:
    """This process among the servers of the database; one for each database."""
    if database not in _servers:
        _servers[database] = PostgresServers(database, TERMS)
    return _servers[database]
