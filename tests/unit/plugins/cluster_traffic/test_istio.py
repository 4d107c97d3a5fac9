"""VirtualServices: which HTTP routes are ours, and what stands in them and beside them."""

from typing import Any

import pytest

from gennaker.interfaces.routes import Routes
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic.backends import Backend, Names, Served
from gennaker.plugins.cluster_traffic.istio import PLACEHOLDER, Istio

API = Istio()
OURS = Names(split=("old", "new"))
REDIRECT = {"redirect": {"uri": "/new"}}


def destination(host: str, weight: int) -> dict[str, Any]:
    return {"destination": {"host": host, "port": {"number": 80}}, "weight": weight}


def service(*http: dict[str, Any]) -> JsonObject:
    return {"metadata": {"name": "shop"}, "spec": {"hosts": ["shop.example.org"], "http": list(http)}}


def backend(name: str, weight: int = 1) -> Backend:
    return Backend(name=name, key=f"p:s:{name}", weight=weight, addresses=("10.0.0.1:80",))


MARKED: dict[str, Any] = {"route": [{"destination": {"host": PLACEHOLDER}}]}


def test_marked_routes_and_those_with_ours_are_set_and_others_stay() -> None:
    theirs = {"match": [{"uri": {"prefix": "/api"}}], "route": [destination("api", 1), destination("old", 1)]}
    before = service(theirs, {**MARKED, "timeout": "5s"}, {"route": [destination("old", 1)]}, REDIRECT, {})

    found = API.with_backends(before, Served(split=(backend("new", 90), backend("old", 10))), OURS)

    wanted = {"route": [destination("new", 90), destination("old", 10)]}
    assert found == service(theirs, {**wanted, "timeout": "5s"}, wanted, REDIRECT, wanted)
    assert API.without_backends(found, OURS) == service(theirs, {**MARKED, "timeout": "5s"}, MARKED, REDIRECT, MARKED)
    assert API.is_serving(found, OURS)
    assert not API.is_serving(before, OURS)


@pytest.mark.parametrize("http", [{"route": [destination("api", 1)]}, REDIRECT, {"delegate": {"name": "other"}}])
def test_a_virtual_service_of_which_no_route_is_ours_is_refused(http: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="All rules of the VirtualService shop"):
        API.with_backends(service(http), Served(split=(backend("new"),)), OURS)


def routed(**routes: Any) -> Backend:
    return Backend(name="canary", key="p:s:new", weight=1, addresses=("10.0.0.2:80",), routes=Routes(**routes))


def test_who_is_routed_gets_copies_of_our_routes_before_them_and_copies_of_requests() -> None:
    own = [{"destination": {"host": "log"}}]
    before = service({**MARKED, "name": "all", "match": [{"uri": {"prefix": "/shop"}}], "mirrors": own}, {**MARKED})
    canary = routed(headers={"X-Canary": "yes"}, cookies={"t": "1"}, mirror_percent=30)
    names = Names(split=("old",), routed=("canary",))

    found = API.with_backends(before, Served(split=(backend("old"),), routed=(canary,)), Names())

    only = [{"destination": {"host": "canary", "port": {"number": 80}}}]
    copy = {**only[0], "percentage": {"value": 30}}
    headers: list[dict[str, Any]] = [
        {"headers": {"x-canary": {"exact": "yes"}}},
        {"headers": {"cookie": {"regex": r"^(.*;\s*)?t=1(\s*;.*)?$"}}},
    ]
    prefix: dict[str, Any] = {"uri": {"prefix": "/shop"}}
    assert found == service(
        {"match": [{**prefix, **one} for one in headers], "mirrors": own, "route": only},
        {"name": "all", "match": [prefix], "mirrors": [*own, copy], "route": [destination("old", 1)]},
        {"match": headers, "route": only},
        {"mirrors": [copy], "route": [destination("old", 1)]},
    )
    assert API.is_serving(found, names)
    assert not API.is_serving(found, Names(split=("old",), routed=("other",)))
    assert API.without_backends(found, names) == before


@pytest.mark.parametrize(
    ("http", "said"),
    [
        ({**MARKED, "match": [{"headers": {"x-canary": {"exact": "no"}}}]}, "the header x-canary itself"),
        ({**MARKED, "mirror": {"host": "log"}}, "there can't be a second copy"),
    ],
)
def test_what_leaves_no_room_for_routes_is_refused(http: dict[str, Any], said: str) -> None:
    canary = routed(headers={"X-Canary": "yes"}, mirror_percent=30)
    with pytest.raises(Refused, match=said):
        API.with_backends(service(http), Served(split=(backend("old"),), routed=(canary,)), Names())
