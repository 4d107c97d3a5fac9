"""Who may read what is written.

What the server writes is its owner's alone, whatever the umask of the shell that it was started in. Programs that it starts
(git, build tools, build steps, instances) write as they do on any machine: what they make must not depend on who
started the server either, and a file that only its owner may read is of no use in an image.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from gennaker.transport import shim

PRIVATE_UMASK = 0o077
ORDINARY_UMASK = shim.CHILD_UMASK
"""For programs that are started without a shim."""
_PRIVATE = 0o600


@contextmanager
def private_files() -> Iterator[None]:
    """What this process creates meanwhile, in whichever thread, only its owner may read."""
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


def open_private(path: str, flags: int) -> int:
    """An opener for `open`: a file that it makes is its owner's alone, also where nobody has called `private_files`."""
    return os.open(path, flags, _PRIVATE)
