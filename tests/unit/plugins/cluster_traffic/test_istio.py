"""VirtualServices: which HTTP routes are ours, and what stands in them and beside them."""

from typing import Any

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic.backends import Backend
from gennaker.plugins.cluster_traffic.istio import PLACEHOLDER, Istio

API = Istio()
OURS = frozenset({"old", "new"})
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

    found = API.with_backends(before, (backend("new", 90), backend("old", 10)), OURS)

    wanted = {"route": [destination("new", 90), destination("old", 10)]}
    assert found == service(theirs, {**wanted, "timeout": "5s"}, wanted, REDIRECT, wanted)
    assert API.without_backends(found, OURS) == service(theirs, {**MARKED, "timeout": "5s"}, MARKED, REDIRECT, MARKED)
    assert API.is_serving(found, OURS)
    assert not API.is_serving(before, OURS)


@pytest.mark.parametrize("http", [{"route": [destination("api", 1)]}, REDIRECT, {"delegate": {"name": "other"}}])
def test_a_virtual_service_of_which_no_route_is_ours_is_refused(http: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="All rules of the VirtualService shop"):
        API.with_backends(service(http), (backend("new"),), OURS)
