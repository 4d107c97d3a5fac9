"""nginx: the paths of a split, and what becomes of requests whose instance can't be reached."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from tests.fakes.traffic_worlds import ProxyWorld
from tests.fakes.web_client import WebClient
from tests.free_ports import free_port

from gennaker.interfaces.routes import Routes
from gennaker.interfaces.traffic import Share
from gennaker.model.problems import Refused
from gennaker.plugins.proxies.nginx import Nginx
from gennaker.plugins.proxies.records import ProxyRecord


def record(**weights: int) -> ProxyRecord:
    shares = {
        name: Share(weight=weight, addresses=(f"127.0.0.1:{number}",))
        for number, (name, weight) in enumerate(weights.items(), start=1)
    }
    return ProxyRecord(name="shop", address="127.0.0.1:80", shares=shares)


def ends(folder: Path) -> Counter[str]:
    """How many of all slots lead to each folder."""
    found: Counter[str] = Counter()

    def look(path: Path, slots: int) -> None:
        for digit in range(10):
            below = path / str(digit)
            if below.is_symlink():
                assert (below / "0" / "9").resolve(strict=True) == below.resolve()
                found[below.resolve().name] += slots // 10
            else:
                look(below, slots // 10)

    look(folder / "current" / "main", 10_000)
    return found


@pytest.mark.parametrize(
    ("weights", "slots"),
    [
        ({}, {"nobody": 10_000}),
        ({"a": 1, "b": 0}, {"127.0.0.1:1": 10_000}),
        ({"a": 80, "b": 15, "c": 5}, {"127.0.0.1:1": 8000, "127.0.0.1:2": 1500, "127.0.0.1:3": 500}),
        ({"a": 1, "b": 1, "c": 1}, {"127.0.0.1:1": 3334, "127.0.0.1:2": 3333, "127.0.0.1:3": 3333}),
    ],
)
def test_so_many_slots_lead_to_an_instance_as_its_weight_says(
    weights: dict[str, int], slots: dict[str, int], tmp_path: Path
) -> None:
    Nginx().write(tmp_path, record(a=1))

    Nginx().write(tmp_path, record(**weights))

    assert ends(tmp_path) == slots


def test_each_instance_is_followed_by_another_and_those_of_before_by_one_that_serves(tmp_path: Path) -> None:
    Nginx().write(tmp_path, record(a=1, b=1, c=1))
    Nginx().write(tmp_path, record(a=0, b=1, c=9))

    following = {one.name: one.resolve(strict=True).name for one in (tmp_path / "current" / "main-next").iterdir()}

    a, b, c = (f"127.0.0.1:{number}" for number in (1, 2, 3))
    assert following == {a: b, b: c, c: b}


def test_old_splits_do_not_pile_up(tmp_path: Path) -> None:
    for weight in range(1, 9):
        Nginx().write(tmp_path, record(a=weight, b=1))

    assert sorted(one.name for one in (tmp_path / "banks").iterdir()) == ["5", "6", "7"]


def test_more_instances_than_it_can_split_among_are_refused(tmp_path: Path) -> None:
    addresses = tuple(f"10.0.{number // 250}.{number % 250}:80" for number in range(10_001))
    many = ProxyRecord(name="shop", address="127.0.0.1:80", shares={"a": Share(weight=1, addresses=addresses)})

    with pytest.raises(Refused, match="10001 instances are to serve shop; nginx splits among at most 10000"):
        Nginx().write(tmp_path, many)


@pytest.mark.slow
@pytest.mark.debian
def test_only_what_no_instance_has_seen_is_tried_again(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen[(await reader.readuntil(b"\r\n\r\n")).decode().split()[1]] += 1
        if seen["/"]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")
            await writer.drain()
        writer.close()

    async def story() -> None:
        here = ProxyWorld(tmp_path, Nginx())
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        living = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            balancer = await here.provider().ensure("shop")
            client = WebClient(balancer.address)
            both = (living, f"127.0.0.1:{free_port()}")
            dead = {"b": Share(weight=99, addresses=both[1:])}
            await here.provider().set_weights("shop", {"a": Share(weight=1, addresses=both[:1]), **dead})

            cut = [(await client.get("/cut"))[0] for _ in range(20)]
            whole = Counter([(await client.get())[0] for _ in range(40)])
            await here.provider().set_weights("shop", dead)
            nobody = (await client.get())[0]

            assert cut == [502] * 20
            assert seen["/cut"] <= 20
            assert whole == {200: 40}
            assert nobody == 502
            client.close()
        finally:
            server.close()
            await here.close()

    asyncio.run(story())


def test_only_routes_change_the_configuration(tmp_path: Path) -> None:
    def configured(*, weight: int, value: str = "yes", addresses: tuple[str, ...] = ("127.0.0.1:2",)) -> str:
        shares = {
            "a": Share(weight=weight, addresses=("127.0.0.1:1",)),
            "b": Share(
                weight=1, addresses=addresses, routes=Routes(headers={"X-Canary": value}, mirror_percent=weight)
            ),
        }
        Nginx().write(tmp_path, ProxyRecord(name="shop", address="127.0.0.1:80", shares=shares))
        return (tmp_path / "nginx.conf").read_text()

    first = configured(weight=1)

    assert configured(weight=2, addresses=()) == first
    assert configured(weight=1, value="no") != first
