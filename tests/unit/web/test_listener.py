"""Listener: who comes from where is what the connection says, whatever the request's headers do."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from gennaker.web.listener import Listener


async def application(scope: Any, _: Any, send: Any) -> None:
    """Says where the request came from, and how."""
    body = f"{scope['client'][0]} {scope['scheme']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def test_forwarding_headers_are_believed_of_nobody() -> None:
    headers = b"Host: x\r\nX-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n"

    async def main() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as bound:
            listener = Listener(application, bound)
            async with asyncio.timeout(120), asyncio.TaskGroup() as group:
                serving = group.create_task(listener.serve())
                reader, writer = await asyncio.open_connection(*bound.getsockname())
                writer.write(b"GET / HTTP/1.1\r\n" + headers + b"\r\n")
                answer = await reader.read()
                writer.close()
                listener.should_exit = True
                await serving
            return answer

    assert asyncio.run(main()).endswith(b"\r\n\r\n127.0.0.1 http")


async def answers_to(asked: Sequence[bytes], told: list[tuple[str, str]]) -> list[bytes]:
    """The status of each answer, every request by a connection of its own."""
    answers = []
    with socket.create_server(("127.0.0.1", 0)) as bound:
        listener = Listener(application, bound, lambda code, why, address: told.append((code, address)))
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            serving = group.create_task(listener.serve())
            for one in asked:
                reader, writer = await asyncio.open_connection(*bound.getsockname())
                writer.write(one)
                answers.append((await reader.read()).split(b" ")[1])
                writer.close()
            listener.should_exit = True
            await serving
    return answers


def test_what_is_refused_is_told_though_no_application_sees_it() -> None:
    told: list[tuple[str, str]] = []
    asked = (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"no request at all\r\n\r\n",
    )

    assert set(asyncio.run(answers_to(asked, told))) == {b"400"}

    assert {code for code, _ in told} <= {"request.two_lengths", "request.unreadable"}, "the parser may see it first"
    assert [address for _, address in told] == ["127.0.0.1"] * 3


NO_HOSTS = (
    b"127.0.0.1:abc",
    b"127.0.0.1:8084, evil",
    b"ev il",
    b"a/b",
    b"\xff\xfe",
    b"[::1",
    b"a@b",
    b"x#y",
    b"x:999999",
)
HOSTS = (b"x", b"", b"evil.example:1", b"x:", b"[::1]:8084", b"localhost%00.evil")


def test_a_host_that_is_none_is_refused_and_told_before_anybody_reads_it() -> None:
    told: list[tuple[str, str]] = []
    head = b"GET / HTTP/1.1\r\nConnection: close\r\nHost: "

    refused = asyncio.run(answers_to([head + one + b"\r\n\r\n" for one in NO_HOSTS], told))
    twice = asyncio.run(answers_to([head + b"x\r\nHost: y\r\n\r\n"], told))
    passed = asyncio.run(answers_to([head + one + b"\r\n\r\n" for one in HOSTS], told))

    assert (refused, twice, passed) == ([b"400"] * len(NO_HOSTS), [b"400"], [b"200"] * len(HOSTS))
    assert [code for code, _ in told] == [*["request.no_host"] * len(NO_HOSTS), "request.two_hosts"]
