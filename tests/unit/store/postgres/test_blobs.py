"""Large values in PostgreSQL: they come out as they went in, whatever their size, and once."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import waiting

from gennaker.store.postgres import blobs
from gennaker.store.postgres.database import PostgresDatabase, Raw, connect
from gennaker.store.rows import HUGE_BYTES

pytestmark = pytest.mark.debian


@pytest.fixture
def connection(postgres_url: str, tmp_path: Path) -> Iterator[Raw]:
    PostgresDatabase.open(postgres_url, folder=tmp_path).close()
    with connect(postgres_url) as opened:
        yield opened


def stored(connection: Raw) -> dict[str, bytes]:
    return dict(connection.execute("SELECT digest, content FROM blobs", binary=True).fetchall())


@pytest.mark.parametrize("size", [0, 1, HUGE_BYTES, HUGE_BYTES + 1, 4 * HUGE_BYTES])
def test_a_value_comes_out_as_it_went_in(connection: Raw, size: int) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]

    blobs.write(connection, [("sha256:ü", content)])

    assert stored(connection) == {"sha256:ü": content}


@pytest.mark.parametrize("size", [1, HUGE_BYTES + 1])
def test_what_the_store_has_is_left_alone(connection: Raw, size: int) -> None:
    for content in (b"a" * size, b"b" * size):
        blobs.write(connection, [("d", content), ("d", content)])

    assert stored(connection) == {"d": b"a" * size}


def test_what_another_server_is_just_writing_is_written_once(connection: Raw, postgres_url: str) -> None:
    content = b"x" * (HUGE_BYTES + 1)
    with connect(postgres_url) as other:
        other.execute("BEGIN")
        blobs.write(other, [("d", content)])
        writing = threading.Thread(target=blobs.write, args=(connection, [("d", content)]))
        writing.start()
        waiting.until_seen(
            lambda: other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone(), "it to wait for the other"
        )
        other.execute("COMMIT")
        waiting.joined(writing)

    assert stored(connection) == {"d": content}
