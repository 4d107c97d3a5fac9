"""Connections of a program to instances, as the kernel lists them: requests under way of programs that tell nothing by instance.

Only for programs that open a connection for each request and close it afterwards: there an open connection is a request under
way, or a WebSocket (`docs/decisions/0031-requests-under-way-may-be-unknown.md`). What others have open to the same
instance isn't counted: a connection's owner is found by its inode among the open files of the program's processes.
"""

import ipaddress
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")
_OPEN = rb" (%s) 0[12] \S+ \S+ \S+ +\d+ +\d+ (\d+) "
"""A far end in state ESTABLISHED or SYN_SENT (include/net/tcp_states.h; in all others one side has said that it is done), and the
inode. Looked for in the table as a whole: a busy machine lists tens of thousands of connections that are over."""
_TABLES = ("tcp", "tcp6")
_OVER = ("Z", "X")
"""Dead, or only not yet asked for by its parent."""
_MAPPED = bytes(10) + b"\xff\xff"
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
        except (FileNotFoundError, ProcessLookupError):
            if task.exists():
                raise  # A kernel that doesn't list them: without its workers nothing can be said of the program.
    return frozenset(found)


def _peer(address: str) -> _Peer:
    host, _, port = address.rpartition(":")
    return str(ipaddress.ip_address(host.strip("[]"))), int(port)


def _connections(folder: Path, wanted: frozenset[_Peer]) -> Iterator[tuple[_Peer, bytes]]:
    """Far end and inode of each open connection to one of the wanted."""
    columns = {column: peer for peer in wanted for column in _columns(peer)}
    if not columns:
        return
    pattern = re.compile(_OPEN % b"|".join(columns))
    for table in _TABLES:
        file = folder / table
        if table == "tcp6" and not file.exists():
            continue  # A kernel without IPv6.
        for found in pattern.finditer(file.read_bytes()):
            yield columns[found[1]], found[2]


def _columns(peer: _Peer) -> Iterator[bytes]:
    """`0100007F:1F90`: words of 32 bits in the machine's order of bytes, then the port; of IPv4 also as IPv6 has it."""
    host, port = peer
    packed = ipaddress.ip_address(host).packed
    for form in (packed, _MAPPED + packed) if len(packed) == 4 else (packed,):
        words = struct.unpack(f"={len(form) // 4}I", form)
        yield b"".join(b"%08X" % word for word in words) + b":%04X" % port


def _sockets(proc: Path, pid: int) -> frozenset[bytes]:
    """Inodes of all sockets of the process and those below it; what has ended meanwhile has none. Raises OSError."""
    found: set[bytes] = set()
    below: list[int] = [pid]
    while below:
        number = below.pop()
        try:
            found.update(_open_sockets(proc / str(number) / "fd"))
            below.extend(children(number, proc))
        except OSError:
            if number == pid or not _is_over(proc / str(number)):
                raise
    return frozenset(found)


def _open_sockets(folder: Path) -> Iterator[bytes]:
    for file in folder.iterdir():
        try:
            target = str(file.readlink())
        except FileNotFoundError:
            continue  # Closed meanwhile.
        if target.startswith("socket:["):
            yield target[8:-1].encode()


def _is_over(process: Path) -> bool:
    """Whether it is gone, or only its status is left (proc(5): the state comes after the name, which may hold any sign)."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] in _OVER
    except (FileNotFoundError, ProcessLookupError):
        return True
