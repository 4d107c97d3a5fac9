"""Lots of changes in PostgreSQL: commits merged into one transaction, all other changes one after the other.

Theory of operation. Commits that wait are written together by one call (lot.py), which is the whole transaction. That needs
commits which don't touch the same rows; those that do wait for the next one. Where something isn't as a commit expects it the
call has written nothing: whoever it concerns is refused and told why, and the others are sent again without it. Where the
failure is nobody's, or a fault of ours, each is sent by itself: it concerns no neighbour, and nobody whose lot was written before.

The server's own row is locked first (servers.py says why), then always in the same order executions, queues, outbox and at
last the end of the audit chain. Should PostgreSQL find a deadlock nevertheless, that is such a failure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gennaker.interfaces.journal import Conflict, OwnedElsewhere, SubmissionExists
from gennaker.store.commits import CommitJob, apart
from gennaker.store.postgres import failures, lot
from gennaker.store.postgres import statements as sql
from gennaker.store.statements import Statements
from gennaker.store.writer import Job

log = structlog.get_logger()

Raw = psycopg.Connection[tuple[Any, ...]]
_ROLLED_BACK = frozenset({"40000", "40001", "40P01"})
"""PostgreSQL's codes (its documentation, appendix A) for what is certainly not done: 40003 leaves that open."""
_ATTEMPTS = 5
"""Tries of a change that PostgreSQL rolls back for somebody else's sake."""


class ChangesJob(Job[int]):
    """Wants to know how often what servers keep in memory was changed (kept.py)."""

    def __init__(self) -> None:
        super().__init__(lambda _: 0)


class CommitBatches:
    """Commits of one server."""

    def __init__(self, connection: Raw, place: str, statements: Statements) -> None:
        """Takes the connection over, in autocommit mode; `place` is for messages."""
        self._raw = connection
        self._place = place
        self._sql = statements
        lot.prepare(connection)

    def commit(self, batch: list[Job[object]]) -> None:
        """Gives each job its result or its error."""
        waiting = [job for job in batch if isinstance(job, CommitJob)]
        self._changes: int | None = None
        while waiting:
            together, waiting = apart(waiting)
            self._commit_lot(together)
        self._tell_changes([job for job in batch if isinstance(job, ChangesJob)])

    def _tell_changes(self, asking: list[ChangesJob]) -> None:
        """By what a commit of the same batch has brought along: it was written after they asked."""
        for job in asking:
            try:
                job.result = self._changes if self._changes is not None else lot.changes(self._raw)
            except psycopg.Error as error:
                job.error = failures.translated(error, self._place)

    def _commit_lot(self, waiting: list[CommitJob]) -> None:
        attempts = 0
        while waiting:
            attempts += 1
            try:
                self._changes = lot.write(self._raw, [job.rows for job in waiting], waiting[0].fence)
            except psycopg.Error as error:
                if not _is_given_up(error) or attempts >= _ATTEMPTS:
                    waiting = self._answered(error, waiting)
            except Exception as fault:  # noqa: BLE001 - whatever it is, somebody waits for the answer and gets it
                self._one_by_one(waiting, fault)
                return
            else:
                for job in waiting:
                    job.is_durable = True
                return

    def _answered(self, error: psycopg.Error, tried: list[CommitJob]) -> list[CommitJob]:
        """As `_after`, also where that fails: the connection is lost before it has said why somebody is refused."""
        try:
            return self._after(error, tried)
        except Exception as failure:  # noqa: BLE001 - as above
            for job in tried:
                job.error = job.error or failures.translated(failure, self._place)
            return []

    def _after(self, error: psycopg.Error, tried: list[CommitJob]) -> list[CommitJob]:
        """Answers those whom the error concerns; returns the others."""
        if error.sqlstate == lot.NOT_AS_EXPECTED:
            refused = _refused(tried, lot.found(error))
            for job in refused:
                job.error = self._reason(job)
            return [job for job in tried if job not in refused]
        if error.sqlstate == lot.LEASE_ENDED:
            for job in tried:
                job.error = failures.lease_lost(self._place)
        else:
            self._one_by_one(tried, error)
        return []

    def _one_by_one(self, tried: list[CommitJob], error: Exception) -> None:
        """After a failure that isn't blamed on one of them."""
        if len(tried) > 1 and not self._raw.closed:
            for job in tried:
                self._commit_lot([job])
            return
        for job in tried:
            job.error = failures.translated(error, self._place)

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
            except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for the answer and gets it
                self._roll_back()
                for job in batch:
                    job.error = failures.translated(error, self._place)
                if not _is_given_up(error):
                    return
                if len(batch) > 1:
                    for job in batch:
                        self.commit([job])
                    return
            else:
                for job in batch:
                    job.is_durable = job.error is None
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
                if self._raw.closed or _is_given_up(error):
                    raise
                job.error = failures.translated(error, self._place)
                execute("ROLLBACK TO change")
            execute("RELEASE change")
        execute("COMMIT")

    def _roll_back(self) -> None:
        """Where that fails, too, the connection is lost: the server ends the transaction, and the next statement says so."""
        if not self._raw.closed:
            try:
                self._raw.execute("ROLLBACK")
            except psycopg.Error as error:
                log.error("store.not_rolled_back", error=str(error))  # noqa: TRY400 - PostgreSQL's sentence says all


def _is_given_up(error: Exception) -> bool:
    """PostgreSQL has rolled it back for somebody else's sake: by its code, as psycopg's classes for deadlocks have no common one."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return isinstance(cause, psycopg.Error) and cause.sqlstate in _ROLLED_BACK


def _refused(tried: Sequence[CommitJob], found: lot.Found) -> list[CommitJob]:
    executions, queues, events = {*found.executions}, {*found.queues}, Counter(found.events)
    return [
        job
        for job in tried
        if not all(one.id in executions and events[one.id] == len(one.events) for one in job.rows.executions)
        or not all(key in queues for key, _, _ in job.rows.queues)
    ]
