"""Lots of changes in SQLite: one transaction, commits merged into one statement.

Theory of operation. Commits that wait alone are written by one statement (lot.py), which is the whole transaction. With
other changes among them, or where a commit isn't as expected, all share one `BEGIN IMMEDIATE … COMMIT`, each inside a
savepoint of its own: one that fails is undone alone and its neighbours stay. There a value of megabytes is written piece by
piece before the rest of its commit: as a part of a statement it would be held in memory six times over. Only when SQLite gives up the whole
transaction (a full disk, a failed sync) is every change of the lot tried again by itself.

Nothing is written into a transaction that is still open: it would be answered and never be durable. Where rolling one back
fails, the next lot begins with that, and is refused as long as it does.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection as RawConnection

import structlog
from sqlalchemy import Connection

from gennaker.store import chain, failures, lot
from gennaker.store.commits import CommitJob
from gennaker.store.rows import CommitRows
from gennaker.store.statements import Statements
from gennaker.store.writer import Job

log = structlog.get_logger()

_PIECE_BYTES = 1_000_000
STATEMENTS_KEPT = 256
"""Compiled statements for Python to keep: more than there are texts."""


class SqliteBatches:
    """Lots of changes in SQLite."""

    def __init__(self, connection: Connection, path: Path, statements: Statements) -> None:
        """`path` is for messages."""
        self._connection = connection
        self._raw = driver(connection)
        self._path = path
        self._sql = statements
        self._end: tuple[int, str] | None = None
        """Number and hash of the last audit record; None: to be read."""
        lot.prepare(self._raw)

    def commit(self, batch: list[Job[object]]) -> None:
        """All in one transaction; each by itself where SQLite gives that up."""
        try:
            self._roll_back()  # what couldn't be rolled back when it failed
            if not self._is_one_statement(batch):
                self._transaction(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for the answer and gets it
            self._after_failure()
            if len(batch) == 1:
                batch[0].error = failures.translated(error, self._path)
                return
            for job in batch:
                job.error = None
                self.commit([job])
        else:
            for job in batch:
                job.is_durable = job.error is None

    def _after_failure(self) -> None:
        self._end = None
        try:
            self._roll_back()
        except sqlite3.Error as error:
            log.error("store.not_rolled_back", error=str(error))  # noqa: TRY400 - SQLite's sentence says all

    def _roll_back(self) -> None:
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")

    def _is_one_statement(self, batch: list[Job[object]]) -> bool:
        """Writes commits that wait alone; False: nothing was written."""
        commits = [job.rows for job in batch if isinstance(job, CommitJob)]
        if len(commits) < len(batch) or any(one.has_huge_values for one in commits):
            return False
        kinds, end = self._kinds(commits)
        if not lot.are_apart(kinds):
            return False
        try:
            lot.write(self._raw, kinds, [value for one in commits for value in one.blobs])
        except sqlite3.IntegrityError:
            self._end = None
            self._roll_back()
            return False  # each by itself: whose it is gets the reason
        self._end = end
        return True

    def _kinds(self, commits: Sequence[CommitRows]) -> tuple[lot.Kinds, tuple[int, str]]:
        """What they write, and where the audit chain ends then."""
        end = self._end or chain.end(self._raw, self._sql)
        records = chain.following(*end, [entry for commit in commits for entry in commit.audit])
        return lot.rows_of(commits, list(records)), (records[-1][0], records[-1][2]) if records else end

    def _transaction(self, batch: list[Job[object]]) -> None:
        execute = self._raw.execute
        execute("BEGIN IMMEDIATE")
        self._end = None  # other changes may add to the chain as well
        for job in batch:
            execute("SAVEPOINT change")
            try:
                self._change(job)
            except Exception as error:
                if not self._raw.in_transaction:
                    raise  # SQLite has given up the whole transaction, the neighbours' changes too
                job.error = failures.translated(error, self._path)
                execute("ROLLBACK TO change")
            execute("RELEASE change")
        execute("COMMIT")

    def _change(self, job: Job[object]) -> None:
        if not isinstance(job, CommitJob):
            job.result = job.change(self._connection)
            return
        huge, commit = job.rows.parted()
        for digest, content in huge:
            self._write_in_pieces(digest, content)
        kinds, _ = self._kinds([commit])
        try:
            lot.write(self._raw, kinds, commit.blobs)
        except sqlite3.IntegrityError as error:
            raise lot.reason(error, self._raw, job.rows) from error

    def _write_in_pieces(self, digest: str, content: bytes) -> None:
        room = "INSERT INTO blobs (digest, content) VALUES (?, zeroblob(?)) ON CONFLICT DO NOTHING"
        if self._raw.execute(room, (digest, len(content))).rowcount < 1:
            return  # the store has it
        (number,) = self._raw.execute("SELECT rowid FROM blobs WHERE digest = ?", (digest,)).fetchone()
        with self._raw.blobopen("blobs", "content", number) as blob, memoryview(content) as whole:
            for start in range(0, len(content), _PIECE_BYTES):
                blob.write(whole[start : start + _PIECE_BYTES])


def driver(connection: Connection) -> RawConnection:
    """The connection of Python's own module, for statements that must be fast and for what only SQLite has."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, RawConnection)
    return raw
