"""Protocol: what comes over a connection before anybody has looked at it is bounded, and what is right is served."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from gennaker.web import protocol
from gennaker.web.protocol import HEAD_BYTES, BoundedHeads

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PIECE = 60_000


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Says how long path, headers and body were."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = sum(len(value) for _, value in scope["headers"])
    body = f"{len(scope['raw_path'])} {headers} {size}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def talk(work: Talk) -> None:
    async def with_one(address: tuple[str, int]) -> None:
        reader, writer = await asyncio.open_connection(*address)
        await work(reader, writer)
        writer.close()

    served(with_one)


def served(work: Callable[[tuple[str, int]], Awaitable[None]], **bounds: Any) -> None:
    async def main() -> None:
        config = uvicorn.Config(application, log_config=None, lifespan="off", ws="none")
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: BoundedHeads(config, state, {}, **bounds), "127.0.0.1", 0)
        async with server, asyncio.timeout(120):
            await work(server.sockets[0].getsockname())

    asyncio.run(main())


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return int(head.split(b" ")[1]), await reader.readexactly(length)


async def read_apart(writer: asyncio.StreamWriter, *pieces: bytes) -> None:
    """Each piece by itself, as a slow client sends them, as far as the machine is fast enough."""
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        for _ in range(5):
            await asyncio.sleep(0)  # the server's turn


def test_ten_thousand_bytes_of_headers_are_read() -> None:
    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_apart(writer, b"GET /a HTTP/1.1\r\nX: ", b"x" * 10_000, b"\r\n\r\n")
        assert await answer(reader) == (200, b"2 10000 0")

    talk(work)


def test_a_head_without_an_end_is_answered_and_cut_off() -> None:
    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_apart(writer, b"GET /a HTTP/1.1\r\nX: ")
        sent = 0
        async with asyncio.TaskGroup() as group:
            answering = group.create_task(answer(reader))
            while not answering.done() and sent < 1000 * HEAD_BYTES:
                with contextlib.suppress(ConnectionError):
                    await read_apart(writer, b"x" * PIECE)
                sent += PIECE
        assert answering.result() == (400, b"Request line and headers are too long.")
        assert sent < 1000 * HEAD_BYTES

    talk(work)


def test_bodies_and_the_requests_behind_them_are_no_heads() -> None:
    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (5 * PIECE)
        await read_apart(
            writer, head + b"x" * PIECE, *[b"x" * PIECE] * 3, b"x" * PIECE + b"GET /bc HT", b"TP/1.1\r\n\r\n"
        )
        assert await answer(reader) == (200, b"2 6 300000")
        assert await answer(reader) == (200, b"3 0 0")

    talk(work)


def test_what_is_no_http_is_answered_with_400() -> None:
    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_apart(writer, b"\x16\x03\x01 no http at all\r\n\r\n")
        assert (await answer(reader))[0] == 400

    talk(work)


@pytest.mark.parametrize("said", [b"", b"\r\n", b"GET /a HTT", b"GET /a HTTP/1.1\r\n\r\n"])
def test_who_does_not_come_to_the_end_of_a_head_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    # Long enough for a whole request on a slow machine.
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5 if b"\r\n\r\n" in said else 0.05)

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_apart(writer, said)
        if b"\r\n\r\n" in said:
            assert (await answer(reader))[0] == 200
        await read_apart(writer, b"\r\n" if said.endswith(b"\r\n") else b"")
        assert await reader.read() == b""

    talk(work)


def test_a_body_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)

    async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_apart(writer, b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nx")
        await asyncio.sleep(0.6)
        await read_apart(writer, b"yz")
        assert await answer(reader) == (200, b"2 1 3")

    talk(work)


def test_one_connection_too_many_is_hung_up_on_and_told_until_another_ends() -> None:
    told: list[str] = []
    request = b"GET /a HTTP/1.1\r\n\r\n"

    async def work(address: tuple[str, int]) -> None:
        kept = [await asyncio.open_connection(*address) for _ in range(2)]
        for reader, writer in kept:
            writer.write(request)
            assert (await answer(reader))[0] == 200
        reader, writer = await asyncio.open_connection(*address)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert told == ["connections.too_many"]

        kept[0][1].close()

        while True:  # the server hears of the end in its own time
            reader, writer = await asyncio.open_connection(*address)
            writer.write(request)
            with contextlib.suppress(ConnectionResetError, asyncio.IncompleteReadError):
                assert (await answer(reader))[0] == 200
                break
            writer.close()
        writer.close()
        kept[1][1].close()

    served(work, refused=lambda code, why, address: told.append(code), most_connections=2)
