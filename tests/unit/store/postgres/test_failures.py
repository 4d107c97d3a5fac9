"""Failures of PostgreSQL: sentences, without the password."""

import asyncio
import os
import socket
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import text

from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.problems import Refused
from gennaker.store.postgres import failures
from gennaker.store.postgres.database import PostgresDatabase, connect


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (
            "postgresql://ada:secret@db.example:5433/gennaker?sslmode=require",
            "postgresql://ada@db.example:5433/gennaker",
        ),
        ("postgresql://127.0.0.1/g", "postgresql://127.0.0.1/g"),
        ("postgresql://ada:se%40cret@[::1]/g", "postgresql://ada@[::1]/g"),
    ],
)
def test_a_place_names_neither_password_nor_options(url: str, place: str) -> None:
    assert failures.place_of(url) == place


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.DiskFull("no space"), "store.full"),
        (errors.InsufficientPrivilege("not yours"), "store.read_only"),
        (errors.AdminShutdown("going down"), "store.unreachable"),
        (psycopg.OperationalError("gone"), "store.unreachable"),
    ],
)
def test_what_the_server_did_is_a_sentence(error: psycopg.Error, code: str) -> None:
    found = failures.translated(error, "postgresql://h/d")

    assert isinstance(found, StoreUnusable)
    assert found.problem.code == code
    assert "postgresql://h/d" in found.problem.message
    assert found.problem.remedy


def test_our_own_bugs_stay_what_they_are() -> None:
    bug = errors.SyntaxError("at or near SELEKT")

    assert failures.translated(bug, "postgresql://h/d") is bug


def test_nul_is_refused() -> None:
    error = psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")

    assert isinstance(failures.translated(error, "postgresql://h/d"), Refused)


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable) as caught:
        PostgresDatabase.open("postgresql://ada:secret@127.0.0.1:1/nothing", folder=tmp_path)

    assert caught.value.problem.code == "store.unreachable"
    assert "secret" not in str(caught.value)


def test_connections_that_were_lost_are_closed_without_another_error(postgres_url: str, tmp_path: Path) -> None:
    database = PostgresDatabase.open(postgres_url, folder=tmp_path)
    read_one(database)

    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(StoreUnusable) as caught:
        read_one(database)
    assert caught.value.problem.code == "store.unreachable"

    database.close()


@pytest.mark.parametrize(("said", "idle", "unheard"), [("", 10, 30_000), ("?keepalives_idle=7", 7, 30_000)])
def test_a_network_that_is_dead_is_noticed_within_half_a_minute(
    postgres_url: str, said: str, idle: int, unheard: int
) -> None:
    with (
        connect(postgres_url + said) as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as opened,
    ):
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == unheard


def read_one(database: PostgresDatabase) -> None:
    asyncio.run(database.read(lambda connection: connection.execute(text("SELECT 1")).all()))
