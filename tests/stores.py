"""Stores that conformance suites run on: SQLite and PostgreSQL, each fresh and empty."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gennaker.interfaces.journal import Journal
from gennaker.store.database import Database
from gennaker.store.journal import SqliteJournal
from gennaker.store.postgres.database import PostgresDatabase
from gennaker.store.postgres.journal import PostgresJournal

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.debian)]
"""Kinds of databases, as a fixture's parameters."""
AnyDatabase = Database | PostgresDatabase
FENCE = 1


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
        database.close()


def journal_of(database: AnyDatabase) -> Journal:
    """Its journal."""
    if isinstance(database, PostgresDatabase):
        return PostgresJournal(database, engine_version="1", fence=FENCE)
    return SqliteJournal(database, engine_version="1")
