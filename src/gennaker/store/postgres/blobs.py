"""Writing large values to PostgreSQL, each in a transaction of its own, before the commits that refer to them.

A value that no row refers to does no harm, and goes when the store is swept. A value of megabytes goes piece by piece: as a
parameter of a statement it would be held in memory once more, in a buffer of libpq's that never gets smaller again.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

import psycopg
from psycopg import errors

from gennaker.store.postgres import statements as sql
from gennaker.store.rows import HUGE_BYTES

_PIECE_BYTES: Final = 256_000
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER: Final = struct.pack(">h", -1)


def write(connection: psycopg.Connection[tuple[Any, ...]], rows: Iterable[tuple[str, bytes]]) -> None:
    """Digests and contents; those that the store has are left alone. Durable when it returns. Raises psycopg.Error."""
    for digest, content in dict(rows).items():
        if len(content) <= HUGE_BYTES:
            connection.execute(sql.INSERT_BLOB, (digest, content))
        elif connection.execute(sql.HAS_BLOB, (digest,)).fetchone() is None:
            _copy(connection, digest, content)


def _copy(connection: psycopg.Connection[tuple[Any, ...]], digest: str, content: bytes) -> None:
    try:
        with connection.cursor() as cursor, cursor.copy(sql.COPY_BLOB) as copy:
            for piece in _pieces(digest.encode(), content):
                copy.write(piece)
    except errors.UniqueViolation:
        return  # another server has just written the same


def _pieces(digest: bytes, content: bytes) -> Iterator[bytes | memoryview]:
    """PostgreSQL's binary format: a row of two fields, each with its length before it."""
    yield _HEADER + struct.pack(">hi", 2, len(digest)) + digest + struct.pack(">i", len(content))
    with memoryview(content) as whole:
        for start in range(0, len(content), _PIECE_BYTES):
            yield whole[start : start + _PIECE_BYTES]
    yield _TRAILER
