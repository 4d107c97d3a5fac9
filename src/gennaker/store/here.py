"""Here: small reads of SQLite on the loop itself, with a bound to what each may take of it.

Theory of operation. A row that is found by an index takes 5 µs; handing the look to a thread and back takes 160 to 350 µs of
CPU, and a turn of Python's lock. So what is small by nature is looked at here, by a connection that gives up rather than
keep the loop waiting: it waits for nobody's lock, SQLite asks every few rows whether the time is over (pages that come
from a slow disk), and a row that is large is none for it. What was given up is looked at anew by a thread, as ever.
"""

import asyncio
import sqlite3
import traceback
from collections.abc import Callable
from typing import Final, TypeVar

import sqlalchemy
from sqlalchemy import Connection

from gennaker.store.batches import driver

SECONDS: Final = 0.002
"""A tenth of what would be noticed (the loop is held up 10 ms at most): looks may follow one another."""
ROW_BYTES: Final = 65_536
"""Decoding more is no longer small, either."""
_STEPS: Final = 250
"""Of SQLite's machine, some twenty rows, between two looks at the time."""

Result = TypeVar("Result")


class NotHere(Exception):
    """The look isn't as small as it was thought, or has met a lock: it belongs into a thread."""


class Here:
    """Reads on the loop; used there only."""

    def __init__(self, connection: Connection) -> None:
        """Takes the connection over."""
        self._connection = connection
        self._raw = driver(connection)
        self._until = 0.0
        self._raw.execute("PRAGMA query_only = 1")
        self._raw.execute("PRAGMA busy_timeout = 0")
        self._raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, ROW_BYTES)
        self._raw.set_progress_handler(self._is_late, _STEPS)

    def read(self, look: Callable[[Connection], Result], *, is_one_statement: bool) -> Result:
        """What the look sees, of one moment. Raises NotHere."""
        self._until = asyncio.get_running_loop().time() + SECONDS
        try:
            if is_one_statement:
                return look(self._connection)
            self._raw.execute("BEGIN")
            try:
                return look(self._connection)
            finally:
                self._raw.execute("ROLLBACK")
        except (sqlite3.Error, sqlalchemy.exc.DBAPIError) as error:
            raise NotHere from error  # whatever it is: a thread comes to the same, or to an answer
        except Exception as error:
            # A cursor among the locals of whoever keeps this exception would hold on to its moment, and all that is read
            # after it would be of then.
            traceback.clear_frames(error.__traceback__)
            raise

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _is_late(self) -> int:
        return int(asyncio.get_running_loop().time() > self._until)
