"""Connections of a program to instances, as the kernel lists them: requests under way of programs that tell nothing by instance.

Only for programs that open a connection for each request and close it afterwards: there an open connection is a request under
way, or a WebSocket (`docs/decisions/0031-requests-under-way-may-be-unknown.md`). What others have open to the same
instance isn't counted: a connection's owner is found by its inode among the open files of the program's processes.
"""

import ipaddress
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_OPEN = (b"01", b"02")
"""ESTABLISHED and SYN_SENT (include/net/tcp_states.h); in all other states one side has said that it is done."""
_TABLES = ("tcp", "tcp6")
_Peer = tuple[str, int]


def by_address(addresses: Iterable[str], pid: int, proc: Path = _PROC) -> dict[str, int | None]:
    """How many connections the process and those below it have to each address; None everywhere if that can't be seen."""
    peers = {address: _peer(address) for address in addresses}
    try:
        listed = list(_connections(proc / str(pid) / "net", frozenset(peers.values())))
        # Nothing leads to any of them, whoever asks: the open files needn't be looked at.
        own = _sockets(proc, pid) if listed else frozenset()
    except OSError:  # Another system than Linux, or processes that may not be looked into. Said by None.
        return dict.fromkeys(peers)
    counts = Counter(peer for peer, inode in listed if inode in own)
    return {address: counts[peer] for address, peer in peers.items()}


def children(pid: int, proc: Path = _PROC) -> frozenset[int]:
    """The process's own children. Raises OSError."""
    found: set[int] = set()
    for task in (proc / str(pid) / "task").iterdir():
        try:
            found.update(int(child) for child in (task / "children").read_text().split())
        except FileNotFoundError:
            if task.exists():
                raise  # A kernel that doesn't list them: without its workers nothing can be said of the program.
    return frozenset(found)


def _peer(address: str) -> _Peer:
    host, _, port = address.rpartition(":")
    return str(ipaddress.ip_address(host.strip("[]"))), int(port)


def _connections(folder: Path, wanted: frozenset[_Peer]) -> Iterator[tuple[_Peer, bytes]]:
    """Far end and inode of each open connection to one of the wanted."""
    for table in _TABLES:
        file = folder / table
        if table == "tcp6" and not file.exists():
            continue  # A kernel without IPv6.
        for line in file.read_bytes().splitlines()[1:]:
            columns = line.split(None, 10)
            if columns[3] in _OPEN and (peer := _far_end(columns[2])) in wanted:
                yield peer, columns[9]


def _far_end(column: bytes) -> _Peer:
    """`0100007F:1F90`: words of 32 bits in the machine's order of bytes, then the port."""
    host, _, port = column.partition(b":")
    words = [int(host[first : first + 8], 16) for first in range(0, len(host), 8)]
    found = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found), int(port, 16)


def _sockets(proc: Path, pid: int) -> frozenset[bytes]:
    """Inodes of all sockets of the process and those below it."""
    found: set[bytes] = set()
    for number in _tree(proc, pid):
        for file in (proc / str(number) / "fd").iterdir():
            try:
                target = str(file.readlink())
            except FileNotFoundError:
                continue  # Closed meanwhile.
            if target.startswith("socket:["):
                found.add(target[8:-1].encode())
    return frozenset(found)


def _tree(proc: Path, pid: int) -> Iterator[int]:
    yield pid
    for child in children(pid, proc):
        yield from _tree(proc, child)
