"""Traefik: what becomes of requests whose instance can't be reached, and weights larger than it should be given."""

import asyncio
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from tests.fakes.hiccups import Hiccup, answering
from tests.fakes.traffic_worlds import ProxyWorld
from tests.fakes.web_client import WebClient
from tests.free_ports import free_port

from gennaker.interfaces.traffic import Share
from gennaker.plugins.proxies.program import Unanswered
from gennaker.plugins.proxies.records import ProxyRecord
from gennaker.plugins.proxies.traefik import Traefik


@pytest.mark.slow
def test_only_what_no_instance_has_seen_is_tried_again(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
        seen[path] += 1
        if path == "/":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")
            await writer.drain()
        writer.close()

    async def story() -> None:
        here = ProxyWorld(tmp_path, Traefik())
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        living = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            balancer = await here.provider().ensure("shop")
            client = WebClient(balancer.address)
            both = (living, f"127.0.0.1:{free_port()}")
            await here.provider().set_weights("shop", {"a": Share(weight=1, addresses=both)})

            whole = [(await client.get())[0] for _ in range(10)]
            cut = [(await client.get("/cut"))[0] for _ in range(10)]

            assert whole == [200] * 10
            assert cut == [502] * 10
            assert seen == {"/": 10, "/cut": 10}
            client.close()
        finally:
            server.close()
            await here.close()

    asyncio.run(story())


def test_instances_are_listed_with_weights_of_at_most_ten_thousand(tmp_path: Path) -> None:
    shares = {
        "a": Share(weight=99_999, addresses=("127.0.0.1:1",)),
        "b": Share(weight=1, addresses=("[::1]:2",)),
        "c": Share(weight=0, addresses=("127.0.0.1:3",)),
    }

    Traefik().write(tmp_path, ProxyRecord(name="shop", address="127.0.0.1:80", shares=shares))

    routes = msgspec.json.decode((tmp_path / "routes.yaml").read_bytes())
    assert routes["http"]["services"]["instances"]["loadBalancer"]["servers"] == [
        {"url": "http://127.0.0.1:1", "weight": 9999},
        {"url": "http://[::1]:2", "weight": 1},
    ]


@pytest.mark.parametrize("hiccup", Hiccup)
def test_a_hiccup_is_no_answer(hiccup: Hiccup, tmp_path: Path) -> None:
    async def story() -> None:
        async with await asyncio.start_server(answering(hiccup), "127.0.0.1", 0) as server:
            (tmp_path / "port").write_text(str(server.sockets[0].getsockname()[1]))
            with pytest.raises(Unanswered):
                await Traefik().states(tmp_path, ProxyRecord(name="shop", address="127.0.0.1:80"))

    asyncio.run(story())


def test_before_it_has_a_port_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(Unanswered):
        asyncio.run(Traefik().states(tmp_path, ProxyRecord(name="shop", address="127.0.0.1:80")))
