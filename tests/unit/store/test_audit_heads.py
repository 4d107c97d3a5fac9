"""Signed heads outside: a chain that was written anew with its head file is found out, and when heads are exported."""

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import msgspec
import pytest
from tests.fakes.registry import MemoryRegistry

from gennaker.model import codec
from gennaker.model.problems import Refused
from gennaker.plugins.oci.audit_heads import RegistryHeads
from gennaker.settings import AuditSettings
from gennaker.store import audit, audit_head, audit_heads, chain
from gennaker.store.audit_head import Head
from gennaker.store.audit_heads import Exported, HeadExporter, SignedHead
from gennaker.testing.virtual_time import VirtualTime
from gennaker.transport import signing
from gennaker.transport.http import GuardedClient

AT = datetime(2026, 11, 28, tzinfo=UTC)
SEED = b"s" * 32
PUBLIC = signing.public_key(SEED)
Rows = list[tuple[int, str, str, str]]


def rows_of(count: int, *, word: str = "a") -> Rows:
    return chain.following(0, audit_head.NO_HASH, [json.dumps({word: number}) for number in range(count)])


def head_of(rows: Rows, number: int = 0) -> Head:
    row = rows[number - 1]
    return Head(number=row[0], hash=row[2])


def exported(*heads: SignedHead, public: bytes = PUBLIC) -> Exported:
    return Exported(place="heads", public=public, heads={one.number: one for one in heads})


def signed(rows: Rows, number: int = 0, seed: bytes = SEED) -> SignedHead:
    return audit_heads.sign(head_of(rows, number), at=AT, seed=seed)


def test_a_chain_that_agrees_with_its_heads_is_intact() -> None:
    rows = rows_of(10)

    verdict = audit.judge(rows, head_of(rows), exported(signed(rows, 4), signed(rows, 9)))

    assert verdict.is_intact
    assert verdict.sentence.endswith("It agrees with 2 heads in heads, the newest of record 9.")


def test_a_chain_that_was_written_anew_with_its_head_file_is_found_out() -> None:
    rows, forged = rows_of(10), rows_of(10, word="b")

    assert audit.judge(forged, head_of(forged)).is_intact
    found = audit.judge(forged, head_of(forged), exported(signed(rows, 4)))
    assert (found.finding, found.first_bad) == ("rewritten", 4)


def test_a_chain_that_was_cut_off_with_its_head_file_is_found_out() -> None:
    rows = rows_of(10)

    found = audit.judge(rows[:6], head_of(rows, 6), exported(signed(rows, 9)))

    assert (found.finding, found.first_bad) == ("cut-off", 7)
    assert found.sentence.startswith("Records 7 to 9 were cut off: heads has")
    last = audit.judge(rows[:8], head_of(rows, 8), exported(signed(rows, 9)))
    assert last.sentence.startswith("Record 9 was cut off: heads has")


@pytest.mark.parametrize("number", [4, 10, 11])
def test_a_head_that_someone_else_has_signed_accuses_nobody(number: int) -> None:
    rows, other = rows_of(10), rows_of(11, word="b")

    found = audit.judge(rows, head_of(rows), exported(signed(other, number, b"x" * 32)))

    assert found.finding == "forged-head"


def test_without_a_head_outside_it_is_said_so() -> None:
    rows = rows_of(2)

    assert audit.judge(rows, head_of(rows), exported()).sentence.endswith("heads holds no head yet.")


def test_ten_thousand_records_and_many_heads_take_less_than_a_second() -> None:
    rows = rows_of(10_000)
    one = signed(rows, 1)  # signatures of heads that agree don't matter, but of the newest
    heads = exported(*(msgspec.structs.replace(one, number=row[0], hash=row[2]) for row in rows[::10]))
    heads.heads[10_000] = signed(rows)
    began = time.process_time()

    verdict = audit.judge(rows, head_of(rows), heads)

    assert verdict.is_intact
    assert time.process_time() - began < 1


class Chain:
    """A chain that grows."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    async def newest(self) -> Head | None:
        return head_of(self.rows) if self.rows else None

    async def hash_of(self, number: int) -> str | None:
        return next((row[2] for row in self.rows if row[0] == number), None)


def exporter(
    chain: Chain, time: VirtualTime, settings: AuditSettings, *, answer: int = 200, posted: list[bytes] | None = None
) -> HeadExporter:
    def take(request: httpx2.Request) -> httpx2.Response:
        if posted is not None:
            posted.append(request.content)
        return httpx2.Response(answer)

    async def resolved(_host: str, _port: int) -> tuple[str, ...]:
        return ("9.9.9.9",)

    client = GuardedClient(resolve=resolved, transport=httpx2.MockTransport(take))
    return HeadExporter(settings, seed=SEED, newest=chain.newest, hash_of=chain.hash_of, clock=time, client=client)


def kept(file: Path) -> list[int]:
    return sorted(audit_heads.read(file, PUBLIC).heads)


def test_heads_are_exported_after_so_many_records_or_seconds(tmp_path: Path) -> None:
    file, rows = tmp_path / "heads", rows_of(30)
    settings = AuditSettings(file=str(file), every_records=10, every_seconds=60)
    growing, clock = Chain([]), VirtualTime()

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(exporter(growing, clock, settings).run())
            for seconds, count in ((6, 1), (6, 9), (6, 11), (58, 12), (10, 12), (120, 12)):
                growing.rows = rows[:count]
                await asyncio.sleep(seconds)
            running.cancel()

    clock.run(story())

    assert kept(file) == [1, 11, 12]
    assert all(head.is_signed_by(PUBLIC) for head in audit_heads.read(file, PUBLIC).heads.values())


def test_a_server_that_begins_again_goes_on_after_the_last_head(tmp_path: Path) -> None:
    file, rows = tmp_path / "heads", rows_of(30)
    settings = AuditSettings(file=str(file), every_records=10)
    file.write_bytes(codec.encode(signed(rows, 8)) + b'\n{"number": 9, "ha')

    async def begin(chain: Chain, clock: VirtualTime) -> None:
        async with asyncio.timeout(1):
            await exporter(chain, clock, settings).run()

    for chain_now in (Chain(rows[:8]), Chain(rows[:20])):
        clock = VirtualTime(AT)
        with pytest.raises(TimeoutError):
            clock.run(begin(chain_now, clock))

    assert kept(file) == [8, 20]
    with pytest.raises(Refused, match="no head is signed any more"):
        clock.run(begin(Chain(rows_of(30, word="b")), clock))
    assert kept(file) == [8, 20]


def test_a_webhook_gets_each_head_and_its_refusal_is_said() -> None:
    rows, posted = rows_of(3), list[bytes]()
    settings = AuditSettings(webhook="https://log.example/heads")
    clock = VirtualTime()

    first = clock.run(exporter(Chain(rows), clock, settings, posted=posted).look())

    assert [codec.decode(one, SignedHead) for one in posted] == [first]
    with pytest.raises(Refused, match=r"https://log.example/heads answered 503"):
        clock.run(exporter(Chain(rows), clock, settings, answer=503).look())


def test_a_place_that_does_not_take_heads_is_said(tmp_path: Path) -> None:
    clock = VirtualTime()
    with pytest.raises(Refused, match="can't be written: Is a directory"):
        clock.run(exporter(Chain(rows_of(1)), clock, AuditSettings(file=str(tmp_path))).look())


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    first = audit_heads.seed(tmp_path, "secret")

    assert audit_heads.seed(tmp_path, "another") == first
    assert (tmp_path / audit_heads.KEY_NAME).stat().st_mode & 0o777 == 0o600
    assert audit_heads.public_key("", tmp_path) == signing.public_key(first)
    assert audit_heads.public_key(PUBLIC.hex(), tmp_path) == PUBLIC


@pytest.mark.parametrize("content", ["", "zz", "abcd"])
def test_a_key_that_is_none_is_said(tmp_path: Path, content: str) -> None:
    (tmp_path / audit_heads.KEY_NAME).write_text(content)

    with pytest.raises(Refused, match="no signing key"):
        audit_heads.seed(tmp_path, "new")
    with pytest.raises(Refused, match="no signing key"):
        audit_heads.public_key("", tmp_path)
    with pytest.raises(Refused, match="64 digits"):
        audit_heads.public_key(content or "x", tmp_path)


@pytest.mark.parametrize("content", [b"{}", b'{"number": 1}', b"[}"])
def test_a_file_of_something_else_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "heads").write_bytes(content + b"\n")

    with pytest.raises(Refused, match=r"Line 1 of .* is no audit head"):
        audit_heads.read(tmp_path / "heads", PUBLIC)
    with pytest.raises(Refused, match="can't be read: No such file"):
        audit_heads.read(tmp_path / "gone", PUBLIC)


def placed(chain: Chain, place: RegistryHeads, settings: AuditSettings) -> HeadExporter:
    return HeadExporter(
        settings,
        seed=SEED,
        newest=chain.newest,
        hash_of=chain.hash_of,
        clock=VirtualTime(),
        client=GuardedClient(),
        place=place,
    )


def test_heads_go_to_the_place_and_a_chain_that_contradicts_them_is_not_signed() -> None:
    rows, forged = rows_of(10), rows_of(12, word="b")
    place = RegistryHeads(MemoryRegistry(), "audit/heads")

    async def story() -> None:
        await placed(Chain(rows), place, AuditSettings()).look()
        kept = await audit_heads.in_place(place, PUBLIC)
        assert kept.heads[10].hash == head_of(rows).hash
        assert audit.judge(rows, head_of(rows), kept).is_intact
        assert audit.judge(forged, head_of(forged), kept).finding == "rewritten"
        with pytest.raises(Refused, match=r"whose head 10 is in 127[.]0[.]0[.]1:5000/audit/heads"):
            await placed(Chain(forged), place, AuditSettings()).run()
        await place.keep(11, b"nonsense")
        with pytest.raises(Refused, match="is none"):
            await audit_heads.in_place(place, PUBLIC)

    asyncio.run(story())


def test_heads_of_two_places_are_held_against_the_chain_together() -> None:
    rows = rows_of(10)

    found = audit_heads.both(exported(signed(rows, 4)), exported(signed(rows, 9)))

    assert (sorted(found.heads), found.place) == ([4, 9], "heads and heads")
