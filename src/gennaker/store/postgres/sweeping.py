"""Sweeping of large values that only deleted executions had, as in store/sweeping.py, by a server that starts while no other runs.

Each commit locks its server's row of `servers`. While that table is locked and empty nobody commits, and whoever was there before
can't any more. Where others run, or one that was killed hasn't been ended yet, the values stay until a later start.
"""

import psycopg
from psycopg import errors

from gennaker.store import sweeping, values
from gennaker.store.postgres import failures
from gennaker.store.postgres.database import Raw, connect

_WAITS_MILLISECONDS = 1000
"""For one that is just coming or going: reason enough to leave it."""


def sweep(url: str) -> int:
    """Removes values to which no row refers any more; returns how many. Blocks. Raises StoreUnusable."""
    try:
        with connect(url, is_writer=True) as connection, connection.transaction():
            return _swept(connection)
    except errors.LockNotAvailable:
        return 0
    except psycopg.Error as error:
        raise failures.translated(error, failures.place_of(url)) from error


def _swept(connection: Raw) -> int:
    marked = "SELECT 1 FROM documents WHERE namespace = %s AND key = %s"
    if connection.execute(marked, sweeping.MARK).fetchone() is None or _are_there_others(connection):
        return 0  # asking for the lock would hold their commits up
    connection.execute(f"SET LOCAL lock_timeout = {_WAITS_MILLISECONDS}".encode())
    connection.execute("LOCK TABLE servers IN EXCLUSIVE MODE")
    if _are_there_others(connection):
        return 0
    used: set[str] = set()
    for statement in sweeping.REFERENCES:
        for (column,) in connection.execute(statement.encode()):
            used.update(reference.digest for reference in values.references(column))
    found = connection.execute("SELECT digest FROM blobs").fetchall()
    unused = [digest for (digest,) in found if digest not in used]
    removed = unused[: sweeping.AT_MOST]
    connection.execute("DELETE FROM blobs WHERE digest = ANY(%s)", (removed,))
    if removed == unused:
        connection.execute("DELETE FROM documents WHERE namespace = %s AND key = %s", sweeping.MARK)
    return len(removed)


def _are_there_others(connection: Raw) -> bool:
    return connection.execute("SELECT 1 FROM servers LIMIT 1").fetchone() is not None
