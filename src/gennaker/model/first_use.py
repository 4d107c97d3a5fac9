"""First use: what msgspec learns of a record when it first reads one, learned before there are threads.

msgspec keeps what it has learned of a record's class in that class, from the moment at which it begins to learn (msgspec 0.22):
a thread that reads such a record while another one still learns finds half of it, and the process dies of a segmentation fault.
"""

import contextlib
from collections.abc import Iterator

import msgspec


def learn() -> None:
    """All records that have been defined so far; to be called before threads read any. Takes a tenth of a second for a whole server."""
    for kind in _subclasses(msgspec.Struct):
        # Of some classes no record can be read, as they hold what is no JSON; then nobody does.
        with contextlib.suppress(TypeError, NameError):
            msgspec.json.Decoder(kind)


def _subclasses(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)
