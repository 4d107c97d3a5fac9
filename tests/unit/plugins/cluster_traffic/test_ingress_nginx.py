"""Ingresses with canary annotations: which shares they can express, and how."""

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gennaker.interfaces import traffic
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.traffic import Share
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.cluster_traffic import backends, ingress_nginx
from gennaker.plugins.cluster_traffic.ingress_nginx import Split

NOBODY: frozenset[str] = frozenset()
TO_CANARY = Routes(headers={"X-Canary": "yes"})
A, B, C = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"


def shares(**weights: tuple[int, tuple[str, ...]]) -> dict[str, Share]:
    return {name: Share(weight=weight, addresses=addresses) for name, (weight, addresses) in weights.items()}


@pytest.mark.parametrize(
    ("given_", "before", "wanted"),
    [
        (shares(), NOBODY, Split()),
        (shares(old=(0, (A,))), NOBODY, Split()),
        (shares(old=(7, (A,))), NOBODY, Split(main=(A,))),
        (shares(old=(90, (A,)), new=(10, (B,))), NOBODY, Split(main=(A,), canary=(B,), weight=20, total=200)),
        (
            shares(p=(80, (A,)), b=(10, (B,)), c=(10, (C,))),
            NOBODY,
            Split(main=(A,), canary=(B, C), weight=20, total=100),
        ),
        (
            shares(a=(1, (A, B)), b=(1, (A,))),
            frozenset({"10.0.0.2"}),
            Split(main=(B,), canary=(A,), weight=75, total=100),
        ),
    ],
)
def test_shares_become_two_services_and_a_weight(
    given_: dict[str, Share], before: frozenset[str], wanted: Split
) -> None:
    found = ingress_nginx.split("shop", given_, before)

    assert (found.main, set(found.canary)) == (wanted.main, set(wanted.canary))
    if wanted.canary:
        assert Fraction(found.weight, found.total) == Fraction(wanted.weight, wanted.total)
        assert found.total >= 100


def told(**routes: Any) -> dict[str, str]:
    """The annotations, without what all their names begin with."""
    found = ingress_nginx.conditions("shop", Routes(**routes))
    return {key.removeprefix("nginx.ingress.kubernetes.io/canary-by-"): value for key, value in found.items()}


def test_a_header_and_cookies_are_annotations_of_the_canary() -> None:
    assert told() == {}
    assert told(headers={"X-Canary": "yes"}) == {"header": "X-Canary", "header-value": "yes"}
    assert told(headers={"X-V": "a:b"}) == {"header": "X-V", "header-pattern": r"^a\x3Ab$"}
    assert told(headers={"X-V": "1"}, cookies={"t": "always"}) == {"header": "X-V", "header-value": "1", "cookie": "t"}
    cookies = told(cookies={"a": "1.0", "b": "x"})
    assert cookies == {"header": "Cookie", "header-pattern": r"(^|\x3B\s*)(a\x3D1\x2E0|b\x3Dx)(\s*\x3B|$)"}
    carried = ["a=1.0", "c=d; b=x; e=f", "a=1x0", "ab=x", "b=xx"]
    assert [bool(re.search(cookies["header-pattern"], one)) for one in carried] == [True, True, False, False, False]


@pytest.mark.parametrize(
    "routes", [{"headers": {"A": "1", "B": "1"}}, {"headers": {"A": "1"}, "cookies": {"b": "yes"}}]
)
def test_what_annotations_cannot_say_is_refused(routes: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="the annotations of its canary can't say"):
        ingress_nginx.check("shop", [Routes(**routes)])
    one = Routes(headers={"A": "1"})
    with pytest.raises(Refused, match="requests go to two server groups"):
        ingress_nginx.check("shop", [one, one])


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        (((1, (A,)), (0, (B,))), Split(main=(A,), canary=(B,), weight=0, total=100, routes=TO_CANARY)),
        (((3, (A,)), (1, (B,))), Split(main=(A,), canary=(B,), weight=25, total=100, routes=TO_CANARY)),
        (((0, (A,)), (0, (B,))), Split(main=(), canary=(B,), weight=0, total=100, routes=TO_CANARY)),
        (((0, (A,)), (1, (B,))), Split(main=(B,))),
        (((1, (A,)), (0, ())), Split(main=(A,))),
    ],
)
def test_whoever_is_routed_to_is_the_canary_unless_all_requests_are_its_own(
    given_: tuple[tuple[int, tuple[str, ...]], ...], wanted: Split
) -> None:
    old, new = (Share(weight=weight, addresses=addresses) for weight, addresses in given_)

    found = ingress_nginx.split("shop", {"old": old, "new": replace(new, routes=TO_CANARY)}, frozenset({"10.0.0.2"}))

    assert found == wanted


def test_who_is_main_stays_main_while_its_weight_becomes_small() -> None:
    found = ingress_nginx.split("shop", shares(old=(10, (A,)), new=(90, (B,))), frozenset({"10.0.0.1"}))

    assert (found.main, found.canary) == ((A,), (B,))
    assert Fraction(found.weight, found.total) == Fraction(9, 10)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("abcd"),
        st.tuples(st.integers(0, 100), st.lists(st.sampled_from([A, B, C]), unique=True).map(tuple)),
    ),
    st.frozensets(st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"])),
)
def test_each_instance_gets_its_part_or_all_is_refused(
    drawn: dict[str, tuple[int, tuple[str, ...]]], before: frozenset[str]
) -> None:
    turns = traffic.turns(shares(**drawn))
    try:
        found = ingress_nginx.split("shop", shares(**drawn), before)
    except Refused:
        assert len(set(turns.values())) > 2
        return

    part = Fraction(found.weight, found.total)
    parts = {address: (1 - part) / len(found.main) for address in found.main}
    parts |= {address: part / len(found.canary) for address in found.canary}
    assert parts == {address: Fraction(turn, sum(turns.values())) for address, turn in turns.items()}


def path(service: str, port: dict[str, Any], at: str = "/") -> dict[str, Any]:
    return {"path": at, "pathType": "Prefix", "backend": {"service": {"name": service, "port": port}}}


def ingress(*paths: dict[str, Any], **spec: Any) -> JsonObject:
    rules = [{"host": "shop.example.org", "http": {"paths": list(paths)}}]
    annotations = {"kubernetes.io/ingress.class": "nginx", "other": "x"}
    return {"metadata": {"name": "web", "annotations": annotations}, "spec": {"rules": rules, **spec}}


def test_the_canary_has_our_paths_with_its_own_service_and_the_class() -> None:
    tls = [{"hosts": ["shop.example.org"], "secretName": "s"}]
    user = ingress(
        path("shop", {"number": 80}), path("api", {"number": 80}, "/api"), path("shop", {"name": "http"}, "/b"), tls=tls
    )

    found = ingress_nginx.canary(user, "shop", Split(main=(A,), canary=(B,), weight=10, total=100))

    service, number = backends.name("shop", "canary"), {"number": 80}
    paths = [path(service, number), path(service, number, "/b")]
    assert found["spec"] == {"tls": tls, "rules": [{"host": "shop.example.org", "http": {"paths": paths}}]}
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    assert (metadata["name"], metadata["annotations"]) == (
        "web-canary",
        {
            "nginx.ingress.kubernetes.io/canary": "true",
            "nginx.ingress.kubernetes.io/canary-weight": "10",
            "nginx.ingress.kubernetes.io/canary-weight-total": "100",
            "kubernetes.io/ingress.class": "nginx",
        },
    )
    assert ingress_nginx.is_so({**found, "status": {}}, found)
    assert not ingress_nginx.is_so(found, {**found, "spec": {}})
    routed = ingress_nginx.canary(user, "shop", Split(canary=(B,), weight=10, routes=TO_CANARY))
    assert not ingress_nginx.is_so(found, routed)
    assert not ingress_nginx.is_so(routed, found)


@pytest.mark.parametrize("paths", [(), (path("api", {"number": 80}),), (path("shop", {"number": 8080}),)])
def test_an_ingress_that_hands_nothing_to_us_is_refused(paths: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(Refused, match="No path of the Ingress web has the Service shop"):
        ingress_nginx.refuse_without_path(ingress(*paths), "shop")


@pytest.mark.parametrize("name", ["Shop", "shop.prod", "9shop", "s" * 64, "shop-"])
def test_a_name_that_no_service_can_have_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="can't have a Service of its name"):
        ingress_nginx.service_name(name)


def test_it_is_reached_where_its_status_says() -> None:
    def reached(given_: list[Any], **spec: Any) -> str:
        return ingress_nginx.address({**ingress(**spec), "status": {"loadBalancer": {"ingress": given_}}})

    assert reached([{"ip": "192.0.2.1"}]) == "192.0.2.1:80"
    assert reached([{"hostname": "lb.example.org"}], tls=[{"secretName": "s"}]) == "lb.example.org:443"
    assert reached([{"ip": "2001:db8::1"}]) == "[2001:db8::1]:80"
    assert reached([]) == ""
