"""Evidence on the disk: damage is told, leftovers of a crash don't matter."""

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gennaker.interfaces.evidence import EvidenceItem
from gennaker.store.database import Database
from gennaker.store.evidence import FileEvidence
from gennaker.store.failures import StoreUnusable

CONTENT = b"<testsuite tests='3'/>"
HEX = hashlib.sha256(CONTENT).hexdigest()
ITEM = EvidenceItem(
    execution_id="01A",
    stage_id="s1",
    name="unit.xml",
    kind="junit",
    media_type="application/xml",
    digest=f"sha256:{HEX}",
    size_bytes=len(CONTENT),
    at=datetime(2026, 11, 24, tzinfo=UTC),
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def kept(database: Database) -> Path:
    """The kept file's path."""
    asyncio.run(FileEvidence(database).put(ITEM, CONTENT))
    return database.folder / "evidence" / "sha256" / HEX[:2] / HEX[2:]


def test_files_lie_under_their_digest(kept: Path) -> None:
    assert kept.read_bytes() == CONTENT
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_a_file_that_was_changed_is_not_given_out(database: Database, kept: Path) -> None:
    kept.write_bytes(CONTENT + b" ")

    with pytest.raises(StoreUnusable) as caught:
        asyncio.run(FileEvidence(database).read(ITEM.digest))

    assert caught.value.problem.code == "store.file_damaged"
    assert str(kept) in str(caught.value)


def test_a_file_that_was_removed_is_missed(database: Database, kept: Path) -> None:
    kept.unlink()

    with pytest.raises(StoreUnusable):
        asyncio.run(FileEvidence(database).read(ITEM.digest))


def test_a_damaged_file_is_written_anew_when_its_content_comes_again(database: Database, kept: Path) -> None:
    kept.write_bytes(CONTENT[:4])

    asyncio.run(FileEvidence(database).put(ITEM, CONTENT))

    assert asyncio.run(FileEvidence(database).read(ITEM.digest)) == CONTENT


def test_a_file_without_a_row_is_unknown(database: Database, kept: Path) -> None:
    other = kept.parent.parent / "00" / ("0" * 62)
    other.parent.mkdir()
    other.write_bytes(CONTENT)

    assert asyncio.run(FileEvidence(database).read("sha256:" + "0" * 64)) is None
