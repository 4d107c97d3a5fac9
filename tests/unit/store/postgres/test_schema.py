"""The schema in PostgreSQL: the tables that the code knows, as in SQLite, and nobody else's touched."""

from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import MetaData

from gennaker.store import migrations
from gennaker.store import tables as shared
from gennaker.store import tables_images as images
from gennaker.store.failures import StoreUnusable
from gennaker.store.postgres import tables as own
from gennaker.store.postgres.database import PostgresDatabase, connect
from gennaker.store.statements import POSTGRES

pytestmark = pytest.mark.debian


def described(metadata: MetaData) -> dict[str, object]:
    """Names, types and keys; PostgreSQL has no foreign keys (0001_begin.postgres.sql says why)."""
    return {
        table.name: {
            "columns": [
                (column.name, column.type.compile(POSTGRES).partition(" ")[0], column.nullable)
                for column in table.columns
                if column.name != "fence" or table.name not in own.FENCED
            ],
            "key": [column.name for column in table.primary_key.columns],
            "unique": sorted(
                [column.name for column in constraint.columns]
                for constraint in table.constraints
                if isinstance(constraint, sqlalchemy.UniqueConstraint)
            ),
            "indexes": sorted(
                (str(index.name), [column.name for column in index.columns], bool(index.unique))
                for index in table.indexes
                if "duplicates_constraint" not in index.info and index.name not in OWN_INDEXES
            ),
        }
        for table in metadata.sorted_tables
    }


OWN_INDEXES = {"executions_by_fence", "outbox_by_fence", "outbox_untaken"}


def reflected(url: str) -> MetaData:
    found = MetaData()
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: connect(url))
    with engine.connect() as connection:
        for name in sqlalchemy.inspect(connection).get_table_names():
            sqlalchemy.Table(name, found, autoload_with=connection)
    engine.dispose()
    return found


def test_migrations_give_the_tables_that_the_code_knows(new_postgres_url: str, tmp_path: Path) -> None:
    PostgresDatabase.open(new_postgres_url, folder=tmp_path).close()

    found = described(reflected(new_postgres_url))

    assert found == {**described(shared.metadata), **described(images.metadata), **described(own.metadata)}


@pytest.mark.parametrize("table", own.FENCED)
def test_whose_a_row_is_stands_in_its_last_column(new_postgres_url: str, tmp_path: Path, table: str) -> None:
    PostgresDatabase.open(new_postgres_url, folder=tmp_path).close()

    assert [column.name for column in reflected(new_postgres_url).tables[table].columns][-1] == "fence"


def test_every_text_is_compared_by_code_points(new_postgres_url: str, tmp_path: Path) -> None:
    PostgresDatabase.open(new_postgres_url, folder=tmp_path).close()

    with connect(new_postgres_url) as connection:
        others = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'migrations'"
        ).fetchall()

    assert others == []


def test_what_was_applied_is_written_down_once(new_postgres_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        PostgresDatabase.open(new_postgres_url, folder=tmp_path).close()

    with connect(new_postgres_url) as connection:
        applied = connection.execute("SELECT number, name FROM migrations ORDER BY number").fetchall()

    assert applied == [(one.number, one.name) for one in migrations.known("postgres")]
    assert [(one.number, one.name) for one in migrations.known()] == applied


def test_somebody_else_s_database_is_left_alone(new_postgres_url: str, tmp_path: Path) -> None:
    with connect(new_postgres_url) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")

    with pytest.raises(StoreUnusable) as caught:
        PostgresDatabase.open(new_postgres_url, folder=tmp_path)

    assert caught.value.problem.code == "store.foreign"
    assert set(reflected(new_postgres_url).tables) == {"theirs"}


def test_a_newer_schema_is_left_alone(new_postgres_url: str, tmp_path: Path) -> None:
    PostgresDatabase.open(new_postgres_url, folder=tmp_path).close()
    with connect(new_postgres_url) as connection:
        connection.execute("INSERT INTO migrations VALUES (9999, 'later')")

    with pytest.raises(StoreUnusable) as caught:
        PostgresDatabase.open(new_postgres_url, folder=tmp_path)

    assert caught.value.problem.code == "store.too_new"


def test_a_database_that_cannot_hold_every_text_is_refused(new_postgres_url: str, tmp_path: Path) -> None:
    name = "latin_" + new_postgres_url.rpartition("/")[2]
    with psycopg.connect(new_postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'".encode())

    with pytest.raises(StoreUnusable) as caught:
        PostgresDatabase.open(f"{new_postgres_url.rpartition('/')[0]}/{name}", folder=tmp_path)

    with psycopg.connect(new_postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}".encode())
    assert caught.value.problem.code == "store.encoding"


def test_executions_of_before_are_found_by_their_triggers_also_with_nul_in_a_text(
    postgres_url: str, tmp_path: Path
) -> None:
    PostgresDatabase.open(postgres_url, folder=tmp_path).close()
    with connect(postgres_url) as connection:
        connection.execute("DROP TABLE changes; DROP FUNCTION count_change CASCADE")
        connection.execute("DROP TABLE triggers; DROP INDEX executions_by_kind; DROP INDEX executions_unfinished")
        connection.execute("DELETE FROM migrations WHERE number >= 6")
        for name, outline in (
            ("elsewhere", r'{"a": "\u0000", "trigger": {"type": "git", "eventId": "e-1", "b": "x\u0000"}}'),
            ("itself", r'{"trigger": {"type": "a\u0000", "eventId": "\\\u0000"}}'),
            ("none", "{}"),
        ):
            connection.execute(
                "INSERT INTO executions (id, version, kind, application, name, status, build_time, head)"
                " VALUES (%s, 1, 'PIPELINE', 'shop', '', 'SUCCEEDED', 7, '{}')",
                (name,),
            )
            connection.execute("INSERT INTO outlines (execution_id, body) VALUES (%s, %s)", (name, outline))

    PostgresDatabase.open(postgres_url, folder=tmp_path).close()

    with connect(postgres_url) as connection:
        found = connection.execute("SELECT execution_id, type, event_id FROM triggers ORDER BY execution_id").fetchall()
    assert found == [("elsewhere", "git", "e-1"), ("itself", "a\ufffd", "\\\ufffd"), ("none", "", None)]
