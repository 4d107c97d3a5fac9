"""Room: whether what comes in can be kept is tried, not guessed."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.virtual_time import VirtualTime

from gennaker.store.database import Database
from gennaker.store.room import NEEDED_BYTES, Room


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], check=True, timeout=600)
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True, timeout=600)


@pytest.mark.root
def test_a_disk_with_too_little_space_is_told_until_there_is_enough(small_disk: Path) -> None:
    time = VirtualTime()
    database = Database.open(small_disk / "data")
    room = Room(database, time)
    ballast = small_disk / "ballast"

    async def check() -> None:
        assert await room.problem() is None

        ballast.write_bytes(bytes(4 * 1024 * 1024 - NEEDED_BYTES))
        time.pass_by(2)
        found = await room.problem()

        assert found is not None
        assert (found.code, str(small_disk / "data") in found.message) == ("store.full", True)
        ballast.unlink()
        time.pass_by(2)
        assert await room.problem() is None

    asyncio.run(check())
    database.close()
    assert {path.name for path in (small_disk / "data").iterdir()} == {"gennaker.db", "audit-head.json"}


def test_a_database_that_takes_nothing_is_told_where_there_is_space(tmp_path: Path) -> None:
    database = Database.open(tmp_path)

    async def check() -> None:
        await database.write(lambda connection: connection.exec_driver_sql("PRAGMA query_only = 1"))

        found = await Room(database, VirtualTime()).problem()

        assert found is not None
        assert found.code == "store.read_only"

    asyncio.run(check())
    database.close()


def test_many_who_ask_at_once_are_answered_by_one_try(tmp_path: Path) -> None:
    time = VirtualTime()
    database = Database.open(tmp_path)
    room = Room(database, time)

    async def tries() -> object:
        query = "SELECT version FROM documents WHERE namespace = 'health'"
        return await database.read(lambda connection: connection.exec_driver_sql(query).scalar())

    async def check() -> None:
        assert await asyncio.gather(*(room.problem() for _ in range(20))) == [None] * 20
        assert await tries() == 1

        time.pass_by(2)
        await room.problem()
        assert await tries() == 2

    asyncio.run(check())
    database.close()
