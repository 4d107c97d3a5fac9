"""Transactions: what the ports over a database need of it, whichever database it is.

A change or look is a function over a SQLAlchemy connection. Where Core is too slow (statements.py says how slow) it goes to
the driver by `direct`: plain text with positional parameters, written in the database's own dialect.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from gennaker.store.kept import KeptAnswers
from gennaker.store.statements import Statements

Result = TypeVar("Result")
Insert = sqlite.Insert | postgresql.Insert


class Transactions(Protocol):
    """A database that is open."""

    @property
    def kept(self) -> KeptAnswers:
        """Answers from the tables that seldom change: definitions, and documents of the namespaces in SELDOM_CHANGED."""
        ...

    @property
    def reads_here(self) -> bool:
        """Whether what is small is read on the loop."""
        ...

    @property
    def folder(self) -> Path:
        """Where the files lie that belong to its rows."""
        ...

    @property
    def own_folder(self) -> Path:
        """What only this server reads and writes: the audit chain's head."""
        ...

    @property
    def sql(self) -> Statements:
        """Statements in the database's dialect."""
        ...

    async def write(self, change: Callable[[Connection], Result]) -> Result:
        """Runs the change in a transaction that no other change runs beside, and returns when it is durable."""
        ...

    async def read(
        self, look: Callable[[Connection], Result], *, is_one_statement: bool = False, is_small: bool = False
    ) -> Result:
        """Runs the function with a reading connection that sees one moment, in a thread.

        One statement sees one moment by itself: two ways to the server fewer. What `is_small` by nature (a few rows that an
        index finds, and little to be made of them) may be run on the loop, and once more in a thread if it wasn't.
        """
        ...


class Answer(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """Rows that it changed."""
        ...

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...


class Direct(Protocol):
    """A connection of the driver's."""

    def execute(self, sql: str, parameters: Sequence[object] = ..., /) -> Answer:
        """Runs one statement."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> object:
        """Runs one statement for each row."""
        ...


def direct(connection: Connection) -> Direct:
    """The driver's own connection, in the transaction that runs."""
    found = connection.connection.driver_connection
    if isinstance(found, sqlite3.Connection):
        return found
    assert isinstance(found, psycopg.Connection)
    return PostgresDirect(found)


def inserting(connection: Connection, table: Table) -> Insert:
    """An INSERT that may go on with `on_conflict_…`, which each dialect of SQLAlchemy has in a class of its own."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


class PostgresDirect:
    """psycopg's connection with the two methods that sqlite3's has."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Of this connection."""
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Answer:
        """Runs one statement."""
        # As text a large value would come in twice its size.
        return self._connection.execute(sql.encode(), parameters or None, binary=True)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> None:
        """Runs one statement for each row."""
        with self._connection.cursor() as cursor:
            cursor.executemany(sql.encode(), rows)
