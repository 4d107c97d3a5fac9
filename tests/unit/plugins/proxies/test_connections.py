"""Connections: those of the program and its children are counted by the address that they lead to, others' aren't."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gennaker.plugins.proxies import connections

_CLIENT = """
import socket, sys
held = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_open_connections_are_counted_until_either_side_closes(family: int, host: str) -> None:
    with socket.socket(family) as server:
        server.bind((host, 0))
        server.listen()
        port = server.getsockname()[1]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

        with closing(socket.create_connection((host, port))), closing(socket.create_connection((host, port))) as second:
            accepted = [server.accept()[0] for _ in range(2)]
            both = connections.by_address((address, "127.0.0.1:9"), os.getpid())
            second.close()
            one = connections.by_address((address,), os.getpid())
            for end in accepted:
                end.close()
            none = connections.by_address((address,), os.getpid())

    assert (both, one, none) == ({address: 2, "127.0.0.1:9": 0}, {address: 1}, {address: 0})


def test_a_childs_are_its_parents_and_a_strangers_are_nobodys() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        argv = [sys.executable, "-c", _CLIENT, "127.0.0.1", str(port)]
        other = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        with (
            subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
            subprocess.Popen(other, stdin=subprocess.PIPE) as stranger,
        ):
            assert child.stdout is not None
            assert child.stdout.readline() == b"held\n"
            address = f"127.0.0.1:{port}"

            of_us = connections.by_address((address,), os.getpid())
            of_the_child = connections.by_address((address,), child.pid)
            of_the_stranger = connections.by_address((address,), stranger.pid)
            child.communicate(timeout=60)
            stranger.communicate(timeout=60)

    assert of_us == of_the_child == {address: 1}
    assert of_the_stranger == {address: 0}


@pytest.mark.parametrize("is_hidden", [True, False])
def test_what_cannot_be_seen_is_unknown_and_not_zero(tmp_path: Path, *, is_hidden: bool) -> None:
    if not is_hidden:
        _write_table(tmp_path / "7" / "net" / "tcp")

    found = connections.by_address(("127.0.0.1:80", "127.0.0.1:81"), 7, tmp_path)

    assert found == {"127.0.0.1:80": None, "127.0.0.1:81": None}


@pytest.mark.parametrize(
    ("child", "found"),
    [("", 1), ("8 (a worker) Z 7", 1), ("8 (:-) S) X 7", 1), ("8 (a worker) S 7", None), ("8 (:-) Z) S 7", None)],
    ids=["gone", "zombie", "dead", "lives", "lives, whatever its name"],
)
def test_a_child_that_has_ended_meanwhile_has_nothing_open(tmp_path: Path, child: str, found: int | None) -> None:
    _write_table(tmp_path / "7" / "net" / "tcp")
    (tmp_path / "7" / "fd").mkdir()
    (tmp_path / "7" / "fd" / "3").symlink_to("socket:[99]")
    (tmp_path / "7" / "task" / "7").mkdir(parents=True)
    (tmp_path / "7" / "task" / "7" / "children").write_text("8 ")
    if child:
        (tmp_path / "8").mkdir()
        (tmp_path / "8" / "stat").write_text(f"{child} 7 7 0 -1")

    assert connections.by_address(("127.0.0.1:80",), 7, tmp_path) == {"127.0.0.1:80": found}


def _write_table(table: Path) -> None:
    """With one connection to 127.0.0.1:80."""
    table.parent.mkdir(parents=True)
    row = "0: 0100007F:0001 0100007F:0050 01 00000000:00000000 00:00000000 00000000 0 0 99 1 0 20 4 30 10 -1"
    table.write_text(f"head\n{row}\n")
