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
from contextlib import closing
from pathlib import Path

import msgspec
import structlog

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


class HeadKeeper:
    """Keeps the file up to date; used by one thread at a time."""

    def __init__(self, folder: Path, database: Path) -> None:
        """Reads the file; where the database contradicts it, it is never written again: it is the evidence."""
        self._folder = folder
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._next = 0.0
        self._kept: Head | None = None
        self._is_contradicted = False
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            self._begin(connection)

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
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self, connection: sqlite3.Connection) -> None:
        """An empty chain has a head as well: from the first record on, a missing file says something."""
        self._compare(connection)
        if self._kept is None and not self._is_contradicted:
            self._kept = Head(number=0, hash=NO_HASH)
            _replace(self._folder / NAME, msgspec.json.encode(self._kept))

    def _compare(self, connection: sqlite3.Connection) -> None:
        try:
            self._kept = read(self._folder)
        except msgspec.MsgspecError:
            self._is_contradicted = True
        if self._kept is not None and self._kept.number > 0:
            query = "SELECT hash FROM audit WHERE number = ?"
            row = connection.execute(query, (self._kept.number,)).fetchone()
            self._is_contradicted = row is None or row[0] != self._kept.hash
        elif self._kept is None and connection.execute("SELECT 1 FROM audit LIMIT 1").fetchone():
            self._is_contradicted = True
        if self._is_contradicted:
            log.error("audit.contradicted", file=str(self._folder / NAME), remedy="gennaker audit verify")

    def _write(self) -> bool:
        """Whether there was something new."""
        try:
            head = self._newest()
            if head is None or head == self._kept:
                return False
            _replace(self._folder / NAME, msgspec.json.encode(head))
        except (OSError, sqlite3.Error):
            # The records are durable; only their head is late. It is tried again with the next one.
            log.exception("audit.head_not_written")
            return True
        self._kept = head
        return True

    def _newest(self) -> Head | None:
        if self._connection is None:
            # Its own connection, opened in the thread that uses it: it sees only what is committed.
            self._connection = sqlite3.connect(self._database, isolation_level=None, check_same_thread=False)
        row = self._connection.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
        return None if row is None else Head(number=row[0], hash=row[1])


def _replace(file: Path, content: bytes) -> None:
    fresh = file.with_name(f".{file.name}.new")
    with fresh.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
