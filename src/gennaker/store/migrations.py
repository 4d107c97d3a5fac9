"""Migrations: brings a database to the newest schema, forward only.

`migrations/NNNN_what.sql` are applied in the order of their numbers, all that are missing in one transaction: a power cut
leaves the old schema or the new one. Where PostgreSQL needs other text `NNNN_what.postgres.sql` stands beside and takes the
place there (postgres/schema.py). A released file is never edited. Reached from database.py only.
"""

import sqlite3
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from gennaker.store import failures

_APPLICATION_ID = 0x474E4B52  # "GNKR" in the file's header: tells our databases from others (PRAGMA application_id)
_FOLDER = "migrations"


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One file of statements."""

    number: int
    name: str
    sql: str


def known(dialect: str = "sqlite") -> tuple[Migration, ...]:
    """All migrations of this Gennaker for `sqlite` or `postgres`, by number."""
    found: dict[str, Traversable] = {}
    own = f".{dialect}"
    for file in resources.files("gennaker.store").joinpath(_FOLDER).iterdir():
        stem, _, suffix = file.name.rpartition(".")
        plain, kind = stem.removesuffix(own), stem.endswith(own)
        if suffix == "sql" and "." not in plain and (kind or plain not in found):
            found[plain] = file
    return tuple(sorted((_read(name, file) for name, file in found.items()), key=lambda migration: migration.number))


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Applies what is missing. Raises StoreUnusable for a file that is newer, or somebody else's."""
    applied = _applied(connection, path)
    newest = known()[-1].number
    if applied > newest:
        raise failures.too_new(path, found=applied, known=newest)
    missing = [migration for migration in known() if migration.number > applied]
    if not missing:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if applied == 0:
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute("CREATE TABLE migrations (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL)")
        for migration in missing:
            for statement in _statements(migration.sql):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (migration.number, migration.name))
    except BaseException:
        # SQLite has rolled back by itself where the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _applied(connection: sqlite3.Connection, path: Path) -> int:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if tables and (application_id != _APPLICATION_ID or "migrations" not in tables):
        raise failures.foreign(path)
    if not tables:
        return 0
    (number,) = connection.execute("SELECT max(number) FROM migrations").fetchone()
    return int(number or 0)


def _read(name: str, file: Traversable) -> Migration:
    number, _, name = name.partition("_")
    return Migration(number=int(number), name=name, sql=file.read_text(encoding="utf-8"))


def _statements(sql: str) -> list[str]:
    """One by one: `executescript` would commit before each file."""
    found: list[str] = []
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ""
    assert not statement.strip(), "a migration must end with a whole statement"
    return found
