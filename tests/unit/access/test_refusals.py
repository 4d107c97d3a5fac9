"""Refusals: each is in the audit trail, one by one or counted, and no flood of them fills the disk."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import waiting
from tests.fakes.audit import MemoryAuditTrail

from gennaker.access import refusals
from gennaker.access.refusals import WINDOW, Refusals, sender_of
from gennaker.interfaces.storage import StoreUnusable
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import JsonObject, encode
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem

AT = datetime(2026, 11, 29, tzinfo=UTC)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = AT

    def now(self) -> datetime:
        return self.at

    async def sleep_until(self, at: datetime) -> None:
        self.at = max(self.at, at)
        await asyncio.sleep(0)


class Bench:
    """Refusals over a trail, with a clock that is set by hand."""

    def __init__(self) -> None:
        self.trail, self.clock = MemoryAuditTrail(), Hands()
        self.refusals = Refusals(self.trail, self.clock)

    async def tell(self, sender: str = "address:a", subject: str = "x", code: str = "c") -> None:
        entry = AuditEntry(
            at=self.clock.at, actor="anonymous", action="access.refused", subject=subject, details={"code": code}
        )
        await self.refusals.tell(entry, sender=sender)

    async def later(self, minutes: int = 1) -> None:
        for _ in range(minutes):
            self.clock.at += WINDOW
            await self.refusals.settle(self.clock.at)

    async def told(self) -> list[tuple[str, int]]:
        """Subject, and how many a record stands for."""
        found = await self.trail.records(limit=1_000_000)
        return [(one.entry.subject, int(str(one.entry.details.get("more", 1)))) for one in found]


def test_the_first_is_recorded_at_once_and_the_same_again_is_counted() -> None:
    async def main() -> None:
        bench = Bench()
        for _ in range(5):
            await bench.tell()
        await bench.tell(sender="address:b")
        await bench.tell(code="another")
        assert await bench.told() == [("x", 1)] * 3

        await bench.later()
        assert (await bench.told())[3:] == [("x", 4)]
        counted = (await bench.trail.records())[-1].entry
        assert (counted.details["since"], counted.at) == (AT.isoformat(), AT)

        await bench.tell()
        await bench.later(2)
        assert (await bench.told())[4:] == [("x", 1)], "what goes on is counted by the minute, as a first no more"
        await bench.tell()
        assert (await bench.told())[5:] == [("x", 1)], "what begins again is"

    asyncio.run(main())


def test_nothing_is_left_out_of_a_flood_and_a_sender_leaves_few_records() -> None:
    async def main() -> None:
        bench = Bench()
        for number in range(5_000):
            await bench.tell(subject=f"{number}")
        assert len(await bench.told()) == 20
        await bench.tell(sender="person:ada", subject="other people's are still recorded")
        await bench.later()
        told = await bench.told()
        assert (told[20][0], told[21]) == ("other people's are still recorded", ("several", 4_980))
        for _ in range(60):
            for number in range(100):
                await bench.tell(subject=f"{number}")
            await bench.later()
        await bench.refusals.settle()
        told = await bench.told()
        assert sum(number for _, number in told) == 5_001 + 60 * 100
        assert len(told) < 500, "five in a minute, and the number of what is left"

    asyncio.run(main())


def test_a_flood_from_everywhere_is_bounded_too() -> None:
    async def main() -> None:
        bench = Bench()
        for minute in range(5):
            for number in range(4_000):
                await bench.tell(sender=f"address:{minute}.{number}", subject=f"{number}")
            await bench.later()
        await bench.refusals.settle()
        told = await bench.told()
        assert sum(number for _, number in told) == 20_000
        assert len(told) < 1_000 + 5 * (20 + 22) + 1

    asyncio.run(main())


def test_strangers_leave_those_who_have_signed_in_their_records() -> None:
    async def main() -> None:
        bench = Bench()
        for number in range(2_000):
            await bench.tell(sender=f"address:{number}", subject=f"{number}")
        await bench.tell(sender="person:ada", subject="hers")
        assert ("hers", 1) in await bench.told()
        for number in range(2_000):
            await bench.tell(sender=f"person:{number}", subject=f"{number}")
        assert len(await bench.told()) == 2_000, "they have no more than strangers"

    asyncio.run(main())


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 30)),
            st.integers(1, 3),
        ),
        max_size=20,
    ),
    few=st.booleans(),
)
@settings(max_examples=50)
def test_the_numbers_are_always_all_that_were_refused(steps: list[tuple[str, str, int] | int], few: bool) -> None:
    async def main() -> None:
        bench, told = Bench(), 0
        for step in steps:
            if isinstance(step, int):
                await bench.later(step)
                continue
            sender, subject, times = step
            for number in range(times):
                await bench.tell(sender, subject if few else f"{subject}{number}")
            told += times
        await bench.refusals.settle()
        assert sum(number for _, number in await bench.told()) == told

    asyncio.run(main())


def test_what_a_store_does_not_take_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_MOST_WAITING", 3)

    class Broken(MemoryAuditTrail):
        is_broken = True

        async def record(self, *entries: AuditEntry) -> None:
            if self.is_broken:
                raise StoreUnusable(Problem(code="store.full", message="The disk is full."))
            await super().record(*entries)

    async def main() -> None:
        bench, trail = Bench(), Broken()
        bench.trail, bench.refusals = trail, Refusals(trail, bench.clock)
        for number in range(5):
            with pytest.raises(StoreUnusable):
                await bench.tell(subject=f"{number}")
        with pytest.raises(StoreUnusable):
            await bench.later(2)
        trail.is_broken = False
        await bench.refusals.settle()
        assert await bench.told() == [("0", 1), ("1", 1), ("2", 1), ("several", 2)]

    asyncio.run(main())


def test_who_goes_before_it_is_recorded_takes_no_record_along() -> None:
    class Slow(MemoryAuditTrail):
        is_slow = True

        async def record(self, *entries: AuditEntry) -> None:
            if self.is_slow:
                await asyncio.Event().wait()
            await super().record(*entries)

    async def main() -> None:
        bench, trail = Bench(), Slow()
        bench.trail, bench.refusals = trail, Refusals(trail, bench.clock)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await bench.tell()
        trail.is_slow = False
        await bench.refusals.settle()
        assert await bench.told() == [("x", 1)]

    asyncio.run(main())


def test_the_service_records_what_was_only_noted() -> None:
    async def main() -> None:
        bench = Bench()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.refusals.run(None))  # type: ignore[arg-type]  # it wants none
            await asyncio.sleep(0)
            entry = AuditEntry(at=AT, actor="anonymous", action="request.refused", subject="connection")
            for _ in range(3):
                bench.refusals.note(entry, sender="address:a")

            async def is_told() -> bool:
                return len(await bench.told()) >= 2

            await waiting.until_found(is_told, "what was counted to be told", pause_seconds=0)
            running.cancel()
        assert await bench.told() == [("connection", 1), ("connection", 2)]
        assert bench.clock.at <= AT + timedelta(minutes=4)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("192.0.2.1", "address:192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("fe80::1%eth0", "address:fe80::/64"),
        ("::ffff:192.0.2.1", "address:192.0.2.1"),
        ("", "address:"),
    ],
)
def test_a_sender_is_an_address_or_the_network_of_one_customer(address: str, sender: str) -> None:
    assert sender_of(ANONYMOUS, address) == sender


def test_who_has_signed_in_is_a_sender_from_wherever_they_come() -> None:
    assert sender_of(Principal(name="ada"), "192.0.2.1") == "person:ada"


def test_a_record_of_a_flood_is_small() -> None:
    """The figure that the limits of a day are reckoned with."""

    async def main() -> None:
        bench = Bench()
        await bench.tell(subject="route:PUT /applications/shop/pipelines/e1/cancel")
        assert len(encode((await bench.trail.records())[0])) < 500

    asyncio.run(main())


@pytest.mark.parametrize("character", ["x", "\x80", "\0", '"', "\U0001f600", "\ud800"])
def test_no_text_makes_a_record_long(character: str) -> None:
    async def main() -> None:
        bench, long = Bench(), character * 60_000
        details: JsonObject = {"why": f"Why: {long}", "code": "c", "problems": [long] * 50, "in": {"x": {long: long}}}
        entry = AuditEntry(at=AT, actor=long, action="access.refused", subject=long, details=details)
        await bench.refusals.tell(entry, sender="address:a")
        found = (await bench.trail.records())[0].entry
        assert str(found.details["why"]).startswith("Why: ")
        assert len(encode(found)) < 5_000
        bench.refusals.note(entry, sender="address:a")
        await bench.refusals.settle()
        assert (await bench.told())[1][1] == 1, "the same one, although its texts were cut"

    asyncio.run(main())
