"""Arrays: whatever text goes into a row comes out of PostgreSQL as it was."""

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.postgres_server import PostgresServer

from gennaker.store.postgres import statements

pytestmark = pytest.mark.debian
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
ROWS = st.lists(st.tuples(st.none() | TEXTS, st.none() | st.integers(-(2**63), 2**63 - 1)), min_size=1)


@pytest.fixture(scope="module")
def connection(postgres_server: PostgresServer) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as opened:
        yield opened


@settings(deadline=None)
@given(rows=ROWS)
def test_rows_come_out_as_they_went_in(
    connection: psycopg.Connection, rows: list[tuple[str | None, int | None]]
) -> None:
    query = "SELECT r.a, r.b FROM unnest(%s::text[], %s::bigint[]) WITH ORDINALITY AS r (a, b, n) ORDER BY n"

    found = connection.execute(query, statements.columns(rows)).fetchall()

    assert found == rows


@pytest.mark.parametrize("text", ["", "NULL", "{}", '"', "\\", '\\"', ",", "a\nb", "ü", "\U0001f600", " x "])
def test_what_arrays_are_written_with_is_text_like_any_other(connection: psycopg.Connection, text: str) -> None:
    query = "SELECT unnest(%s::text[])"

    assert connection.execute(query, statements.columns([(text,)])).fetchall() == [(text,)]


def test_nul_becomes_the_replacement_character() -> None:
    assert statements.columns([("a\0b",)]) == ['{"a\ufffdb"}']
