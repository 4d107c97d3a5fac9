"""Tables of the database, as SQLAlchemy Core sees them.

The migrations make them; a test compares both. What PostgreSQL has beside: postgres/tables.py. All instants are integer
microseconds since 1970 in UTC. JSON is text.
A `blobs` column says which values of the row's JSON lie in the table `blobs` because they are large (values.py).
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

LONG = BigInteger().with_variant(Integer, "sqlite")
"""64 bits in every database; SQLite's integers are that anyway."""

migrations = Table(
    "migrations",
    metadata,
    Column("number", LONG, primary_key=True),
    Column("name", Text, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", Text, primary_key=True),  # `sha256:…` of the content
    Column("content", LargeBinary, nullable=False),  # JSON of the value
)

IS_UNFINISHED = text("status IN ('NOT_STARTED', 'RUNNING', 'PAUSED', 'SUSPENDED', 'BUFFERED', 'REDIRECT')")
"""A query that says this, too, is answered from the index of the few that aren't over."""

executions = Table(
    "executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("submission_key", Text),
    Column("version", LONG, nullable=False),
    Column("kind", Text, nullable=False),
    Column("application", Text, nullable=False),  # in lower case, to find by
    Column("name", Text, nullable=False),
    Column("config_id", Text),
    Column("status", Text, nullable=False),
    Column("correlation_id", Text),
    Column("build_time", LONG, nullable=False),
    Column("head", Text, nullable=False),
    Column("blobs", Text),
    UniqueConstraint("submission_key"),
    Index("executions_by_time", "build_time", "id"),
    Index("executions_by_application", "application", "build_time", "id"),
    Index("executions_by_config", "config_id", "build_time", "id"),
    Index("executions_by_status", "status", "build_time", "id"),
    Index("executions_by_correlation", "correlation_id"),
    Index("executions_by_kind", "application", "kind", "build_time", "id"),
    Index(
        "executions_unfinished",
        "application",
        "build_time",
        "id",
        sqlite_where=IS_UNFINISHED,
        postgresql_where=IS_UNFINISHED,
    ),
)

triggers = Table(  # of pipelines' executions: what they are searched by
    "triggers",
    metadata,
    Column("execution_id", Text, ForeignKey("executions.id"), primary_key=True),
    Column("application", Text, nullable=False),  # these two as in `executions`: one index holds all that is looked at
    Column("build_time", LONG, nullable=False),
    Column("type", Text, nullable=False),  # empty: it has none
    Column("event_id", Text),
    Index("triggers_by_type", "type", "build_time", "execution_id"),
    Index("triggers_of_application", "application", "type", "build_time", "execution_id"),
    Index("triggers_by_event", "event_id"),
)

outlines = Table(
    "outlines",
    metadata,
    Column("execution_id", Text, ForeignKey("executions.id"), primary_key=True),
    Column("body", Text, nullable=False),
    Column("blobs", Text),
)

stages = Table(
    "stages",
    metadata,
    Column("execution_id", Text, ForeignKey("executions.id"), nullable=False),
    Column("stage_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("blobs", Text),
    PrimaryKeyConstraint("execution_id", "stage_id"),
)

events = Table(
    "events",
    metadata,
    Column("execution_id", Text, ForeignKey("executions.id"), nullable=False),
    Column("number", LONG, nullable=False),
    Column("engine_version", Text, nullable=False),
    Column("ignored", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("blobs", Text),
    PrimaryKeyConstraint("execution_id", "number"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("number", LONG, primary_key=True),  # the order in which rows were added
    Column("key", Text, nullable=False),
    Column("execution_id", Text, nullable=False),
    Column("due", LONG),  # null: at once
    Column("tries", LONG, nullable=False),
    Column("effect", Text, nullable=False),
    Column("blobs", Text),
    UniqueConstraint("key"),
)

queues = Table(
    "queues",
    metadata,
    Column("key", Text, primary_key=True),
    Column("version", LONG, nullable=False),
    Column("body", Text, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("namespace", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("version", LONG, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("namespace", "key"),
)

IS_NEWEST = text("is_newest = 1")

definitions = Table(
    "definitions",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("revision", LONG, nullable=False),
    Column("is_newest", LONG, nullable=False),
    Column("is_deleted", LONG, nullable=False),
    Column("application", Text),  # of the body in lower case, to list by
    Column("author", Text, nullable=False),
    Column("at", LONG, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("kind", "id", "revision"),
    Index("definitions_newest", "kind", "id", unique=True, sqlite_where=IS_NEWEST, postgresql_where=IS_NEWEST),
    Index(
        "definitions_of_application", "kind", "application", "id", sqlite_where=IS_NEWEST, postgresql_where=IS_NEWEST
    ),
)

audit = Table(
    "audit",
    metadata,
    Column("number", LONG, primary_key=True),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("entry", Text, nullable=False),  # canonical JSON, exactly what was hashed
)

evidence = Table(
    "evidence",
    metadata,
    Column("number", LONG, primary_key=True),
    Column("execution_id", Text, nullable=False),
    Column("stage_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("at", LONG, nullable=False),
    Column("item", Text, nullable=False),
    UniqueConstraint("execution_id", "stage_id", "name", "digest"),
    Index("evidence_by_digest", "digest"),
)

logs = Table(
    "logs",
    metadata,
    Column("number", LONG, primary_key=True),
    Column("execution_id", Text, nullable=False),
    Column("stage_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("at", LONG, nullable=False),
    UniqueConstraint("execution_id", "path"),
)
