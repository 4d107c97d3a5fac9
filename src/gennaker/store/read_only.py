"""Reading a SQLite database without a write: a running server's, one that was killed, or a copy, on read-only disks too.

Theory of operation. A database in WAL mode is a file, its log `-wal` and an index of the log in shared memory, `-shm`.
Who has `-shm` reads beside a server, even where it may not write (sqlite.org/wal.html, "Read-Only Databases"). Without it
SQLite would create it, so there is none in a copy on a disk that can't be written; then nobody writes the database
either, and the log is read with an index in memory, without locks. Without a log the file alone is all there is. Should a
server start meanwhile, the files beside the database tell, and it is read again.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from gennaker.store import failures

Result = TypeVar("Result")
_ATTEMPTS = 5
_BUSY_SECONDS = 5.0


def look(path: Path, see: Callable[[sqlite3.Connection], Result]) -> Result:
    """What the function sees in the database, from one moment. Text that is no UTF-8 is read with U+FFFD in it.

    Blocks. Raises StoreUnusable; an error that the function's own statements make comes through as it is.
    """
    try:
        if not path.exists():
            raise failures.missing(path)
        for _ in range(_ATTEMPTS):
            options = _options(path)
            seen = _look(path, options, see)
            if _options(path) == options:
                return seen
    except (sqlite3.Error, OSError) as error:
        raise failures.of_reading(error, path) from error
    raise failures.busy(path)


def _look(path: Path, options: str, see: Callable[[sqlite3.Connection], Result]) -> Result:
    uri = f"{path.absolute().as_uri()}?{options}"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.text_factory = lambda text: text.decode(errors="replace")
        if "vfs" in options:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN")
        return see(connection)


def _options(path: Path) -> str:
    if path.with_name(f"{path.name}-shm").exists():
        return "mode=ro"
    log = path.with_name(f"{path.name}-wal")
    return "mode=ro&vfs=unix-none" if log.exists() and log.stat().st_size else "immutable=1"
