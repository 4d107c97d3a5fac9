"""HAProxy: patterns of routes, and how many there may be."""

import asyncio
import contextlib
import re
from pathlib import Path

import pytest
from tests.fakes.traffic_worlds import real

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.traffic import Share
from gennaker.model.problems import Refused
from gennaker.plugins.proxies import sockets
from gennaker.plugins.proxies.haproxy import HAProxy
from gennaker.plugins.proxies.program import Unanswered
from gennaker.plugins.proxies.provider import ProxyProvider
from gennaker.plugins.proxies.records import ProxyRecord


def record(*routes: Routes) -> ProxyRecord:
    shares = {
        f"g{number}": Share(weight=0, addresses=(f"127.0.0.1:{number}",), routes=one)
        for number, one in enumerate(routes, start=1)
    }
    return ProxyRecord(name="shop", address="127.0.0.1:80", shares=shares)


@pytest.mark.parametrize(
    ("routes", "headers", "is_routed"),
    [
        (Routes(headers={"X-Canary": "a.b+c"}), "x-canary: a.b+c\r\n", True),
        (Routes(headers={"X-Canary": "a.b+c"}), "host: x\r\nx-canary:a.b+c \r\n", True),
        (Routes(headers={"X-Canary": "a.b+c"}), "x-canary: aXbbc\r\n", False),
        (Routes(headers={"X-Canary": "yes"}), "not-x-canary: yes\r\n", False),
        (Routes(headers={"X-Canary": "yes"}), "x-other: x-canary: yes\r\n", False),
        (Routes(cookies={"a": "1"}), "cookie: a=1\r\n", True),
        (Routes(cookies={"a": "1"}), "host: x\r\ncookie: b=2;a=1;c=3\r\n", True),
        (Routes(cookies={"a": "1"}), "cookie: ba=1\r\n", False),
        (Routes(cookies={"a": "1"}), "cookie: A=1\r\n", False),
        (Routes(cookies={"a": "1"}), "cookie: a=11\r\n", False),
        (Routes(cookies={"a": "1"}), "x-cookie: a=1\r\n", False),
    ],
)
def test_headers_are_matched_as_a_whole(routes: Routes, headers: str, *, is_routed: bool, tmp_path: Path) -> None:
    HAProxy().write(tmp_path, record(routes))

    ((pattern, part),) = (line.split(" ") for line in (tmp_path / "bank0.routes").read_text().splitlines())
    assert part == "route0"
    assert bool(re.search(pattern, f"{headers}\r\n")) is is_routed


def test_more_routed_server_groups_than_there_is_room_for_are_refused(tmp_path: Path) -> None:
    many = [Routes(headers={"X-Canary": str(number)}) for number in range(9)]

    with pytest.raises(Refused, match="At shop 9 server groups have routes; HAProxy has room for 8"):
        HAProxy().write(tmp_path, record(*many))


_HEADER = "# pxname,svname,scur,status,weight"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (f"{_HEADER}\nbank0,i-127.0.0.1:1,many,UP,1\n".encode(), "its statistics can't be read"),
        (f"{_HEADER}\nbank0,i-127.0.0.1:1\n".encode(), "its statistics can't be read"),
        (b"\xff\xfe,\x00", "it gives no statistics"),
        (b"Permission denied\n", "it gives no statistics ('Permission denied"),
        (b"", "it gives no statistics"),
        (f"{_HEADER}\nbank0,i-127.0.0.1:1,3,UP,1\n".encode(), ""),
    ],
)
def test_statistics_that_cannot_be_read_are_no_answer(answer: bytes, said: str, tmp_path: Path) -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def story() -> None:
        with sockets.short(tmp_path / "admin.sock") as path:
            server = await asyncio.start_unix_server(answers, path)
        async with server:
            expected = pytest.raises(Unanswered, match=re.escape(said)) if said else contextlib.nullcontext()
            with expected:
                assert await HAProxy().in_flight(tmp_path, record(), 0) == {"127.0.0.1:1": 3}

    asyncio.run(story())


@pytest.mark.slow
@pytest.mark.debian
def test_a_server_that_somebody_has_called_down_is_told_as_such_and_gets_no_requests(tmp_path: Path) -> None:
    async def story() -> None:
        async with real("haproxy", tmp_path) as here:
            provider = here.provider()
            well, ill = await here.programs(2)
            balancer = await provider.ensure("shop")
            await provider.set_weights("shop", {"a": Share(weight=1, addresses=(well, ill))})
            (socket,) = await asyncio.to_thread(lambda: [*tmp_path.rglob("admin.sock")])
            assert isinstance(provider, ProxyProvider)

            with sockets.short(socket) as path:
                reader, writer = await asyncio.open_unix_connection(path)
            commands = "; ".join(f"set server {bank}/i-{ill} health down" for bank in ("bank0", "bank1"))
            writer.write(f"{commands}\n".encode())
            await reader.read()
            writer.close()

            assert await provider.health("shop") == {well: Health.UP, ill: Health.DOWN}
            assert {await here.get(balancer) for _ in range(4)} == {well}

    asyncio.run(story())
