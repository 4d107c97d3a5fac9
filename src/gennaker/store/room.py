"""Room: whether what comes in can be kept. For health checks, which ask often and from outside.

Free bytes say too little (quotas, what is reserved for root, a file system that has become read-only, a database on another
machine), and so does the last commit (the next may be larger, and nobody makes one while all are refused). So it is tried.
"""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from gennaker.interfaces.clock import Clock
from gennaker.model.problems import Problem
from gennaker.store import failures
from gennaker.store.documents import DatabaseDocuments
from gennaker.store.failures import StoreUnusable
from gennaker.store.transactions import Transactions

NEEDED_BYTES = 1024 * 1024
"""What must fit: more than a large pipeline, and more than the database keeps for itself to write small things into."""
_HOLDS = timedelta(seconds=1)


class Room:
    """Tries to keep something; what was found holds for a second, however many ask."""

    def __init__(self, database: Transactions, clock: Clock) -> None:
        """In this database and its folders."""
        self._folders = {database.folder, database.own_folder}
        self._documents = DatabaseDocuments(database, "health")
        self._clock = clock
        self._found: Problem | None = None
        self._found_at = clock.now() - 2 * _HOLDS
        self._trying = asyncio.Lock()

    async def problem(self) -> Problem | None:
        """Why nothing can be kept at present; None: it can."""
        async with self._trying:  # many who ask at once are answered by one try
            if abs(self._clock.now() - self._found_at) > _HOLDS:
                self._found = await self._tried()
                self._found_at = self._clock.now()
            return self._found

    async def _tried(self) -> Problem | None:
        try:
            for folder in self._folders:
                await asyncio.to_thread(_fits, folder)
            await self._documents.put("room", {})
        except StoreUnusable as error:
            return error.problem
        return None


def _fits(folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:  # has no name, so nothing is left of it
            file.write(bytes(NEEDED_BYTES))
            file.flush()
    except OSError as error:
        raise failures.translated(error, folder) from error
