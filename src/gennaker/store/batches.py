"""Lots of changes in SQLite: one transaction, commits merged into a few statements.

Theory of operation. A lot shares one `BEGIN IMMEDIATE … COMMIT`. Each change runs inside a savepoint of its own: one that
fails is undone alone and its neighbours stay. Only when SQLite gives up the whole transaction (a full disk, a failed sync)
is every change of the lot tried again by itself.

Commits that touch no row in common (commits.py) are written together, many rows a statement. Not to save SQLite work:
around every statement that it runs Python's lock is given up and must be won back from the loop, which is busy with the
next steps just then. If one of them isn't as expected the savepoint undoes them all, and each is written by itself.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from sqlite3 import Connection as RawConnection
from typing import Any

from sqlalchemy import Connection

from gennaker.interfaces.journal import Conflict, SubmissionExists
from gennaker.store import chain, failures
from gennaker.store.commits import CommitJob, apart
from gennaker.store.rows import ExecutionRows, Row
from gennaker.store.statements import MOVING, Statements
from gennaker.store.writer import Job

_ROWS_AT_MOST = 64
"""In one statement: each number of rows is a text of its own, which SQLite compiles and Python keeps."""
STATEMENTS_KEPT = 1024
"""Compiled statements for Python to keep: all the texts that there may be."""


class SqliteBatches:
    """Lots of changes in SQLite."""

    def __init__(self, connection: Connection, path: Path, statements: Statements) -> None:
        """`path` is for messages."""
        self._connection = connection
        self._raw = driver(connection)
        self._path = path
        self._sql = statements

    def commit(self, batch: list[Job[object]]) -> None:
        """All in one transaction; each by itself where SQLite gives that up."""
        try:
            self._transaction(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for the answer and gets it
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
            if len(batch) == 1:
                batch[0].error = failures.translated(error, self._path)
                return
            for job in batch:
                job.error = None
                self.commit([job])

    def _transaction(self, batch: list[Job[object]]) -> None:
        self._raw.execute("BEGIN IMMEDIATE")
        for is_commit, jobs in groupby(batch, lambda job: isinstance(job, CommitJob)):
            if is_commit:
                self._commits([job for job in jobs if isinstance(job, CommitJob)])
            else:
                for job in jobs:
                    self._change(job)
        self._raw.execute("COMMIT")

    def _change(self, job: Job[Any]) -> None:
        self._savepoint((job,), lambda: job.change(self._connection))

    def _commits(self, waiting: list[CommitJob]) -> None:
        while waiting:
            lot, waiting = apart(waiting)
            if self._together(lot) or len(lot) == 1:
                continue
            for job in lot:
                job.error = None
                self._together([job])

    def _together(self, lot: Sequence[CommitJob]) -> bool:
        return self._savepoint(lot, _Together(self._raw, self._sql, lot).write)

    def _savepoint(self, jobs: Sequence[Job[Any]], work: Callable[[], object]) -> bool:
        """Does the work for these jobs, or undoes it and gives them the reason."""
        execute = self._raw.execute
        execute("SAVEPOINT change")
        is_done = True
        try:
            result = work()
        except Exception as error:
            if not self._raw.in_transaction:
                raise  # SQLite has given up the whole transaction, the neighbours' changes too
            is_done = False
            reason = failures.translated(error, self._path)
            for job in jobs:
                job.error = reason
            execute("ROLLBACK TO change")
        else:
            for job in jobs:
                job.result = result
        execute("RELEASE change")
        return is_done


def driver(connection: Connection) -> RawConnection:
    """The connection of Python's own module, for statements that must be fast and for what only SQLite has."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, RawConnection)
    return raw


class _Together:
    """Commits that touch no row in common, in the writer's transaction."""

    def __init__(self, connection: RawConnection, sql: Statements, lot: Sequence[CommitJob]) -> None:
        self._connection = connection
        self._sql = sql
        self._rows = [job.rows for job in lot]
        self._executions = [one for rows in self._rows for one in rows.executions]

    def write(self) -> None:
        """Heads first: their versions guard the rest. Raises Conflict where one of them isn't as expected."""
        connection, sql = self._connection, self._sql
        blobs = [row for rows in self._rows for row in rows.blobs]
        if blobs:
            connection.executemany(sql.insert_blob, blobs)
        self._update([(one.id, one.expected, *one.head) for one in self._executions if one.expected])
        for one in self._executions:
            if not one.expected:
                _insert(connection, sql, one)
            elif one.outline:
                _outline(connection, sql, one)
            if one.removed:
                connection.executemany(sql.delete_stage, one.removed)
        self._insert(sql.upsert_stage, [row for one in self._executions for row in one.stages])
        try:
            self._insert(sql.insert_event, [row for one in self._executions for row in one.events])
        except sqlite3.IntegrityError as error:
            raise Conflict(f"execution {self._names()} has an event of this number") from error
        for rows in self._rows:
            for key, version, body in rows.queues:
                _write_queue(connection, sql, key, version, body)
        self._delete([row[0] for rows in self._rows for row in rows.dropped])
        self._insert(sql.upsert_effect, [row for rows in self._rows for row in rows.outbox])
        chain.append(connection, sql, [entry for rows in self._rows for entry in rows.audit])

    def _update(self, rows: Sequence[Row]) -> None:
        for part in _parts(rows):
            statement = _update_text(len(part))
            if self._connection.execute(statement, [value for row in part for value in row]).rowcount != len(part):
                raise Conflict(f"execution {self._names()} is no longer at the version that its commit was made for")

    def _insert(self, statement: str, rows: Sequence[Row]) -> None:
        for part in _parts(rows):
            text = _insert_text(statement, len(part[0]), len(part))
            self._connection.execute(text, [value for row in part for value in row])

    def _names(self) -> str:
        return " or ".join(one.id for one in self._executions)

    def _delete(self, keys: Sequence[object]) -> None:
        for part in _parts(keys):
            self._connection.execute(_delete_text(len(part)), part)


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), _ROWS_AT_MOST):
        yield rows[start : start + _ROWS_AT_MOST]


def _tuples(width: int, count: int) -> str:
    return ", ".join(["(" + ", ".join("?" * width) + ")"] * count)


@cache
def _update_text(count: int) -> str:
    """Rows of id, expected version, MOVING."""
    columns = ", ".join(f"{name} = new.column{place}" for place, name in enumerate(MOVING, start=3))
    return (
        f"UPDATE executions SET {columns} FROM (VALUES {_tuples(2 + len(MOVING), count)}) AS new "  # noqa: S608 - names of ours
        "WHERE executions.id = new.column1 AND executions.version = new.column2"
    )


@cache
def _insert_text(statement: str, width: int, count: int) -> str:
    """A statement for one row, for so many."""
    begin, values, end = statement.partition(_tuples(width, 1))
    assert values, statement
    return f"{begin}{_tuples(width, count)}{end}"


@cache
def _delete_text(count: int) -> str:
    return f"DELETE FROM outbox WHERE outbox.key IN ({', '.join('?' * count)})"  # noqa: S608 - names of ours


def _insert(connection: sqlite3.Connection, sql: Statements, made: ExecutionRows) -> None:
    assert made.outline, "a new execution comes with its outline"
    if made.submission_key:
        taken = connection.execute(sql.submission, (made.submission_key,)).fetchone()
        if taken is not None:
            raise SubmissionExists(made.submission_key, taken[0])
    try:
        columns = made.outline.columns
        connection.execute(sql.insert_execution, (made.id, made.submission_key, *made.head, *columns))
        connection.execute(sql.upsert_outline, made.outline.row)
    except sqlite3.IntegrityError as error:
        raise Conflict(f"execution {made.id} exists") from error


def _outline(connection: sqlite3.Connection, sql: Statements, made: ExecutionRows) -> None:
    assert made.outline
    connection.execute(sql.update_outlined, (*made.outline.columns, made.id))
    connection.execute(sql.upsert_outline, made.outline.row)


def _write_queue(  # noqa: PLR0917 - private, called once
    connection: sqlite3.Connection, sql: Statements, key: str, version: int, body: str
) -> None:
    if version > 1:
        if connection.execute(sql.update_queue, (version, body, key, version - 1)).rowcount != 1:
            raise Conflict(f"queue {key} is no longer at version {version - 1}")
        return
    try:
        connection.execute(sql.insert_queue, (key, version, body))
    except sqlite3.IntegrityError as error:
        raise Conflict(f"queue {key} exists") from error
