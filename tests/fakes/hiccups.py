"""Interfaces of load balancers that answer something, but not what is asked."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import StrEnum


class Hiccup(StrEnum):
    """What comes instead of an answer."""

    RESET = "reset"
    """The connection is cut off after the question."""
    NONSENSE = "nonsense"
    FAILURE = "failure"
    """A status that says so, with JSON that says nothing."""


def answering(hiccup: Hiccup) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """What a server does with a connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if hiccup is Hiccup.NONSENSE:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n<html")
            await writer.drain()
        elif hiccup is Hiccup.FAILURE:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        elif writer.get_extra_info("socket").family == socket.AF_INET:
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.close()

    return answer
