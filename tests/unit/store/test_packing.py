"""Which records of a commit are looked into for large values."""

import asyncio

from tests import make

from gennaker.interfaces.journal import Commit, ExecutionChange
from gennaker.model.codec import decode_json
from gennaker.store.packing import Packer, Packing
from gennaker.store.values import LARGE_BYTES

LARGE = "x" * (LARGE_BYTES + 1)


def packed(packer: Packer, commit: Commit) -> Packing:
    return asyncio.run(packer.packed(commit))


def change(**contexts: str) -> Commit:
    execution = make.execution(*(make.stage_json(name, report=report) for name, report in contexts.items()))
    return Commit(
        executions=(ExecutionChange(head=execution.head, expected_version=0, stages=(*execution.in_order(),)),)
    )


def test_only_what_is_large_is_looked_into() -> None:
    packing = packed(Packer(), change(a="small", b=LARGE, c="small"))

    assert [len(packing.bodies[place]) > len(LARGE) for place in range(5)] == [False] * 5
    assert packing.looked_into == [3]
    assert len(packing.blobs()) == 1
    assert all(isinstance(decode_json(one), dict) for one in packing.bodies)


def test_what_was_large_is_looked_into_at_once_until_it_no_longer_is() -> None:
    packer = Packer()
    packer.remember(packed(packer, change(a="small", b=LARGE)))

    shrunk = packed(packer, change(a="small", b="small"))
    packer.remember(shrunk)
    again = packed(packer, change(a="small", b="small"))

    assert shrunk.looked_into == [3]
    assert again.looked_into == []
    assert shrunk.bodies == again.bodies


def test_bytes_count_not_characters() -> None:
    packing = packed(Packer(), change(a="ü" * (LARGE_BYTES // 2)))

    assert packing.looked_into == [2]
    assert len(packing.blobs()) == 1
