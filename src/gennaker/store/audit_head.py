"""The audit chain's head, kept in a file of its own beside the database.

`audit-head.json` holds the number and the hash of the newest audit record, written atomically after commits, at most
once a second, and when the store is closed. What it is good for: whoever changes the database alone (cuts records off
its end, puts an old copy back, writes the chain anew) is found out by `audit.verify`. What it isn't: whoever may write
the whole data folder can write this file as well, and records of the last second before a crash may be newer than
it. Only heads that are signed and kept elsewhere defend against the former.
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Protocol

import msgspec
import psycopg
import structlog

from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.problems import Problem
from gennaker.transport.permissions import open_private

log = structlog.get_logger()

NAME = "audit-head.json"
NO_HASH = "0" * 64
"""What comes before the first record."""
_SECONDS = 1.0


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The newest record of a chain."""

    number: int
    hash: str


def read(folder: Path) -> Head | None:
    """The head in the file; None: there is no file. Raises `msgspec.MsgspecError` if it can't be understood."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Head)
    except FileNotFoundError:
        return None


class Chain(Protocol):
    """What is committed of the chain."""

    def hash_of(self, number: int) -> str | None:
        """None: there is no such record."""
        ...

    def newest(self) -> Head | None:
        """None: there is no record."""
        ...

    def close(self) -> None:
        """Lets go of the database."""
        ...


class SqliteChain:
    """The chain in a SQLite file, seen by a connection of its own: it must see only what is committed."""

    def __init__(self, database: Path) -> None:
        """Opens the file. Used by one thread at a time."""
        self._connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)

    def hash_of(self, number: int) -> str | None:
        """None: there is no such record."""
        row = self._connection.execute("SELECT hash FROM audit WHERE number = ?", (number,)).fetchone()
        return None if row is None else str(row[0])

    def newest(self) -> Head | None:
        """None: there is no record."""
        row = self._connection.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
        return None if row is None else Head(number=row[0], hash=row[1])

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


class HeadKeeper:
    """Keeps the file up to date; used by one thread at a time."""

    def __init__(self, folder: Path, chain: Chain, *, may_join: bool = False) -> None:
        """Reads the file; where the chain contradicts it, it is never written again: it is the evidence.

        `may_join`: this may be a new server's folder, whose chain others have begun. Raises StoreUnusable if the file
        knows records and the database has none at all: it was lost or emptied, and a server must not begin anew over it.
        """
        self._may_join = may_join
        self._folder = folder
        self._chain = chain
        self._next = 0.0
        self._kept: Head | None = None
        self._is_contradicted = False
        self._begin()

    def keep(self) -> float | None:
        """Writes the file if it is time and there is something new; returns in how many seconds to call again."""
        if self._is_contradicted:
            return None
        now = time.monotonic()
        if now < self._next:
            return self._next - now
        if self._write():
            self._next = now + _SECONDS
        return None

    def close(self) -> None:
        """Writes the file a last time."""
        if not self._is_contradicted:
            self._write()
        self._chain.close()

    def _begin(self) -> None:
        """An empty chain has a head as well: from the first record on, a missing file says something."""
        self._compare()
        if self._kept is not None and self._kept.number > 0 and self._chain.newest() is None:
            self._chain.close()
            raise StoreUnusable(_emptied(self._folder / NAME, self._kept.number))
        if self._kept is None and not self._is_contradicted:
            self._kept = self._chain.newest() or Head(number=0, hash=NO_HASH)
            _replace(self._folder / NAME, msgspec.json.encode(self._kept))

    def _compare(self) -> None:
        try:
            self._kept = read(self._folder)
        except msgspec.MsgspecError:
            self._is_contradicted = True
        if self._kept is not None and self._kept.number > 0:
            self._is_contradicted = self._chain.hash_of(self._kept.number) != self._kept.hash
        elif self._kept is None and not self._may_join and self._chain.newest() is not None:
            self._is_contradicted = True
        if self._is_contradicted:
            log.error("audit.contradicted", file=str(self._folder / NAME), remedy="gennaker audit verify")

    def _write(self) -> bool:
        """Whether there was something new."""
        try:
            head = self._chain.newest()
            if head is None or head == self._kept:
                return False
            _replace(self._folder / NAME, msgspec.json.encode(head))
        except (OSError, sqlite3.Error, psycopg.Error):
            # The records are durable; only their head is late. It is tried again with the next one.
            log.exception("audit.head_not_written")
            return True
        self._kept = head
        return True


def _emptied(file: Path, number: int) -> Problem:
    return Problem(
        code="store.emptied",
        message=f"{file} knows {number} audit records, but the database has none: it was lost or emptied.",
        remedy=f"Put the database back from a backup; or, to begin anew without what was in it, move {file.name} away.",
    )


def _replace(file: Path, content: bytes) -> None:
    fresh = file.with_name(f".{file.name}.new")
    with open(fresh, "wb", opener=open_private) as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
