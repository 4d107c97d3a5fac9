"""Opening the database: whatever is wrong with it is one sentence, and the file stays as it was."""

import asyncio
import contextlib
import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gennaker.store import audit_head
from gennaker.store.database import NAME, Database
from gennaker.store.documents import DatabaseDocuments
from gennaker.store.failures import StoreUnusable

NOBODY = 65534
WRITE_AS_NOBODY = """
import asyncio, os, sys
from pathlib import Path
from gennaker.store.database import Database
from gennaker.store.failures import StoreUnusable
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
try:
    Database.open(Path(sys.argv[1])).close()
except StoreUnusable as error:
    print(error.problem.code)
    print(error)
"""


def fill(folder: Path, count: int = 200) -> None:
    database = Database.open(folder)
    documents = DatabaseDocuments(database, "test")

    async def put() -> None:
        for number in range(count):
            await documents.put(f"k{number}", {"text": "x" * 500})

    asyncio.run(put())
    database.close()


def read_all(folder: Path) -> int:
    database = Database.open(folder)
    try:
        return len(asyncio.run(DatabaseDocuments(database, "test").list()))
    finally:
        database.close()


def fingerprint(folder: Path) -> dict[str, str]:
    """Of what the folder holds, the log and the index of readers apart: SQLite makes them to read."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if not path.name.endswith(("-wal", "-shm"))
    }


def refusal(folder: Path) -> StoreUnusable:
    with pytest.raises(StoreUnusable) as caught:
        Database.open(folder)
    return caught.value


def test_a_database_is_made_where_there_is_none(tmp_path: Path) -> None:
    fill(tmp_path / "deep" / "folder", count=3)

    assert read_all(tmp_path / "deep" / "folder") == 3
    assert (tmp_path / "deep" / "folder").stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("open_to_all")
def test_all_files_of_the_store_are_their_owners_alone(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    asyncio.run(DatabaseDocuments(database, "test").put("k", {"secret": "x"}))

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}

    assert modes == dict.fromkeys((NAME, f"{NAME}-wal", f"{NAME}-shm", audit_head.NAME), 0o600)
    database.close()


def test_commits_are_synced_to_the_disk(tmp_path: Path) -> None:
    database = Database.open(tmp_path)

    def pragmas(name: str) -> object:
        return asyncio.run(database.write(lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()))

    settings = [pragmas(name) for name in ("journal_mode", "synchronous", "foreign_keys")]
    database.close()

    assert settings == ["wal", 2, 1]


def test_opening_and_closing_again_changes_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    before = fingerprint(tmp_path)

    database = Database.open(tmp_path)
    database.close()
    database.close()

    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("damage", ["header", "page", "cut", "text"])
def test_a_damaged_database_is_refused_and_left_as_it_is(tmp_path: Path, damage: str) -> None:
    fill(tmp_path)
    path = tmp_path / NAME
    content = bytearray(path.read_bytes())
    match damage:
        case "header":
            content[:16] = b"not a database!!"
        case "page":
            content[4096 * 10 : 4096 * 14] = bytes(range(256)) * 64
        case "cut":
            del content[len(content) // 2 :]
        case _:
            content[:] = b"just some text\n" * 500
    path.write_bytes(content)
    before = fingerprint(tmp_path)

    error = refusal(tmp_path)

    assert error.problem.code == "store.corrupt"
    assert str(path) in error.problem.message
    assert "restore it from a backup" in error.problem.remedy
    assert fingerprint(tmp_path) == before


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as connection:
        connection.execute("INSERT INTO migrations VALUES (9999, 'future')")
    before = fingerprint(tmp_path)

    error = refusal(tmp_path)

    assert error.problem.code == "store.too_new"
    assert "schema 9999" in str(error)
    assert "newer Gennaker" in error.problem.remedy
    assert fingerprint(tmp_path) == before


def test_somebody_else_s_database_is_refused(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    before = fingerprint(tmp_path)

    assert refusal(tmp_path).problem.code == "store.foreign"
    assert fingerprint(tmp_path) == before


def test_a_database_that_another_program_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    monkeypatch.setattr("gennaker.store.database._BUSY_MILLISECONDS", 20)
    with contextlib.closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")

        error = refusal(tmp_path)

    assert error.problem.code == "store.busy"
    assert read_all(tmp_path) == 200


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    error = refusal(tmp_path / "data")

    assert error.problem.code == "store.disk"
    assert str(tmp_path / "data") in str(error)


@pytest.mark.slow
@pytest.mark.parametrize("has_database", [False, True])
def test_a_folder_without_write_permission_is_refused(tmp_path: Path, has_database: bool) -> None:
    """As an ordinary user: root may write everywhere."""
    folder = tmp_path / "data"
    folder.mkdir()
    if has_database:
        fill(folder)
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    open_to_all = [parent for parent in folder.parents if parent.owner() == folder.owner() and str(parent) != "/"]
    modes = {parent: parent.stat().st_mode for parent in open_to_all}
    for parent in open_to_all:
        parent.chmod(modes[parent] | 0o011)
    before = fingerprint(folder)

    ran = subprocess.run(
        [sys.executable, "-c", WRITE_AS_NOBODY, str(folder)], capture_output=True, text=True, timeout=600, check=False
    )
    for parent in open_to_all:
        parent.chmod(modes[parent])
    folder.chmod(0o755)

    assert ran.returncode == 0, ran.stderr
    code, sentence = ran.stdout.splitlines()
    assert code == "store.read_only"
    assert "write permission" in sentence
    assert str(folder) in sentence
    assert fingerprint(folder) == before


def _until_full(folder: Path, limit: Callable[[Database], None]) -> tuple[int, StoreUnusable]:
    """Writes until the store says that it is full: how many writes were acknowledged, and what it said."""
    database = Database.open(folder)
    limit(database)
    documents = DatabaseDocuments(database, "test")
    acknowledged = 0

    async def put() -> None:
        nonlocal acknowledged
        for number in range(10_000):
            await documents.put(f"k{number}", {"text": "x" * 2000})
            acknowledged += 1

    try:
        with pytest.raises(StoreUnusable) as caught:
            asyncio.run(put())
    finally:
        database.close()
    return acknowledged, caught.value


def test_a_full_database_says_so_and_loses_nothing(tmp_path: Path) -> None:
    def limit(database: Database) -> None:
        asyncio.run(
            database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100").scalar())
        )

    acknowledged, error = _until_full(tmp_path, limit)

    assert error.problem.code == "store.full"
    assert "Free some space" in error.problem.remedy
    assert acknowledged > 50
    assert read_all(tmp_path) == acknowledged


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=True, timeout=600)
    yield disk
    subprocess.run(["umount", str(disk)], check=True, timeout=600)


@pytest.mark.root
@pytest.mark.slow
def test_a_full_disk_loses_nothing_and_writing_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 500_000)

    acknowledged, error = _until_full(small_disk / "data", lambda _: None)
    ballast.unlink()

    assert error.problem.code == "store.full"
    assert acknowledged > 50
    assert read_all(small_disk / "data") == acknowledged
    fill(small_disk / "data", count=acknowledged + 10)
    assert read_all(small_disk / "data") == acknowledged + 10


@pytest.mark.root
@pytest.mark.slow
def test_a_disk_without_room_for_a_database_is_refused(small_disk: Path) -> None:
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)

    error = refusal(small_disk / "data")

    assert error.problem.code == "store.full"
