"""Evidence and logs in the native API: reports as they were left, logs followed while they grow and are rotated."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.fakes.virtual_time import RealTime
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness, reached

from gennaker.interfaces.evidence import EvidenceItem, LogFile
from gennaker.model.event import CancelAsked
from gennaker.model.principal import SYSTEM
from gennaker.plugins.flow import plugin as flow

WAIT = {"name": "w", "stages": [make.stage_json("a", type="wait", waitTime=600)]}
Work = Callable[["Log"], Awaitable[None]]


class Log:
    """A log of a stage that runs, and one who follows it."""

    def __init__(self, site: Website, file: Path, execution_id: str) -> None:
        self.site = site
        self.file = file
        self.execution_id = execution_id
        self.path = f"/api/v1/executions/{execution_id}/log?path=logs/x/log"

    def write(self, text: str | bytes) -> None:
        with self.file.open("ab") as opened:
            opened.write(text.encode() if isinstance(text, str) else text)

    def rotate(self) -> None:
        self.file.rename(self.file.with_name("log.1"))

    async def end(self) -> None:
        services = self.site.ports.services
        event = CancelAsked(at=services.clock.now(), by="ada")
        await services.executions.tell(self.execution_id, event, SYSTEM)

    async def read(self, events: AsyncIterator[str], until: str) -> str:
        found = ""
        async with asyncio.timeout(600):
            while not found.endswith(until):
                event = await anext(events)
                assert event.startswith("event: log\n"), event
                found += json.loads(event.split("data: ", 1)[1])["text"]
        return found


def follow(tmp_path: Path, work: Work) -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()), data=tmp_path, time=RealTime())

    async def go(site: Website) -> None:
        execution_id = (await site.post("/api/v1/run", WAIT)).json["executionId"]
        async with asyncio.timeout(600):
            await reached(site.ports.services, execution_id, "wait")
        found = await site.ports.services.executions.get(execution_id)
        assert found is not None
        file = tmp_path / "logs" / "x" / "log"
        file.parent.mkdir(parents=True)
        log = LogFile(
            execution_id=execution_id, stage_id=next(found.in_order()).id, name="log", path="logs/x/log", at=make.AT
        )
        await harness.logs.register(log)
        await work(Log(site, file, execution_id))

    visit(go, harness=harness)


@pytest.mark.slow
def test_a_log_is_followed_until_its_stage_has_ended(tmp_path: Path) -> None:
    async def work(log: Log) -> None:
        log.write("one\n")
        async with log.site.stream(log.path) as events:
            assert await log.read(events, "one\n") == "one\n"
            log.write("two\n")
            assert await log.read(events, "two\n") == "two\n"
            log.write("three\n")
            await log.end()
            assert await log.read(events, "three\n") == "three\n"
            assert await anext(events) == "event: end\ndata: {}"

    follow(tmp_path, work)


@pytest.mark.slow
def test_a_log_that_is_rotated_loses_and_repeats_nothing(tmp_path: Path) -> None:
    async def work(log: Log) -> None:
        log.write("one\n")
        async with log.site.stream(log.path) as events:
            await log.read(events, "one\n")
            log.write("two\n")
            log.rotate()
            log.write("three, which is longer than everything before it\n")
            assert await log.read(events, "it\n") == "two\nthree, which is longer than everything before it\n"

    follow(tmp_path, work)


@pytest.mark.slow
def test_a_character_that_is_written_in_two_parts_arrives_whole(tmp_path: Path) -> None:
    async def work(log: Log) -> None:
        log.write(b"caf\xc3")
        async with log.site.stream(log.path) as events:
            await log.read(events, "caf")
            log.write(b"\xa9\n")
            assert await log.read(events, "\n") == "é\n"
            log.write(b"\xff\n")
            assert await log.read(events, "\n") == "\N{REPLACEMENT CHARACTER}\n"

    follow(tmp_path, work)


@pytest.mark.slow
def test_of_a_long_log_the_end_is_sent(tmp_path: Path) -> None:
    async def work(log: Log) -> None:
        log.write("x" * 500_000 + "end\n")
        async with log.site.stream(log.path) as events:
            assert len(await log.read(events, "end\n")) == 200_000

    follow(tmp_path, work)


@pytest.mark.slow
def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    async def work(log: Log) -> None:
        async with log.site.stream(log.path) as events:
            reading = asyncio.ensure_future(log.read(events, "late\n"))  # noqa: TID251 - awaited below
            await asyncio.sleep(0.5)
            log.write("late\n")
            assert await reading == "late\n"

    follow(tmp_path, work)


@pytest.mark.slow
def test_a_log_is_followed_no_longer_than_the_server_runs(tmp_path: Path) -> None:
    async def work(log: Log) -> None:
        log.write("one\n")
        async with log.site.stream(log.path) as events:
            await log.read(events, "one\n")

            log.site.ports.ending.set()

            async with asyncio.timeout(600):
                assert await anext(events, "over") == "over"

    follow(tmp_path, work)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "logs/x/log.1", "token", ""])
def test_only_registered_logs_are_read(tmp_path: Path, path: str) -> None:
    async def work(log: Log) -> None:
        answer = await log.site.get(f"/api/v1/executions/{log.execution_id}/log?path={path}")
        assert (answer.status, answer.json["code"]) == (404, "log.unknown")

    follow(tmp_path, work)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"\x1a\x45\xdf\xa3rest", "video/webm"),
        (b"\0\0\0\x18ftypisom", "video/mp4"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_pictures_and_videos_are_told_by_what_they_are_so_that_a_page_can_show_them(
    content: bytes, media_type: str
) -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    item = EvidenceItem(
        execution_id="",
        stage_id="s",
        name="r.html",
        kind="file",
        media_type="text/html",
        digest="sha256:" + hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        at=make.AT,
    )

    async def work(site: Website) -> None:
        execution_id = (await site.post("/api/v1/run", WAIT)).json["executionId"]
        await site.ports.services.evidence.put(replace(item, execution_id=execution_id), content)

        answer = await site.get(f"/api/v1/evidence/{item.digest}")

        assert (answer.body, answer.headers["content-type"]) == (content, media_type)
        assert answer.headers["content-disposition"] == "attachment"

    visit(work, harness=harness)


def test_reports_are_listed_and_read_as_they_were_left_and_never_as_a_page_of_ours() -> None:
    harness = Harness(flow.plugin, scripted.plugin(Target()))
    content = b"<script>alert(1)</script>"
    digest = "sha256:" + hashlib.sha256(content).hexdigest()

    async def work(site: Website) -> None:
        execution_id = (await site.post("/api/v1/run", WAIT)).json["executionId"]
        item = EvidenceItem(
            execution_id=execution_id,
            stage_id="s",
            name="r.html",
            kind="file",
            media_type="text/html",
            digest=digest,
            size_bytes=len(content),
            at=make.AT,
        )
        await site.ports.services.evidence.put(item, content)

        (listed,) = (await site.get(f"/api/v1/executions/{execution_id}/evidence")).json["evidence"]
        answer = await site.get(f"/api/v1/evidence/{listed['digest']}")

        assert (listed["name"], listed["sizeBytes"]) == ("r.html", len(content))
        assert answer.body == content
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == "attachment"
        assert (await site.get("/api/v1/executions/nobody/evidence")).status == 404

    visit(work, harness=harness)
