"""The Caddy process and its ports: taken ones are named, given up or kept, and whoever has them is left alone."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from tests import waiting
from tests.fakes.documents import MemoryStore
from tests.fakes.hiccups import Hiccup, answering

from gennaker.model.problems import Refused
from gennaker.plugins.caddy.program import CaddyProgram
from gennaker.plugins.caddy.provider import CaddyProvider
from gennaker.settings import CaddySettings, LoadBalancerSettings
from gennaker.transport import ports

pytestmark = pytest.mark.slow

_AT_ONCE = timedelta(minutes=5)


class Place:
    """A folder and store for Caddys of one server after another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = MemoryStore()

    def program(self, admin_port: int = 0) -> CaddyProgram:
        settings = CaddySettings(admin_port=admin_port)
        return CaddyProgram(self._folder, self._store("caddy.program"), settings)

    def provider(self, program: CaddyProgram, address: str = "") -> CaddyProvider:
        configured = {"shop": LoadBalancerSettings(address=address)}
        return CaddyProvider(documents=self._store("caddy.load-balancers"), program=program, configured=configured)

    def do(self, work: Callable[[], Awaitable[None]]) -> None:
        async def main() -> None:
            try:
                await work()
            finally:
                await self.program().kill(_AT_ONCE)

        asyncio.run(main())


@contextmanager
def taken(port: int = 0) -> Iterator[tuple[int, list[bytes]]]:
    """Somebody else's server: its port, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", port)) as listening:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(10_000))
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listening.getsockname()[1], asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            waiting.joined(thread)


def test_an_admin_port_of_the_settings_that_is_taken_is_named_and_its_owner_left_alone(tmp_path: Path) -> None:
    place = Place(tmp_path)

    async def work() -> None:
        with taken() as (port, asked):
            program = place.program(port)

            with pytest.raises(Refused) as refused:
                await place.provider(program).reconcile()

            (problem,) = refused.value.problems
            assert str(problem) == (
                f"Caddy's admin API can't listen on 127.0.0.1:{port}: something else does. "
                f"Stop what uses port {port}, or set caddy.admin-port to another port (0: a free one)."
            )
            assert not await program.is_running()
        assert asked == []

    place.do(work)


def test_a_changed_setting_is_followed_when_caddy_starts_again(tmp_path: Path) -> None:
    place = Place(tmp_path)

    async def work() -> None:
        await place.provider(place.program()).reconcile()
        before = (await place.program().record()).admin_port
        other = ports.free("other", {before})
        await place.provider(place.program(other)).reconcile()
        assert (await place.program().record()).admin_port == before, "it runs on as it is"

        await place.program().kill(_AT_ONCE)
        await place.provider(place.program(other)).reconcile()

        assert (await place.program().record()).admin_port == other
        assert not ports.is_free("127.0.0.1", other)

    place.do(work)


def test_a_free_port_that_somebody_has_taken_meanwhile_is_given_up(tmp_path: Path) -> None:
    place = Place(tmp_path)

    async def work() -> None:
        await place.provider(place.program()).reconcile()
        before = (await place.program().record()).admin_port
        await place.program().kill(_AT_ONCE)

        with taken(before) as (_, asked):
            await place.provider(place.program()).reconcile()

            assert (await place.program().record()).admin_port != before
            assert await place.program().is_running()
        assert asked == []

    place.do(work)


def test_a_load_balancers_port_that_is_taken_when_caddy_starts_is_named(tmp_path: Path) -> None:
    place = Place(tmp_path)
    address = f"127.0.0.1:{ports.free(str(tmp_path))}"

    async def work() -> None:
        await place.provider(place.program(), address).reconcile()
        await place.program().kill(_AT_ONCE)

        with taken(int(address.rpartition(":")[2])), pytest.raises(Refused) as refused:
            await place.provider(place.program(), address).reconcile()

        (problem,) = refused.value.problems
        assert problem.message == f"Caddy can't listen on {address}: something else does."
        assert "another address in the settings" in problem.remedy
        assert "address already in use" in str(problem.details["log"])

    place.do(work)


@pytest.mark.parametrize(("hiccup", "said"), [(Hiccup.RESET, "doesn't answer"), (Hiccup.NONSENSE, "can't be read")])
def test_a_hiccup_is_a_refusal_that_says_so(hiccup: Hiccup, said: str, tmp_path: Path) -> None:
    async def story() -> None:
        async with await asyncio.start_server(answering(hiccup), "127.0.0.1", 0) as server:
            settings = CaddySettings(admin_port=server.sockets[0].getsockname()[1])
            program = CaddyProgram(tmp_path, MemoryStore()("caddy.program"), settings)
            with pytest.raises(Refused, match=said):
                await program.failures()
            with pytest.raises(Refused, match=said):
                await program.requests_under_way()

    asyncio.run(story())
