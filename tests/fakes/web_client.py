"""A web client that counts everything that goes wrong, as strictly as a client can.

Keep-alive; a connection that the server has closed before the request is sent is replaced, as every client does.
Nothing is ever repeated: whatever breaks after the first byte was sent is an error.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping

NO_HEADERS: Mapping[str, str] = {}


class Broken(Exception):
    """The exchange broke off."""


class WebClient:
    """One connection to one address, opened when needed."""

    def __init__(self, address: str, timeout_seconds: float = 300) -> None:
        self._timeout = timeout_seconds
        host, _, port = address.rpartition(":")
        self._host, self._port = host, int(port)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def get(self, path: str = "/", headers: Mapping[str, str] = NO_HEADERS) -> tuple[int, str]:
        """Status and body. Raises Broken."""
        try:
            return await asyncio.wait_for(self._get(path, headers), self._timeout)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.close()
            raise Broken(repr(error)) from error

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    async def _get(self, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        if self._reader is not None and self._reader.at_eof():
            self.close()
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\n{more}\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        if "transfer-encoding: chunked" in head:
            body = await self._chunks(self._reader)
        else:
            body = await self._reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
        if "connection: close" in head:
            self.close()
        return int(head.split()[1]), body.decode()

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        return body


class Load:
    """Many clients at once, until stopped; counts answers by status, and by body of those with status 200."""

    def __init__(self, address: str, *, clients: int, pause_seconds: float) -> None:
        self._address = address
        self._clients = clients
        self._pause = pause_seconds
        self._is_over = False
        self.statuses: Counter[int] = Counter()
        self.bodies: Counter[str] = Counter()
        self.broken: list[str] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._run_one())

    def stop(self) -> None:
        self._is_over = True

    async def _run_one(self) -> None:
        client = WebClient(self._address)
        while not self._is_over:
            try:
                status, body = await client.get()
            except Broken as error:
                self.broken.append(str(error))
            else:
                self.statuses[status] += 1
                if status == 200:
                    self.bodies[body] += 1
            await asyncio.sleep(self._pause)
        client.close()
