"""A lot's document: whatever text a commit holds comes out of PostgreSQL as it was, and the chain is that of SQLite."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gennaker.model.audit import AuditEntry
from gennaker.store import audit_head, chain
from gennaker.store.postgres import lot
from gennaker.store.postgres.database import PostgresDatabase, connect
from gennaker.store.postgres.servers import PostgresServers, Terms
from gennaker.store.rows import CommitRows, Row
from gennaker.store.values import LARGE_BYTES

pytestmark = pytest.mark.debian
AT = datetime(2026, 11, 24, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))


class Store:
    """A database with one server and a connection that writes lots."""

    def __init__(self, url: str, folder: Path) -> None:
        self.database = PostgresDatabase.open(url, folder=folder)
        self.servers = PostgresServers(self.database, Terms(name="a", lease_seconds=60, poll_seconds=0.1))
        self.connection = connect(url)
        lot.prepare(self.connection)

    def write(self, *commits: CommitRows) -> None:
        lot.write(self.connection, commits, self.servers.fence)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.connection.execute(query.encode()).fetchall()

    def close(self) -> None:
        self.connection.close()
        self.servers.close()
        self.database.close()


@pytest.fixture
def store(postgres_url: str, tmp_path: Path) -> Iterator[Store]:
    opened = Store(postgres_url, tmp_path)
    yield opened
    opened.close()


def commit(
    *, effects: list[Row] | None = None, blobs: list[Row] | None = None, audit: tuple[str, ...] = ()
) -> CommitRows:
    return CommitRows(
        blobs=blobs or [], executions=[], queues=[], dropped=[], effects=effects or [], handed_over=[], audit=audit
    )


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    key=TEXTS,
    body=TEXTS,
    due=st.none() | st.integers(-(2**63), 2**63 - 1),
    blobs=st.none() | TEXTS,
)
def test_rows_come_out_as_they_went_in(store: Store, key: str, body: str, due: int | None, blobs: str | None) -> None:
    store.write(commit(effects=[(key, "e", due, 0, body, blobs)]))

    found = store.rows("DELETE FROM outbox RETURNING key, execution_id, due, tries, effect, blobs, fence")

    assert found == [(key, "e", due, 0, body, blobs, store.servers.fence)]


@pytest.mark.parametrize(
    "text", ["", "null", "{}", '"', "\\", '\\"', "\\u0000", "\\\\u0000", "a\nb", "ü", "\U0001f600", " x "]
)
def test_what_documents_are_written_with_is_text_like_any_other(store: Store, text: str) -> None:
    store.write(commit(effects=[(text, text, None, 0, text, None)]))

    assert store.rows("SELECT key, execution_id, effect FROM outbox") == [(text, text, text)]


def test_nul_becomes_the_replacement_character(store: Store) -> None:
    store.write(commit(effects=[("a\0b", "e", None, 0, "\\u0000", None)]))

    assert store.rows("SELECT key, effect FROM outbox") == [("a\ufffdb", "\\u0000")]


def test_blobs_of_a_lot_are_stored_once(store: Store) -> None:
    content = bytes(range(256)) * LARGE_BYTES
    one, other = commit(blobs=[("d1", content), ("d2", b"")]), commit(blobs=[("d1", content)])

    store.write(one, other)
    store.write(other)

    assert store.rows("SELECT digest, content FROM blobs ORDER BY digest") == [("d1", content), ("d2", b"")]


def test_records_are_chained_as_in_sqlite(store: Store) -> None:
    entries = [entry for n in range(5) for entry in chain.encoded_entries((_entry(f"ü\0\\{n}"),))]

    store.write(commit(audit=tuple(entries[:2])), commit(audit=tuple(entries[2:4])))
    store.write(commit(audit=tuple(entries[4:])))

    expected = chain.following(0, audit_head.NO_HASH, entries)
    assert store.rows("SELECT number, previous, hash, entry FROM audit ORDER BY number") == expected


def test_a_server_without_a_lease_writes_nothing(store: Store) -> None:
    with pytest.raises(psycopg.Error) as caught:
        lot.write(store.connection, [commit(effects=[("k", "e", None, 0, "{}", None)])], store.servers.fence + 1)

    assert caught.value.sqlstate == lot.LEASE_ENDED
    assert store.rows("SELECT key FROM outbox") == []


def test_the_function_is_the_connections_own(store: Store) -> None:
    found = store.rows("SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace")

    assert found == [("count_change",)]  # the schema's own


def _entry(subject: str) -> AuditEntry:
    return AuditEntry(at=AT, actor="ada", action="step", subject=subject)
