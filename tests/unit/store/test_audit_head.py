"""The audit chain's head beside the database: kept up to date, never against better knowledge."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests import waiting

from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.audit import AuditEntry
from gennaker.store import audit, audit_head
from gennaker.store.database import NAME, Database


def record(database: Database, count: int = 1, actor: str = "ada") -> None:
    entry = AuditEntry(at=datetime(2026, 11, 24, tzinfo=UTC), actor=actor, action="a", subject="s")
    asyncio.run(audit.DatabaseAuditTrail(database).record(*[entry] * count))


def head(folder: Path) -> object:
    return json.loads((folder / audit_head.NAME).read_bytes())["number"]


def test_an_empty_chain_has_a_head(tmp_path: Path) -> None:
    database = Database.open(tmp_path)

    assert head(tmp_path) == 0
    database.close()


def test_the_head_is_written_when_the_store_is_closed(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    for _ in range(5):
        record(database)
    database.close()

    assert head(tmp_path) == 5


@pytest.mark.slow
def test_the_head_follows_without_further_commits(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    record(database)
    record(database)

    waiting.until_equal(lambda: head(tmp_path), 2)

    database.close()


@pytest.mark.parametrize("damage", ["cut", "replaced", "no head", "broken head"])
def test_a_head_that_contradicts_the_database_is_kept_as_evidence(tmp_path: Path, damage: str) -> None:
    database = Database.open(tmp_path)
    record(database, 5)
    database.close()
    file = tmp_path / audit_head.NAME
    match damage:
        case "no head":
            file.unlink()
        case "broken head":
            file.write_text("{")
        case _:
            with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
                statement = "DELETE FROM audit WHERE number > 3" if damage == "cut" else "UPDATE audit SET hash = 'x'"
                connection.execute(statement)
    before = file.read_bytes() if file.exists() else None

    database = Database.open(tmp_path)
    record(database, 10, actor="eve")
    database.close()

    assert (file.read_bytes() if file.exists() else None) == before
    assert not audit.verify(tmp_path).is_intact


@pytest.mark.parametrize("is_gone", [True, False])
def test_nothing_begins_anew_over_a_database_that_was_lost_or_emptied(tmp_path: Path, *, is_gone: bool) -> None:
    database = Database.open(tmp_path)
    record(database, 5)
    database.close()
    if is_gone:
        (tmp_path / NAME).unlink()
    else:
        with closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
            connection.execute("DELETE FROM audit")

    with pytest.raises(StoreUnusable, match="knows 5 audit records, but the database has none"):
        Database.open(tmp_path)

    (tmp_path / audit_head.NAME).unlink()
    Database.open(tmp_path).close()
