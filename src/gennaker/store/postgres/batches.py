"""Lots of changes in PostgreSQL: commits merged into one transaction, all other changes one after the other.

Theory of operation. What a statement costs is mostly its way to the server and back, so commits that wait are written
together: one statement a table for all of them, pipelined, so that a transaction takes two round trips however many
commits it holds. That needs commits which don't touch the same rows; those that do wait for the next transaction. Each
statement that guards a version returns the rows that it found as expected. Whoever's row is missing is refused before
`COMMIT`, told why, and the others are sent again without it.

The server's own row is locked first (servers.py says why), then always in the same order executions, queues, outbox and at
last the end of the audit chain, for one round trip and the sync. Should PostgreSQL find a deadlock nevertheless, every commit
of the lot is tried by itself.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import errors
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gennaker.interfaces.journal import Conflict, OwnedElsewhere, SubmissionExists
from gennaker.store import chain
from gennaker.store.commits import CommitJob, apart
from gennaker.store.postgres import failures
from gennaker.store.postgres import statements as sql
from gennaker.store.rows import CommitRows, ExecutionRows, Row
from gennaker.store.statements import Statements
from gennaker.store.transactions import PostgresDirect
from gennaker.store.writer import Job

Raw = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]
_ATTEMPTS = 5
"""Tries of a change that PostgreSQL rolls back for somebody else's sake."""


class CommitBatches:
    """Commits of one server."""

    def __init__(self, connection: Raw, place: str, statements: Statements) -> None:
        """Takes the connection over, in autocommit mode; `place` is for messages."""
        self._raw = connection
        self._place = place
        self._sql = statements

    def commit(self, batch: list[Job[object]]) -> None:
        """Gives each job its result or its error."""
        waiting = [job for job in batch if isinstance(job, CommitJob)]
        assert len(waiting) == len(batch)
        while waiting:
            lot, waiting = apart(waiting)
            self._commit_lot(lot)

    def _commit_lot(self, lot: list[CommitJob]) -> None:
        while lot:
            try:
                refused = self._transaction(lot)
            except psycopg.Error as error:
                self._one_by_one(lot, error)
                return
            if not refused:
                return
            for job in refused:
                job.error = self._reason(job)
            lot = [job for job in lot if job not in refused]

    def _one_by_one(self, lot: list[CommitJob], error: psycopg.Error) -> None:
        """After a failure that PostgreSQL doesn't blame on one of them."""
        if len(lot) > 1 and not self._raw.closed:
            for job in lot:
                self._commit_lot([job])
            return
        for job in lot:
            job.error = failures.translated(error, self._place)

    def _transaction(self, lot: list[CommitJob]) -> list[CommitJob]:
        """Commits all, or nothing where some are refused: those."""
        try:
            with self._raw.pipeline():
                self._raw.execute("BEGIN")
                stands = self._raw.execute(sql.STANDS.encode(), (lot[0].fence,))
                refused = _refused(lot, self._send(lot))
                is_over = stands.fetchone() is None
                if not refused and not is_over:
                    self._audit([entry for job in lot for entry in job.rows.audit])
                self._raw.execute("ROLLBACK" if refused or is_over else "COMMIT")
        except psycopg.Error:
            if not self._raw.closed:
                self._raw.execute("ROLLBACK")
            raise
        if is_over:
            for job in lot:
                job.error = failures.lease_lost(self._place)
            return []
        return refused

    def _send(self, lot: list[CommitJob]) -> "_Found":
        fence = lot[0].fence
        executions = [execution for job in lot for execution in job.rows.executions]
        blobs = sorted({row[0]: row for job in lot for row in job.rows.blobs}.values())
        if blobs:
            with self._raw.cursor() as cursor:
                cursor.executemany(sql.INSERT_BLOB, blobs)
        updated = self._rows(sql.UPDATE_EXECUTIONS, _updates(executions), before=(fence,), after=(fence,))
        inserted = self._rows(sql.INSERT_EXECUTIONS, _inserts(executions, fence))
        self._rows(sql.UPDATE_OUTLINED, [(o.id, *o.outline.columns) for o in executions if o.expected and o.outline])
        self._rows(sql.UPSERT_OUTLINES, [one.outline.row for one in executions if one.outline])
        self._rows(sql.DELETE_STAGES, [row for one in executions for row in one.removed])
        self._rows(sql.UPSERT_STAGES, [row for one in executions for row in one.stages])
        events = self._rows(sql.INSERT_EVENTS, [row for one in executions for row in one.events])
        queues = sorted(row for job in lot for row in job.rows.queues)
        moved = self._rows(sql.UPDATE_QUEUES, [row for row in queues if row[1] > 1])
        begun = self._rows(sql.INSERT_QUEUES, [row for row in queues if row[1] == 1])
        self._rows(sql.DELETE_EFFECTS, [row for job in lot for row in job.rows.dropped])
        self._rows(sql.UPSERT_EFFECTS, [row for job in lot for row in job.rows.effects], before=(fence,))
        self._rows(sql.UPSERT_EFFECTS, [row for job in lot for row in job.rows.handed_over], before=(None,))
        return _Found(
            executions={*_names(updated), *_names(inserted)},
            events=Counter(_names(events)),
            queues={*_names(moved), *_names(begun)},
        )

    def _rows(self, statement: str, rows: Sequence[Row], *, before: Row = (), after: Row = ()) -> Cursor | None:
        """Sends the statement for all rows, if there are any."""
        if not rows:
            return None
        return self._raw.execute(statement.encode(), (*before, *sql.columns(rows), *after))

    def _audit(self, entries: Sequence[str]) -> None:
        if not entries:
            return
        number, last = chain.end(PostgresDirect(self._raw), self._sql)
        self._rows(sql.INSERT_AUDIT, chain.following(number, last, entries))

    def _reason(self, job: CommitJob) -> Exception:
        for execution in job.rows.executions:
            row = self._raw.execute(sql.OWNER, (execution.id,)).fetchone()
            if execution.submission_key and not execution.expected:
                taken = self._raw.execute(self._sql.submission.encode(), (execution.submission_key,)).fetchone()
                if taken is not None:
                    return SubmissionExists(execution.submission_key, taken[0])
            if execution.expected and row is not None and row[1] not in {None, job.fence}:
                return OwnedElsewhere(execution.id)
        return Conflict("an execution or queue of the commit is no longer at the version that it was made for")


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was as the commits expected it."""

    executions: set[str]
    events: Counter[str]
    """By execution, how many were new."""
    queues: set[str]


class ChangeBatches:
    """All other changes: one at a time, whichever server makes them, a lot of them in one transaction."""

    def __init__(self, connection: Connection, place: str) -> None:
        """Takes the connection over, in autocommit mode; `place` is for messages."""
        self._connection = connection
        found = connection.connection.driver_connection
        assert isinstance(found, psycopg.Connection)
        self._raw: Raw = found
        self._place = place

    def commit(self, batch: list[Job[object]]) -> None:
        """All in one transaction; each by itself where PostgreSQL gives that up."""
        for _ in range(_ATTEMPTS):
            try:
                self._transaction(batch)
            except (errors.TransactionRollback, DBAPIError) as error:
                self._roll_back()
                if len(batch) > 1 and not self._raw.closed:
                    for job in batch:
                        job.error = None
                        self.commit([job])
                    return
                batch[0].error = failures.translated(error, self._place)
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for the answer and gets it
                self._roll_back()
                for job in batch:
                    job.error = failures.translated(error, self._place)
                return
            else:
                return

    def _transaction(self, batch: Iterable[Job[object]]) -> None:
        execute = self._raw.execute
        execute("BEGIN")
        execute("SELECT pg_advisory_xact_lock(%s)", (sql.CHANGES_LOCK,))
        for job in batch:
            job.error = None
            execute("SAVEPOINT change")
            try:
                job.result = job.change(self._connection)
            except Exception as error:
                if self._raw.closed or isinstance(_cause(error), errors.TransactionRollback):
                    raise
                job.error = failures.translated(error, self._place)
                execute("ROLLBACK TO change")
            execute("RELEASE change")
        execute("COMMIT")

    def _roll_back(self) -> None:
        if not self._raw.closed:
            self._raw.execute("ROLLBACK")


def _cause(error: Exception) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _refused(lot: Sequence[CommitJob], found: _Found) -> list[CommitJob]:
    return [job for job in lot if not _is_as_expected(job.rows, found)]


def _is_as_expected(rows: CommitRows, found: _Found) -> bool:
    return all(
        execution.id in found.executions and found.events[execution.id] == len(execution.events)
        for execution in rows.executions
    ) and all(key in found.queues for key, _, _ in rows.queues)


def _updates(executions: Sequence[ExecutionRows]) -> list[Row]:
    """In the order of their ids: two servers never wait for one another's rows crosswise."""
    return sorted((one.id, one.expected, one.is_complete, *one.head) for one in executions if one.expected)


def _inserts(executions: Sequence[ExecutionRows], fence: int) -> list[Row]:
    return [
        (one.id, one.submission_key, *one.head, *one.outline.columns, None if one.is_complete else fence)
        for one in executions
        if not one.expected and one.outline
    ]


def _names(cursor: Cursor | None) -> list[str]:
    return [] if cursor is None else [name for (name,) in cursor.fetchall()]
