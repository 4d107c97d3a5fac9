"""The server keeps connections, and loses no request when it ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from storefront.http import Request, Response, Stream, Upgrade
from storefront.server import Routes, Server, Timing
from storefront.websocket import WebSocket

QUICK = Timing(linger_seconds=0.05, farewell_seconds=0.05)
PATIENT = Timing(linger_seconds=60, farewell_seconds=60)
ASK = b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n"


class Client:
    """A connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, request: bytes) -> str:
        self.writer.write(request)
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()


def serve(scenario: Callable[[Server, Client], Awaitable[None]], timing: Timing = QUICK) -> list[tuple[int, str]]:
    """Runs a scenario against a server; returns what was observed."""
    observed: list[tuple[int, str]] = []

    async def run() -> None:
        routes = Routes()
        routes.add("GET", "/quick", lambda request: Response(200, b""))
        routes.add("GET", "/broken", _break)
        routes.add("GET", "/slow", lambda request: Stream(_slowly()))
        routes.add("GET", "/endless", lambda request: Stream(_endlessly()))
        routes.add("GET", "/live", lambda request: Upgrade(_talk))
        server = Server(routes, observe=lambda *facts: observed.append(facts[:2]), timing=timing)
        port = await server.start("127.0.0.1", 0)
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        async with asyncio.timeout(5):
            await scenario(server, client)
            client.writer.close()
            with suppress(OSError):
                await client.writer.wait_closed()
            await server.stop(1)

    asyncio.run(run())
    return observed


def _break(request: Request) -> Response:
    raise ValueError("on purpose")


async def _slowly() -> AsyncIterator[bytes]:
    yield b"begun"
    await asyncio.sleep(0.1)
    yield b"done"


async def _endlessly() -> AsyncIterator[bytes]:
    yield b"begun"
    await asyncio.Event().wait()


async def _talk(conversation: WebSocket) -> None:
    while await conversation.receive() is not None:
        pass


def test_a_connection_serves_many_requests() -> None:
    async def scenario(server: Server, client: Client) -> None:
        assert "200 OK" in await client.ask(ASK)
        assert "404 Not Found" in await client.ask(ASK.replace(b"quick", b"nowhere"))
        assert "405 Method" in await client.ask(ASK.replace(b"GET", b"PUT"))
        assert "500 Internal" in await client.ask(ASK.replace(b"quick", b"broken"))
        assert "Connection: close" in await client.ask(ASK.replace(b"Host: x", b"Host: x\r\nConnection: close"))
        assert await client.reader.read() == b""

    routes = [route for _, route in serve(scenario)]

    assert routes == ["/quick", "other", "/quick", "/broken", "/quick"]


def test_a_request_that_makes_no_sense_ends_the_connection() -> None:
    async def scenario(server: Server, client: Client) -> None:
        assert "400 Bad Request" in await client.ask(b"nonsense\r\n\r\n")
        assert (await client.reader.read()).endswith(b".\n")

    assert serve(scenario) == [(400, "other")]


def test_a_stream_under_way_is_finished_when_the_server_ends() -> None:
    async def scenario(server: Server, client: Client) -> None:
        await client.ask(ASK.replace(b"quick", b"slow"))
        stopping = asyncio.create_task(server.stop(2))
        assert await client.reader.read() == b"5\r\nbegun\r\n4\r\ndone\r\n0\r\n\r\n"
        client.writer.close()
        assert await stopping == 0

    assert serve(scenario) == [(200, "/slow")]


def test_a_request_on_an_idle_connection_is_answered_while_the_server_ends() -> None:
    async def scenario(server: Server, client: Client) -> None:
        await client.ask(ASK)
        stopping = asyncio.create_task(server.stop(5))
        await asyncio.sleep(0)  # It begins.
        assert server.is_ending
        answer = await client.ask(ASK)
        assert "200 OK" in answer
        assert "Connection: close" in answer
        client.writer.close()
        assert await stopping == 0

    assert serve(scenario, PATIENT) == [(200, "/quick")] * 2


def test_a_connection_is_not_closed_as_idle_while_a_request_waits_in_its_socket() -> None:
    async def scenario(server: Server, client: Client) -> None:
        await client.ask(ASK)
        client.writer.write(ASK)
        (connection,) = server.connections
        connection.close_if_idle()
        assert "200 OK" in (await client.reader.readuntil(b"\r\n\r\n")).decode()

    assert serve(scenario) == [(200, "/quick")] * 2


def test_a_request_that_follows_a_stream_is_answered_while_the_server_ends() -> None:
    async def scenario(server: Server, client: Client) -> None:
        await client.ask(ASK.replace(b"quick", b"slow"))
        stopping = asyncio.create_task(server.stop(5))
        await client.reader.readuntil(b"0\r\n\r\n")
        assert "Connection: close" in await client.ask(ASK)
        client.writer.close()
        assert await stopping == 0

    assert serve(scenario, PATIENT) == [(200, "/slow"), (200, "/quick")]


def test_a_connection_that_waits_to_be_accepted_is_served_when_the_server_ends() -> None:
    async def scenario(server: Server, client: Client) -> None:
        with socket.create_connection(client.writer.get_extra_info("peername")) as waiting:
            waiting.sendall(ASK)
            assert await server.stop(5) == 0
            assert waiting.recv(1000).startswith(b"HTTP/1.1 200 OK")

    assert serve(scenario) == [(200, "/quick")]


def test_idle_connections_do_not_hold_the_end_up() -> None:
    async def scenario(server: Server, client: Client) -> None:
        await client.ask(ASK)
        started = asyncio.get_running_loop().time()
        assert await server.stop(5) == 0
        assert asyncio.get_running_loop().time() - started < 1

    serve(scenario)


def test_whoever_takes_longer_than_the_drain_time_is_cut_off_and_counted() -> None:
    async def scenario(server: Server, client: Client) -> None:
        await client.ask(ASK.replace(b"quick", b"endless"))
        assert await server.stop(0.02) == 1

    assert serve(scenario) == [(499, "/endless")]


def test_a_websocket_gets_a_close_frame_when_the_server_ends() -> None:
    async def scenario(server: Server, client: Client) -> None:
        upgrade = b"Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        assert "101 Switching" in await client.ask(b"GET /live HTTP/1.1\r\n" + upgrade + key + b"\r\n\r\n")
        stopping = asyncio.create_task(server.stop(2))
        assert await client.reader.readexactly(4) == b"\x88\x12\x03\xe9"
        client.writer.write(b"\x88\x82\x00\x00\x00\x00\x03\xe9")
        assert await client.reader.read() == b"the server stops"
        client.writer.close()
        assert await stopping == 0

    serve(scenario)


def test_an_old_client_gets_a_stream_that_ends_with_the_connection() -> None:
    async def scenario(server: Server, client: Client) -> None:
        head = await client.ask(b"GET /slow HTTP/1.0\r\n\r\n")
        assert "Transfer-Encoding" not in head
        assert await client.reader.read() == b"begundone"

    serve(scenario)


def test_a_client_that_waits_for_permission_gets_it_once() -> None:
    async def scenario(server: Server, client: Client) -> None:
        start = b"GET /quick HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        assert await client.ask(start) == "HTTP/1.1 100 Continue\r\n\r\n"
        client.writer.write(b"a")
        await asyncio.sleep(0.01)
        assert "200 OK" in await client.ask(b"b")

    serve(scenario)
