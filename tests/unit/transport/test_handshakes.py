"""Cancelled TLS handshakes, with all clients."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes import certificates

from gennaker.plugins.docker.engine import Engine
from gennaker.plugins.oci.session import RegistryAccount, Session
from gennaker.settings import DockerSettings
from gennaker.transport.http import GuardedClient
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer

Asked = tuple[Coroutine[object, object, object], Callable[[], Awaitable[None]]]
"""A request that is about to be sent, and what closes its client."""
SECONDS = 60
"""Until a connection that stays open fails a test."""


@pytest.fixture
def _no_collecting() -> Iterator[None]:
    """Garbage that is collected just then would close it, too."""
    gc.disable()
    yield
    gc.enable()


def api_server(host: str, _: str) -> Asked:
    access = Access(server=f"https://{host}", user=User(token="t"))
    one = HttpApiServer("prod", lambda: access, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    return one.request("GET", "/version"), one.close


def engine(host: str, authorities: str) -> Asked:
    one = Engine("prod", DockerSettings(address=f"tcp://{host}", ca_file=authorities))
    return one.ask("GET", "/_ping", about="x"), _nothing_to_close


async def _nothing_to_close() -> None:
    """It has no connections that it keeps."""


def guarded(host: str, _: str) -> Asked:
    one = GuardedClient(allowed=(host,))
    return one.request("GET", f"https://{host}/"), one.close


def registry(host: str, _: str) -> Asked:
    one = Session(RegistryAccount(name="x", address=f"https://{host}"))
    return one.request("GET", "/v2/", scope=""), one.close


@pytest.mark.usefixtures("_no_collecting")
@pytest.mark.parametrize("client", [api_server, engine, guarded, registry])
def test_a_cancelled_handshake_leaves_no_connection(client: Callable[[str, str], Asked], tmp_path: Path) -> None:
    begun, closed = asyncio.Event(), asyncio.Event()
    authorities = certificates.make(tmp_path / "own.pem", "127.0.0.1")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hears the client's part of the handshake, and gives none."""
        await reader.readexactly(5)
        begun.set()
        await reader.read()
        closed.set()
        writer.close()

    async def story() -> None:
        async with asyncio.timeout(SECONDS), await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
            asked, close = client(f"127.0.0.1:{listener.sockets[0].getsockname()[1]}", authorities)
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(asked)
                await begun.wait()

                asking.cancel()

            assert asking.cancelled()
            await closed.wait()
            await close()

    asyncio.run(story())
