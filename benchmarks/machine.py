"""How fast this machine does what the engine is made of, beside the machine on which the engine's aims were set.

Run: `python benchmarks/machine.py [FOLDER]` (which disk). Plain Python, a C extension, a turn of the event loop and a durable
write: machines that differ by 1.4 in these differ so in tasks a second, too. The least of several rounds counts: what else
the machine does only adds. Aims are from a prototype's measurements of 23 November 2026 (2 cores, Python 3.11).
"""

import asyncio
import copy
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

import msgspec

_ROUNDS = 7
_TIMES = 20_000
_WRITES = 500


class Record(msgspec.Struct, frozen=True):
    """Ten fields, as the engine's records have."""

    a: int = 1
    b: int = 2
    c: str = "c"
    d: str = "d"
    e: float = 1.0
    f: int = 3
    g: int = 4
    h: str = "h"
    i: int = 5
    j: int = 6


Plain = dataclasses.make_dataclass("Plain", [(name, object, 0) for name in Record.__struct_fields__], frozen=True)
_STAGE = {
    "id": "01ABCDEFGHJKMNPQRSTVWXYZ",
    "type": "wait",
    "refId": "1",
    "status": "RUNNING",
    "context": {"waitTime": 1, "note": "n" * 80},
    "startTime": 1_790_000_000_000,
    "tasks": [],
}


def main(folder: str) -> None:
    """Prints the table."""
    record, plain, encoder = Record(), Plain(), msgspec.json.Encoder()
    rows = [
        ("dataclasses.replace (plain Python)", 1.877, _least(lambda: dataclasses.replace(plain, a=2))),
        ("copy.copy (plain Python)", 0.156, _least(lambda: copy.copy(record))),
        ("msgspec.structs.replace (C)", 0.070, _least(lambda: msgspec.structs.replace(record, a=2))),
        ("JSON of a stage (C)", 0.234, _least(lambda: encoder.encode(_STAGE))),
        ("a task of asyncio", 5.7, asyncio.run(_tasks())),
        ("fsync of 4 KB, median", 200.0, _fsync(folder)),
    ]
    sys.stdout.write(f"{'µs':40}{'aims':>8}{'here':>8}{'here/aims':>11}\n")
    for name, then, here in rows:
        sys.stdout.write(f"{name:40}{then:8.3f}{here:8.3f}{here / then:11.2f}\n")


def _least(work: Callable[[], object]) -> float:
    """Microseconds a call, without the call of the lambda itself."""
    return _timed(work) - _timed(lambda: None)


def _timed(work: Callable[[], object]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_TIMES):
            work()
        rounds.append(time.perf_counter() - began)
    return min(rounds) / _TIMES * 1e6


async def _tasks() -> float:
    async def nothing() -> None: ...

    rounds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for _ in range(_TIMES):
            await asyncio.get_running_loop().create_task(nothing())
        rounds.append(time.perf_counter() - began)
    return min(rounds) / _TIMES * 1e6


def _fsync(folder: str) -> float:
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_WRITES):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.gettempdir())
