"""Envoy: what it says of instances."""

import asyncio
from pathlib import Path

import pytest
from tests.fakes.hiccups import Hiccup, answering

from gennaker.interfaces.clouds import Health
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.plugins.proxies.envoy import Envoy
from gennaker.plugins.proxies.program import Unanswered
from gennaker.plugins.proxies.records import ProxyRecord


def host(port: int, **health: Json) -> JsonObject:
    at: JsonObject = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"address": at, "weight": 1, "health_status": {"eds_health_status": "HEALTHY", **health}}


CLUSTERS: JsonObject = {
    "cluster_statuses": [
        {
            "name": "instances",
            "host_statuses": [
                host(1),
                host(2, failed_outlier_check=True),
                host(3, failed_active_health_check=True),
                host(4, eds_health_status="DRAINING"),
            ],
        },
        {"name": "routed", "host_statuses": [host(2), host(5)]},
        {"name": "mirrored", "host_statuses": [host(6)]},
    ]
}


def test_whom_it_has_put_out_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        body = encode(CLUSTERS)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async def story() -> None:
        async with await asyncio.start_unix_server(answer, "admin.sock"):
            record = ProxyRecord(name="shop", address="127.0.0.1:80")
            found = await Envoy().states(tmp_path, record)

        expected = {1: Health.UP, 2: Health.DOWN, 3: Health.DOWN, 5: Health.UP}
        assert found == {f"127.0.0.1:{port}": state for port, state in expected.items()}
        assert asked == [b"GET /clusters?format=json HTTP/1.1"]

    asyncio.run(story())


@pytest.mark.parametrize("hiccup", Hiccup)
def test_a_hiccup_is_no_answer(hiccup: Hiccup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def story() -> None:
        async with await asyncio.start_unix_server(answering(hiccup), "admin.sock"):
            with pytest.raises(Unanswered):
                await Envoy().states(tmp_path, ProxyRecord(name="shop", address="127.0.0.1:80"))

    asyncio.run(story())
