"""Statements of the journal, compiled once from the tables.

SQLAlchemy Core describes them, so that the tables stay the one source; running them through Core costs 30 µs each and
through the driver 4 µs (measured: an upsert of two columns). Hence the text is compiled when a database is first opened and
given to the driver with plain tuples, in the order of the columns named here. The same descriptions give PostgreSQL's text.
What is written in lots is in lot.py and postgres/lot.py.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Select, Table, bindparam, func, literal_column, null, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from gennaker.store import tables

SQLITE: Dialect = sqlite.dialect(paramstyle="qmark")
POSTGRES: Dialect = postgresql.dialect(paramstyle="format")  # type: ignore[no-untyped-call]  # SQLAlchemy has no types here

AUDIT_LOCK = 0x474E4B52_00000001
"""PostgreSQL's advisory lock on the end of the audit chain, taken after all other locks."""

DEFINITION = ("kind", "id", "revision", "author", "at", "body", "is_deleted")
"""Columns of a definition's revision, in the order in which they are read."""


class Statements(msgspec.Struct, frozen=True, kw_only=True):
    """SQL text; parameters are positional."""

    dialect: Dialect
    """Of all this text."""
    submission: str
    """submission_key → id"""
    insert_audit: str
    """number, previous, hash, entry"""
    last_audit: str
    """→ number, hash"""
    lock_audit: str
    """Nobody else appends until the transaction ends; empty: there is only one writer."""
    execution: str
    """id, id → head, blobs, body and blobs of the outline; for each stage body, blobs, null, null; in any order"""
    outline: str
    """execution_id → body, blobs"""
    events: str
    """execution_id, after → number, ignored, event, blobs"""
    engine_versions: str
    """execution_id → engine_version of each event"""
    pending: str
    """→ execution_id, due, tries, effect, blobs"""
    pending_of: str
    """execution_id → as above"""
    queue: str
    """key → body"""
    blob: str
    """first byte from 1, how many, digest → that piece of the content"""
    blob_piece_bytes: int
    """How much is read at once: SQLite reads the whole of it anyway, the driver of PostgreSQL keeps buffers of that size."""
    document: str
    """namespace, key → key, body, version"""
    definition: str
    """kind, id → DEFINITION of the newest revision"""
    definitions: str
    """kind → as above, of all that aren't deleted, by id"""
    definitions_of: str
    """kind, application in lower case → as above"""
    revisions: str
    """kind, id, limit → as above, of all revisions, newest first"""
    documents: str
    """namespace, prefix → key, body, version, of all whose keys aren't before the prefix, by key"""
    documents_until: str
    """namespace, prefix, end → as above, of those before the end"""
    audit_after: str
    """number, limit → number, previous, hash, entry of those behind it, in order"""


@cache
def compiled(dialect: Dialect) -> Statements:
    """All of them, in a database's dialect."""
    write = _Writing(dialect)
    executions, outlines, stages, outbox = tables.executions.c, tables.outlines.c, tables.stages.c, tables.outbox.c
    events, queues, blobs = tables.events.c, tables.queues.c, tables.blobs.c
    audit, documents = tables.audit.c, tables.documents.c
    definitions = tables.definitions.c
    every = select(*(definitions[name] for name in DEFINITION)).where(definitions.kind == bindparam("kind"))
    newest = every.where(definitions.is_newest == literal_column("1"))
    of_namespace = select(documents.key, documents.body, documents.version).where(
        documents.namespace == bindparam("namespace")
    )
    from_prefix = of_namespace.where(documents.key >= bindparam("prefix"))
    present = newest.where(definitions.is_deleted == literal_column("0")).order_by(definitions.id)
    pending = select(outbox.execution_id, outbox.due, outbox.tries, outbox.effect, outbox.blobs).order_by(
        outbox.due.is_not(None), outbox.due, outbox.number
    )
    return Statements(
        dialect=dialect,
        submission=write.text(select(executions.id).where(executions.submission_key == bindparam("key"))),
        insert_audit=write.insert(tables.audit, ("number", "previous", "hash", "entry")),
        last_audit=write.text(
            select(audit.number, audit.hash).where(audit.number == select(func.max(audit.number)).scalar_subquery())
        ),
        lock_audit="" if dialect is SQLITE else f"SELECT pg_advisory_xact_lock({AUDIT_LOCK})",
        execution=write.text(
            union_all(
                select(
                    executions.head,
                    executions.blobs,
                    outlines.body.label("outline"),
                    outlines.blobs.label("outline_blobs"),
                )
                .join_from(tables.executions, tables.outlines)
                .where(executions.id == bindparam("id")),
                select(stages.body, stages.blobs, null(), null()).where(stages.execution_id == bindparam("id")),
            )
        ),
        outline=write.text(
            select(outlines.body, outlines.blobs).where(outlines.execution_id == bindparam("execution"))
        ),
        events=write.text(
            select(events.number, events.ignored, events.event, events.blobs)
            .where(events.execution_id == bindparam("execution"))
            .where(events.number > bindparam("after"))
            .order_by(events.number)
        ),
        engine_versions=write.text(
            select(events.engine_version).where(events.execution_id == bindparam("execution")).order_by(events.number)
        ),
        pending=write.text(pending),
        pending_of=write.text(pending.where(outbox.execution_id == bindparam("execution"))),
        queue=write.text(select(queues.body).where(queues.key == bindparam("key"))),
        blob=write.text(
            select(func.substr(blobs.content, bindparam("first"), bindparam("bytes"))).where(
                blobs.digest == bindparam("digest")
            )
        ),
        blob_piece_bytes=2_000_000_000 if dialect is SQLITE else 4_000_000,
        definition=write.text(newest.where(definitions.id == bindparam("id"))),
        definitions=write.text(present),
        definitions_of=write.text(present.where(definitions.application == bindparam("application"))),
        revisions=limited(
            dialect, every.where(definitions.id == bindparam("id")).order_by(definitions.revision.desc())
        )[0],
        document=write.text(of_namespace.where(documents.key == bindparam("key"))),
        documents=write.text(from_prefix.order_by(documents.key)),
        documents_until=write.text(from_prefix.where(documents.key < bindparam("end")).order_by(documents.key)),
        audit_after=limited(
            dialect, select(*tables.audit.c).where(audit.number > bindparam("after")).order_by(audit.number)
        )[0],
    )


def text(dialect: Dialect, statement: ClauseElement) -> str:
    """In a database's dialect, for the driver."""
    return str(statement.compile(dialect=dialect))


def limited(dialect: Dialect, query: "Select[Any, Any]") -> tuple[str, tuple[str, ...]]:
    """A query with a limit, which SQLAlchemy itself would give an offset, too; and the names of its values, `limit` being the last."""
    compiled_query = query.compile(dialect=dialect)
    assert isinstance(compiled_query, SQLCompiler)
    names = compiled_query.positiontup or ()
    return f"{compiled_query} LIMIT {_place(dialect)}", (*names, "limit")


def _place(dialect: Dialect) -> str:
    return "?" if dialect is SQLITE else "%s"


class _Writing:
    """Text in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def text(self, statement: ClauseElement) -> str:
        return text(self._dialect, statement)

    def insert(self, table: Table, columns: Sequence[str]) -> str:
        """In the order of the columns, which SQLAlchemy would bring into that of the table."""
        assert set(columns) <= set(table.c.keys())
        places = ", ".join([_place(self._dialect)] * len(columns))
        return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - names of ours
