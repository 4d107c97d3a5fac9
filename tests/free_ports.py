"""Ports of loopback for servers of tests: nobody listens on them, and nobody will.

The kernel's own choice (port 0) could be given to somebody else before the server listens: to a client's connection, or to
a test in another process. So each test process takes ports of a block of its own, below those from which the kernel and
Gennaker choose, one after the other. Those of other runs on the machine have the same blocks: hence a claim on each port, a name
that the kernel gives once and forgets with the process.
"""

import os
import socket
import sys
from itertools import cycle, islice

_FIRST = 10_000
_BLOCK = 1_000
_BLOCKS = 6
_places = islice(cycle(range(_BLOCK)), os.getpid() % _BLOCK, None)
"""Two runs on one machine begin at different ones."""
_claimed: set[int] = set()


def free_port() -> int:
    """The next one of this process's. Raises OSError if all are in use."""
    named = os.environ.get("PYTEST_XDIST_WORKER", "gw0")  # noqa: TID251 - which of the test processes this is
    worker = int(named.removeprefix("gw")) % _BLOCKS
    for place in islice(_places, _BLOCK):
        port = _FIRST + worker * _BLOCK + place
        if claim(port) and _is_free(port):
            return port
    raise OSError(f"no port from {_FIRST + worker * _BLOCK} on is free")


def claim(port: int) -> bool:
    """Whether it is this process's from now on, until the process ends, and no other's that asks so."""
    if port in _claimed or sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0gennaker-tests/port-{port}")
    except OSError:
        name.close()
        return False
    name.detach()  # the kernel closes it
    _claimed.add(port)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
