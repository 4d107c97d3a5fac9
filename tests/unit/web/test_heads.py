"""HEAD: as GET, without a body, and not at all where GET isn't only reading."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from tests.fakes.website import Website
from tests.harness import Harness
from tests.unit.web.routes import CLOSED, OPEN
from uvicorn.server import ServerState

from gennaker.web import heads
from gennaker.web.heads import Heads
from gennaker.web.protocol import BoundedHeads

LEFT_OUT = {path.replace("{name}", "x").replace("{execution_id}", "x") for path in heads.LEFT_OUT}
READ = sorted(route.removeprefix("GET ") for route in OPEN.keys() | CLOSED if route.startswith("GET "))
TOLD = ("content-length", "content-type", "etag", "link", "location", "cache-control")


def visit(work: Callable[[Website], Awaitable[None]]) -> None:
    harness = Harness()

    async def main() -> None:
        async with harness.process() as core:
            await work(Website(harness, core))

    harness.time.run(main())


def test_every_route_that_only_reads_answers_as_get_does() -> None:
    async def work(site: Website) -> None:
        for path in READ:
            if path in LEFT_OUT:
                continue
            got, answer = await site.get(path), await site.call("HEAD", path)
            assert (path, answer.status, answer.body) == (path, got.status, b"")
            assert {one: answer.headers.get(one) for one in TOLD} == {one: got.headers.get(one) for one in TOLD}, path
            assert "x-content-type-options" in answer.headers

    visit(work)


@pytest.mark.parametrize("path", [*sorted(LEFT_OUT), "/auth/logout/", "/auth//logout"])
def test_what_does_something_or_never_ends_has_none(path: str) -> None:
    async def work(site: Website) -> None:
        answer = await site.call("HEAD", path)

        assert (answer.status, answer.headers["allow"], answer.body) == (405, "GET, OPTIONS", b"")

    visit(work)


def test_all_that_are_left_out_are_there() -> None:
    assert set(READ) >= LEFT_OUT


@pytest.mark.parametrize("path", ["/api/v1/audit", "/api/v1/nothing", "/pipelines/x/cancel"])
def test_it_needs_what_get_needs(path: str) -> None:
    async def work(site: Website) -> None:
        got = await site.get(path, token=None)
        answer = await site.call("HEAD", path, token=None)

        assert got.status in (401, 404, 405)
        assert (answer.status, answer.body) == (got.status, b"")

    visit(work)


def test_a_connection_goes_on_after_it() -> None:
    left: list[bool] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        """Says by which method it was asked, in two pieces."""
        said = scope["method"].encode()
        headers = [(b"content-length", b"%d" % (2 * len(said)))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said, "more_body": True})
        left.append((await receive())["type"] == "http.disconnect")
        await send({"type": "http.response.body", "body": said})

    async def main() -> None:
        config = uvicorn.Config(Heads(application), log_config=None, lifespan="off", ws="none")
        server = await asyncio.get_running_loop().create_server(
            lambda: BoundedHeads(config, ServerState(), {}), "127.0.0.1", 0
        )
        async with server, asyncio.timeout(120):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            again = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(6)
            writer.close()

        assert b"content-length: 6" in head
        assert again.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"GETGET"
        assert left == [True, False]

    asyncio.run(main())
