"""Sweeping: large values that only executions had which were deleted.

Values may be shared by any number of rows, and whoever has seen one remembers that it is stored and writes only its digest
(values.py). So none can be removed while commits are made: another execution's may be under way that counts on it. A
server that starts has made none yet, and with SQLite it is alone (postgres/sweeping.py: the same with PostgreSQL). It looks only
if something with large values was deleted since.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from gennaker.store import failures, tables, values
from gennaker.store.transactions import inserting

REFERENCES: Final = tuple(
    f"SELECT blobs FROM {table} WHERE blobs IS NOT NULL"  # noqa: S608 - names of ours
    for table in ("executions", "outlines", "stages", "events", "outbox")
)
"""Statements that give all references there are."""
AT_MOST: Final = 10_000
"""Values that are removed at one start: it must not take minutes."""
MARK: Final = ("store.sweeping", "deleted")
"""Namespace and key of the document that says that there may be some."""


def mark(connection: Connection) -> None:
    """An execution with large values is being deleted, in this transaction."""
    row = {"namespace": MARK[0], "key": MARK[1], "version": 1, "body": "{}"}
    connection.execute(inserting(connection, tables.documents).values(row).on_conflict_do_nothing())


def sweep(path: Path, *, at_most: int = AT_MOST) -> int:
    """Removes values to which no row refers any more; returns how many. Nobody else may have the file open to write.

    Blocks. Raises StoreUnusable.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            return _swept(connection, at_most)
    except sqlite3.Error as error:
        raise failures.translated(error, path) from error


def _swept(connection: sqlite3.Connection, at_most: int) -> int:
    marked = connection.execute("SELECT 1 FROM documents WHERE namespace = ? AND key = ?", MARK).fetchone()
    if marked is None:
        return 0
    connection.execute("BEGIN IMMEDIATE")
    used: set[str] = set()
    for statement in REFERENCES:
        for (column,) in connection.execute(statement):
            used.update(reference.digest for reference in values.references(column))
    unused = [(digest,) for (digest,) in connection.execute("SELECT digest FROM blobs") if digest not in used]
    connection.executemany("DELETE FROM blobs WHERE digest = ?", unused[:at_most])
    if len(unused) <= at_most:
        connection.execute("DELETE FROM documents WHERE namespace = ? AND key = ?", MARK)
    connection.execute("COMMIT")
    return min(len(unused), at_most)
