"""Ports on loopback: free ones for servers that keep theirs over restarts, and listening on one.

Free ones are taken from below the range out of which the kernel gives outgoing connections theirs: a port from within it may
be in use by a client's connection at the very moment at which its server wants to bind again.
"""

import errno
import os
import resource
import socket
import sys
import threading
import zlib
from collections.abc import Set as AbstractSet
from pathlib import Path

from gennaker.model.problems import Problem, Refused

_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST = 16384
_USUAL_END = 32768
_CLAIMS = 512
"""More than are chosen between choosing one and listening there: those of a whole server group's instances are."""
_claimed: dict[int, int] = {}
"""Descriptors of the sockets that claim ports, oldest first. Of the process, as the ports are: whoever chooses in it knows them."""
_claiming = threading.Lock()
_FILES = 8192
"""More than anybody needs, and few enough for programs that look at each number below their limit."""


class NoFreePort(Exception):
    """Every port that may be given is in use."""


def free(key: str, taken: AbstractSet[int] = frozenset()) -> int:
    """A port that nobody listens on and that isn't in `taken`; the search starts at a place that the key decides.

    Another Gennaker on this machine that chooses before anybody listens there chooses another.
    """
    end = _end()
    count = end - _FIRST
    start = zlib.crc32(key.encode()) % count
    for step in range(count):
        port = _FIRST + (start + step) % count
        if port not in taken and is_free("127.0.0.1", port) and _claim(port):
            return port
    raise NoFreePort(f"All ports from {_FIRST} to {end - 1} are in use.")


def _claim(port: int) -> bool:
    """Whether no other process has just chosen it; it is this one's until it has chosen many others, or ends.

    A name that the kernel gives once, among those of Linux' that are no files; elsewhere nobody is kept off.
    """
    with _claiming:
        if sys.platform != "linux":
            return True
        if port in _claimed:
            _claimed[port] = _claimed.pop(port)  # the newest again
            return True
        with socket.socket(socket.AF_UNIX) as claim:
            try:
                claim.bind(f"\0gennaker/port-{port}")
            except OSError as error:
                return error.errno != errno.EADDRINUSE
            _claimed[port] = claim.detach()
        if len(_claimed) > _CLAIMS:
            os.close(_claimed.pop(next(iter(_claimed))))
        return True


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def listening_at(path: str) -> socket.socket:
    """A unix socket that listens there, for its owner and group; one that a dead server has left is replaced. Raises Refused."""
    file = Path(path)
    bound = socket.socket(socket.AF_UNIX)
    try:
        if file.is_socket():
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(path) == 0:
                    raise OSError("somebody listens there already")  # noqa: TRY301 - said as all else that is in the way
            file.unlink()
        bound.bind(path)
        file.chmod(0o660)
        bound.listen()
    except OSError as error:
        bound.close()
        raise Refused(
            Problem(
                code="server.proxy_socket",
                message=f"sign-in.proxy-socket is {path}, where nobody can listen: {error.strerror or error}.",
                remedy="Name a file in a folder that the server's user may write to.",
            )
        ) from error
    return bound


def listening(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens there (0: on a free port). Raises Refused, naming the setting, if the port is in use.

    It listens at once: of two sockets that are merely bound to a port, the later to listen fails, long after its start.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by what is accepted. asyncio does so only for sockets whose protocol is said; without it the second part of an
    # answer, its body, waits some 40 ms for the first to be acknowledged.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        bound.bind((host, port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise Refused(
            Problem(
                code="server.port",
                message=f"Gennaker can't listen on {host}:{port}: {error.strerror}.",
                remedy=f"Stop what uses it, or set {setting} to another port (0: a free one).",
            )
        ) from error
    return bound


def _end() -> int:
    try:
        first_ephemeral = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_END
    return first_ephemeral if first_ephemeral > _FIRST + 1000 else _USUAL_END


def room_for_files() -> int:
    """How many files this process reckons with, connections among them: up to 8,192. Its limit is raised to that where it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = raised_limit(soft, hard)
    if limit != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return _FILES if limit == resource.RLIM_INFINITY else min(limit, _FILES)


def raised_limit(soft: int, hard: int) -> int:
    """The limit of open files that there should be. A higher one is left alone; containers often have a million."""
    if soft == resource.RLIM_INFINITY:
        return soft
    return max(soft, _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES))
