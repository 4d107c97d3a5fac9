"""The schema in PostgreSQL: brought to the newest version, forward only, by one server at a time."""

from typing import Any

import psycopg

from gennaker.store import migrations
from gennaker.store.postgres import failures

Connection = psycopg.Connection[tuple[Any, ...]]
_LOCK = 0x474E4B52_00000003
"""Advisory lock under which a server migrates: several may start at the same time."""


def migrate(connection: Connection, place: str) -> None:
    """Applies what is missing, all in one transaction. Raises StoreUnusable."""
    (encoding,) = _one(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        raise failures.not_utf8(place, encoding)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        applied = _applied(connection, place)
        known = migrations.known("postgres")
        if applied > known[-1].number:
            raise failures.too_new(place, found=applied, known=known[-1].number)
        if applied == 0:
            connection.execute("CREATE TABLE migrations (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL)")
        for migration in known:
            if migration.number > applied:
                connection.execute(migration.sql.encode())
                connection.execute("INSERT INTO migrations VALUES (%s, %s)", (migration.number, migration.name))


def _applied(connection: Connection, place: str) -> int:
    found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
    tables = {name for (name,) in found}
    if not tables:
        return 0
    if not {"migrations", "executions", "outbox"} <= tables:
        raise failures.foreign(place)
    (number,) = _one(connection, "SELECT max(number) FROM migrations")
    return int(number or 0)


def _one(connection: Connection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row
