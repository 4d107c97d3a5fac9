"""The load generator against a small server: what it asks for, and what it tells of."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from gennaker.demo import load

Lines = list[dict[str, object]]
Answer = Callable[[bytes], bytes | None]
"""From a request's head to the bytes to send; None: the connection is cut."""
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OFFER = b'{"buy": "/orders?visit=7"}'


def answered(status: int, body: bytes = b"", *, version: str = "1.0", more: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nX-Shop-Version: {version}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + more + b"\r\n" + body


def visits(answer: Answer, count: int = 1) -> Lines:
    """One visitor's visits to a server that answers so; the log's lines with the sum as the last."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while said := answer(await reader.readuntil(b"\r\n\r\n")):
                writer.write(said)
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def scenario(port: int, tally: load.Tally) -> None:
        visitor = load.Visitor("127.0.0.1", port, tally)
        for _ in range(count):
            await visitor.visit()

    return run(serve, scenario)


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[int]:
    """The port of a server whose connections are all closed at the end, on both sides."""
    writers: list[asyncio.StreamWriter] = []

    async def remember(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(remember, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        for writer in writers:
            with suppress(OSError):
                await writer.wait_closed()
        await asyncio.sleep(0.01)  # The clients see that their connections are closed, and close them.


def run(
    serve: Serve,
    scenario: Callable[[int, load.Tally], Awaitable[None]],
) -> Lines:
    async def whole() -> str:
        log = io.StringIO()
        async with asyncio.timeout(600), served(serve) as port:
            tally = load.Tally(log)
            await scenario(port, tally)
            tally.end()
        return log.getvalue()

    return [json.loads(line) for line in asyncio.run(whole()).splitlines()]


def total(lines: Lines) -> object:
    return lines[-1]["total"]


def test_a_visitor_orders_what_the_page_offers() -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request.split(b" HTTP")[0])
        return answered(200, OFFER) if request.startswith(b"GET") else answered(201)

    lines = visits(answer)

    assert asked == [b"GET /", b"POST /orders?visit=7"]
    assert total(lines) == {"requests": 2, "status:200": 1, "status:201": 1, "version:1.0": 2, "orders": 1}


def test_a_visitor_orders_nothing_where_nothing_is_offered() -> None:
    lines = visits(lambda _: answered(200, b'{"buy": null}'), count=3)

    assert total(lines) == {"requests": 3, "status:200": 3, "version:1.0": 3}


def test_an_error_is_told_with_the_version_that_made_it() -> None:
    lines = visits(lambda _: answered(500, version="1.1-bad"))

    assert [lines[0][key] for key in ("error", "version", "what")] == [500, "1.1-bad", "GET /"]
    assert total(lines) == {"requests": 1, "status:500": 1, "version:1.1-bad": 1}


def test_an_order_that_fails_is_no_order() -> None:
    lines = visits(lambda request: answered(200, OFFER) if request.startswith(b"GET") else answered(502))

    assert lines[0]["error"] == 502
    assert "orders" not in json.dumps(total(lines))


@pytest.mark.parametrize("said", [None, b"HTTP/1.1 200 OK\r\nContent-Le", answered(200, OFFER)[:-5]])
def test_a_connection_that_breaks_before_the_answer_is_whole_is_a_transport_error(said: bytes | None) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said or b"")
        writer.close()

    async def scenario(port: int, tally: load.Tally) -> None:
        await load.Visitor("127.0.0.1", port, tally).visit()

    lines = run(serve, scenario)

    assert lines[0]["what"] == "GET /"
    assert "ConnectionResetError" in str(lines[0]["transport_error"])
    assert total(lines) == {"transport_errors": 1}


def test_a_visitor_connects_again_after_being_told_that_the_connection_closes() -> None:
    lines = visits(lambda _: answered(200, b"{}", more=b"Connection: close\r\n"), count=3)

    assert total(lines) == {"requests": 3, "status:200": 3, "version:1.0": 3}


def test_an_answer_may_come_in_pieces() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in answered(200, b'{"buy": null}'):
            writer.write(bytes([byte]))
            await writer.drain()
        writer.close()

    async def scenario(port: int, tally: load.Tally) -> None:
        await load.Visitor("127.0.0.1", port, tally).visit()

    assert total(run(serve, scenario)) == {"requests": 1, "status:200": 1, "version:1.0": 1}


@pytest.mark.slow
def test_load_comes_at_the_wanted_rate_and_a_line_a_second_tells_of_it() -> None:
    log = io.StringIO()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answered(200, b"{}"))
        except asyncio.IncompleteReadError:
            writer.close()

    async def whole() -> None:
        async with served(serve) as port:
            await load.generate(f"http://127.0.0.1:{port}", rate=140, connections=8, log=log, seconds=2.1)

    asyncio.run(whole())

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    # Nothing is offered, so a visit is one request instead of the usual 1.4.
    assert lines[-1]["requests_per_second"] == pytest.approx(100, abs=25)
    assert sum("second" in line for line in lines) >= 2
    assert all("p99_us" in line["second"] for line in lines[:2])
