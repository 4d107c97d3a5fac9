"""Migrations: they give exactly the tables that the code knows."""

import importlib
import pkgutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import MetaData, create_engine

from gennaker import store
from gennaker.store import migrations
from gennaker.store.database import NAME, Database
from gennaker.store.statements import SQLITE


def described(metadata: MetaData) -> dict[str, object]:
    """Everything about the tables that a migration could get wrong."""
    return {
        table.name: {
            "columns": [(column.name, column.type.compile(SQLITE), column.nullable) for column in table.columns],
            "key": [column.name for column in table.primary_key.columns],
            "foreign": sorted(f"{key.parent.name}>{key.target_fullname}" for key in table.foreign_keys),
            "unique": sorted(
                [column.name for column in constraint.columns]
                for constraint in table.constraints
                if isinstance(constraint, sqlalchemy.UniqueConstraint)
            ),
            "indexes": sorted(
                (
                    str(index.name),
                    [column.name for column in index.columns],
                    bool(index.unique),
                    str(index.dialect_options["sqlite"]["where"]),
                )
                for index in table.indexes
            ),
        }
        for table in metadata.sorted_tables
    }


def take_back_searching(connection: sqlite3.Connection) -> None:
    """Undoes migration 6."""
    connection.execute("DROP TABLE triggers")
    connection.execute("DROP INDEX executions_by_kind")
    connection.execute("DROP INDEX executions_unfinished")


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    Database.open(tmp_path).close()
    return tmp_path / NAME


def test_migrations_give_the_tables_that_the_code_knows(migrated: Path) -> None:
    modules = [module.name for module in pkgutil.iter_modules(store.__path__) if module.name.startswith("tables")]
    known = [importlib.import_module(f"gennaker.store.{name}").metadata for name in modules]
    found = MetaData()
    engine = create_engine(f"sqlite:///{migrated}")
    found.reflect(engine)
    engine.dispose()

    assert len(known) >= 2
    assert described(found) == {name: table for one in known for name, table in described(one).items()}


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in migrations.known()] == list(range(1, len(migrations.known()) + 1))


def test_what_was_applied_is_written_down_once(migrated: Path) -> None:
    Database.open(migrated.parent).close()

    with closing(sqlite3.connect(migrated)) as connection:
        applied = connection.execute("SELECT number, name FROM migrations ORDER BY number").fetchall()

    assert applied == [(migration.number, migration.name) for migration in migrations.known()]


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = migrations.Migration(
        number=len(migrations.known()) + 1,
        name="broken",
        sql="CREATE TABLE half (id INTEGER);\nCREATE TABLE half (id INTEGER);\n",
    )
    both = (*migrations.known(), broken)
    monkeypatch.setattr(migrations, "known", lambda: both)

    with closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            migrations.migrate(connection, tmp_path / NAME)

        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_applications_of_before_are_found_by_their_names_in_lower_case(tmp_path: Path) -> None:
    Database.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("DELETE FROM migrations WHERE number >= 4")
        connection.execute("DROP INDEX definitions_of_application")
        take_back_searching(connection)
        connection.execute(
            "INSERT INTO definitions (kind, id, revision, is_newest, is_deleted, application, author, at, body)"
            " VALUES ('pipeline', 'p1', 1, 1, 0, 'Shop', 'ada', 0, '{}')"
        )
        connection.commit()

    Database.open(tmp_path).close()

    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        assert connection.execute("SELECT application FROM definitions").fetchall() == [("shop",)]


def test_the_definitions_of_an_application_are_found_by_an_index(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    query = database.sql.definitions_of
    database.close()

    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        [step] = connection.execute(f"EXPLAIN QUERY PLAN {query}", ("pipeline", "shop")).fetchall()

    assert step[3] == "SEARCH definitions USING INDEX definitions_of_application (kind=? AND application=?)"


def test_executions_of_before_are_found_by_their_triggers(tmp_path: Path) -> None:
    Database.open(tmp_path).close()
    small = '{"trigger": {"type": "git", "eventId": "e-1"}}'
    large = ("null", '[{"at": [], "digest": "sha256:1"}]')
    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("DELETE FROM migrations WHERE number >= 6")
        take_back_searching(connection)
        connection.execute(
            "INSERT INTO blobs VALUES ('sha256:1', CAST(? AS BLOB))", ('{"trigger": {"type": "webhook"}}',)
        )
        for name, kind, outline in (
            ("small", "PIPELINE", (small, None)),
            ("large", "PIPELINE", large),
            ("none", "PIPELINE", ("{}", None)),
            ("task", "ORCHESTRATION", (small, None)),
        ):
            connection.execute(
                "INSERT INTO executions (id, version, kind, application, name, status, build_time, head)"
                " VALUES (?, 1, ?, 'shop', '', 'SUCCEEDED', 7, '{}')",
                (name, kind),
            )
            connection.execute("INSERT INTO outlines VALUES (?, ?, ?)", (name, *outline))
        connection.commit()

    Database.open(tmp_path).close()

    with closing(sqlite3.connect(tmp_path / NAME)) as connection:
        assert connection.execute("SELECT * FROM triggers ORDER BY execution_id").fetchall() == [
            ("large", "shop", 7, "webhook", None),
            ("none", "shop", 7, "", None),
            ("small", "shop", 7, "git", "e-1"),
        ]
