"""HAProxy: patterns of routes, and how many there may be."""

import re
from pathlib import Path

import pytest

from gennaker.interfaces.routes import Routes
from gennaker.interfaces.traffic import Share
from gennaker.model.problems import Refused
from gennaker.plugins.proxies.haproxy import HAProxy
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
