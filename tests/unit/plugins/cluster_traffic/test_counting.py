"""Requests under way at instances behind routes, as their own gauges tell."""

import asyncio

import pytest

from gennaker.plugins.cluster_traffic import counting

GAUGE = "http_requests_in_flight"
PAGE = """# TYPE http_requests_in_flight gauge
http_requests_in_flight{handler="/"} 2
http_requests_in_flight{handler="/slow"} 1
# TYPE http_requests_total counter
http_requests_total 7
"""


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_WITHIN_SECONDS", 60.0)


async def told(status: str, page: str, gauge: str = GAUGE) -> int | None:
    """Of an instance that answers so."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"GET /metrics ")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(page)}\r\n\r\n{page}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        found = await counting.under_way((f"{host}:{port}",), gauge)
    (count,) = found.values()
    return count


@pytest.mark.parametrize(
    ("status", "page", "expected"),
    [
        ("200 OK", PAGE, 3),
        ("200 OK", f"{GAUGE} 0\n", 0),
        ("200 OK", "other 1\n", None),
        ("200 OK", f"{GAUGE} NaN\n", None),
        ("200 OK", f"{GAUGE} -1\n", None),
        ("503 Service Unavailable", PAGE, None),
    ],
)
def test_all_series_of_the_gauge_count_and_what_has_none_is_not_known(
    status: str, page: str, expected: int | None
) -> None:
    assert asyncio.run(told(status, page)) == expected


def test_without_a_gauge_nobody_is_asked() -> None:
    assert asyncio.run(counting.under_way(("127.0.0.1:1", "127.0.0.1:2"), "")) == {
        "127.0.0.1:1": None,
        "127.0.0.1:2": None,
    }


@pytest.mark.parametrize("nowhere", ["127.0.0.1:1", "127.0.0.1:x", "127.0.0.1:70000", "[::zz]:80", ""])
def test_who_can_t_be_reached_does_not_hide_the_others(nowhere: str) -> None:
    async def ask() -> dict[str, int | None]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{PAGE}".encode())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            found = await counting.under_way((f"{host}:{port}", nowhere), GAUGE)
        return {"gone" if name == nowhere else "there": count for name, count in found.items()}

    assert asyncio.run(ask()) == {"there": 3, "gone": None}
