"""The server itself: health, live updates, audit, stopping."""

import asyncio
import json

from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.interfaces.executions import Update
from gennaker.model.audit import AuditEntry
from gennaker.model.problems import Problem
from gennaker.plugins.flow import plugin as flow


def test_ready_says_whether_recovery_is_over() -> None:
    async def work(site: Website) -> None:
        assert (await site.get("/health/ready", token=None)).json == {"status": "UP"}
        site.is_ready = False
        answer = await site.get("/health/ready", token=None)
        assert (answer.status, answer.json) == (503, {"status": "STARTING"})
        assert (await site.get("/health/live", token=None)).status == 200

    visit(work)


def test_ready_says_no_with_the_reason_while_nothing_can_be_kept() -> None:
    async def work(site: Website) -> None:
        site.unkept = Problem(code="store.full", message="There is no space left.", remedy="Free some.")
        answer = await site.get("/health/ready", token=None)
        assert (answer.status, answer.json) == (
            503,
            {"status": "DOWN", "code": "store.full", "reason": "There is no space left. Free some."},
        )
        site.unkept = None
        assert (await site.get("/health/ready", token=None)).status == 200

    visit(work)


def test_updates_are_told_as_they_come_from_the_greeting_on() -> None:
    async def work(site: Website) -> None:
        async with site.stream("/api/v1/events") as events:
            assert await anext(events) == "event: hello\ndata: {}"
            for number in range(3):
                site.ports.services.updates.publish(Update(topic="release", id=f"r{number}"))

            told = [await anext(events) for _ in range(3)]

        assert [line.split("\n")[:2] for line in told] == [[f"id: {n}", "event: release"] for n in (1, 2, 3)]
        assert json.loads(told[0].split("data: ")[1])["id"] == "r0"

    visit(work)


def test_a_silent_stream_is_kept_open_by_comments_that_are_no_events() -> None:
    async def work(site: Website) -> None:
        async with site.stream("/api/v1/events") as events:
            await anext(events)
            assert await anext(events) == ": still here"
            assert await anext(events) == ": still here"

    visit(work)


def test_one_who_has_left_is_told_nothing_more() -> None:
    async def work(site: Website) -> None:
        async with site.stream("/api/v1/events") as events:
            await anext(events)
        await asyncio.sleep(1)
        assert site.ports.services.updates._followers == set()  # type: ignore[attr-defined]  # noqa: SLF001 - nobody else knows

    visit(work)


def test_a_stream_ends_with_the_server() -> None:
    async def work(site: Website) -> None:
        async with site.stream("/api/v1/events") as events:
            await anext(events)
            reading = asyncio.ensure_future(anext(events, "over"))  # noqa: TID251 - awaited below
            await asyncio.sleep(1)

            await site.post("/api/v1/stop")

            async with asyncio.timeout(1):
                assert await reading == "over"
        async with site.stream("/api/v1/events") as late, asyncio.timeout(1):
            assert [event async for event in late] == ["event: hello\ndata: {}"]

    visit(work)


def test_a_run_is_told_step_by_step() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))

    async def work(site: Website) -> None:
        async with site.stream("/api/v1/events") as events:
            await anext(events)
            answer = await site.post("/api/v1/run", {"name": "m", "stages": [make.stage_json("a", type="make")]})
            told = json.loads((await anext(events)).split("data: ")[1])
            assert (told["topic"], told["id"]) == ("execution", answer.json["executionId"])

    visit(work, harness=harness)


def test_audit_records_are_read_page_by_page() -> None:
    harness = Harness()

    async def work(site: Website) -> None:
        for number in range(5):
            entry = AuditEntry(at=make.AT, actor="ada", action=f"a{number}", subject="x")
            await harness.audit.record(entry)
        first = (await site.get("/api/v1/audit?limit=3")).json["records"]
        second = (await site.get(f"/api/v1/audit?limit=3&after={first[-1]['number']}")).json["records"]
        assert [one["entry"]["action"] for one in first + second] == [f"a{n}" for n in range(5)]
        assert (await site.get("/api/v1/audit?limit=1001")).status == 400
        for number in ("-1", "9" * 19, "9" * 5000):
            assert (await site.get(f"/api/v1/audit?after={number}")).status == 400
        assert (await site.get("/api/v1/audit/verify")).json == {"isIntact": True}

    visit(work, harness=harness)


def test_stopping_is_recorded_and_done() -> None:
    harness = Harness()

    async def work(site: Website) -> None:
        assert (await site.post("/api/v1/stop")).json == {"stopping": True}
        assert site.ports.ending.is_set()
        (record,) = await harness.audit.records()
        assert (record.entry.actor, record.entry.action) == ("operator", "server.stopped")

    visit(work, harness=harness)
