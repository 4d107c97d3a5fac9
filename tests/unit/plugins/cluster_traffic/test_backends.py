"""Services and slices of server groups: names, addresses, and what can't stand in a slice."""

import re

import pytest

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.traffic import Share
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends
from gennaker.plugins.cluster_traffic.backends import Backend

LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("key", ["prod:shop:shop-prod-v001", "a:b:x" * 40, "p:s:UPPER_case.v001", "p:s:9-v000", ""])
@pytest.mark.parametrize("load_balancer", ["shop-prod", "9.A_b", "x" * 100])
def test_names_are_dns_labels_and_labels_whatever_they_stand_for(load_balancer: str, key: str) -> None:
    assert LABEL.fullmatch(backends.name(load_balancer, key))
    assert LABEL.fullmatch(backends.owner(load_balancer))


def test_names_say_what_they_stand_for_and_differ_where_that_does() -> None:
    keys = ["prod:shop:shop-v001", "prod:other:shop-v001", "stage:shop:shop-v001", "prod:shop:shop_v001", ""]

    names = [backends.name(one, key) for one in ("shop", "shop2") for key in keys]

    assert len(set(names)) == len(names)
    assert names[0].startswith("shop-v001-")
    assert backends.name("web", keys[0]).startswith("web-shop-v001-")


def test_who_has_no_weight_or_no_address_has_no_backend() -> None:
    found = backends.of_shares(
        "shop",
        {
            "p:s:old": Share(weight=0, addresses=("10.0.0.1:80",)),
            "p:s:new": Share(weight=5, addresses=("10.0.0.2:80",)),
            "p:s:none": Share(weight=5, addresses=()),
        },
    )

    name = backends.name("shop", "p:s:new")
    assert found == (Backend(name=name, key="p:s:new", weight=5, addresses=("10.0.0.2:80",)),)


@pytest.mark.parametrize("weight", [0, 1])
def test_where_nobody_serves_there_is_one_backend_with_a_slice_of_nobody(weight: int) -> None:
    (found,) = backends.of_shares("shop", {"p:s:a": Share(weight=weight, addresses=())})

    (one,) = backends.slices(found, "shop", {}).values()
    assert (found.key, found.weight, one["endpoints"]) == ("", 1, [])


def test_a_slice_has_one_port_one_family_and_a_hundred_addresses_at_most() -> None:
    many = tuple(f"10.0.{number // 200}.{number % 200 + 1}:8080" for number in range(150))
    backend = Backend(name="b", key="p:s:b", weight=1, addresses=(*many, "10.1.0.1:9090", "[2001:db8::1]:8080"))

    found = backends.slices(backend, "shop", {})

    shapes = {name: (one["addressType"], one["ports"], len(listed(one))) for name, one in found.items()}
    assert shapes == {
        "b-8080": ("IPv4", [{"name": "http", "port": 8080, "protocol": "TCP"}], 100),
        "b-8080-1": ("IPv4", [{"name": "http", "port": 8080, "protocol": "TCP"}], 50),
        "b-9090": ("IPv4", [{"name": "http", "port": 9090, "protocol": "TCP"}], 1),
        "b-8080-ipv6": ("IPv6", [{"name": "http", "port": 8080, "protocol": "TCP"}], 1),
    }
    assert listed(found["b-8080-ipv6"]) == [{"addresses": ["2001:db8::1"], "conditions": {"ready": True}}]


def test_an_endpoint_names_its_pod_where_there_is_one() -> None:
    pod = {"kind": "Pod", "namespace": "shop", "name": "web-1", "uid": "u"}
    backend = Backend(name="b", key="k", weight=1, addresses=("10.0.0.1:80", "10.0.0.2:80"))

    (one,) = backends.slices(backend, "shop", {"10.0.0.1": pod}).values()

    assert [endpoint.get("targetRef") for endpoint in listed(one)] == [pod, None]


@pytest.mark.parametrize(
    "address", ["127.0.0.1:80", "web.example.org:80", "10.0.0.1", "10.0.0.1:http", "[::1]:80", "[fe80::1]:80"]
)
def test_an_address_that_no_slice_may_hold_is_refused(address: str) -> None:
    with pytest.raises(Refused, match="not an IP address and port that a cluster's controller can reach"):
        backends.refuse_names({"a": Share(weight=0, addresses=(address,))})


def listed(one: dict[str, object]) -> list[dict[str, object]]:
    found = one["endpoints"]
    assert isinstance(found, list)
    return found


def test_conditions_say_who_gets_requests() -> None:
    ready: JsonObject = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
    unsaid: JsonObject = {"addresses": ["fd00::1"]}
    unready: JsonObject = {"addresses": ["10.0.0.2"], "conditions": {"ready": False, "serving": False}}
    leaving: JsonObject = {"addresses": ["10.0.0.3"], "conditions": {"ready": False, "terminating": True}}

    found = backends.states({"ports": [{"port": 8080}], "endpoints": [ready, unsaid, unready, leaving]})

    assert found == {
        "10.0.0.1:8080": Health.UP,
        "[fd00::1]:8080": Health.UP,
        "10.0.0.2:8080": Health.DOWN,
        "10.0.0.3:8080": Health.DRAINING,
    }
